# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the demo, and leaves nothing behind however it ends.

Exit status: 0, 1 when a step failed, 128 + n for signal n.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from collection import install
from lab import CommandFailed, LabError, Network, Terminated, terminable, traces

from .narrator import BOLD, DIM, RED, Narrator
from .story import tell


def build_and_install(narrator: Narrator, folder: Path) -> Path:
    """Install the collection as a user does, into a folder of ours; returns the path for ANSIBLE_COLLECTIONS_PATH."""
    os.environ["ANSIBLE_HOME"] = str(folder / "ansible-home")  # else ansible-galaxy leaves a cache in the user's home
    with narrator.step("Build the collection and install it") as step:
        try:
            installed = install(folder)
        except RuntimeError as error:
            raise LabError(str(error)) from None
        step.outcome = "into a temporary folder"
    return installed


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description="wirewatch.wireguard on a real WireGuard network."
    )
    parser.add_argument("--backend", choices=["auto", "kernel", "userspace"], default="auto")
    parser.add_argument("--collections", type=Path, help="where the collection is installed; by default it is built")
    options = parser.parse_args()

    # A shell that starts us in the background has SIGINT ignored; whoever sends one means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    narrator = Narrator(sys.stdout)
    narrator.say("wirewatch.wireguard: gather, wait, react", BOLD)
    narrator.say()
    started = time.monotonic()
    network = Network(options.backend)
    try:
        with terminable(), tempfile.TemporaryDirectory(prefix="ww-demo-") as folder:
            collections = options.collections or build_and_install(narrator, Path(folder))
            with network:
                tell(narrator, network, collections)
        status = 0
    except CommandFailed as error:
        narrator.failure(error.sentence, error.output)
        status = 1
    except LabError as error:
        narrator.failure(str(error))
        status = 1
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Terminated) else signal.SIGINT
        narrator.say(f"Ended by {signal.Signals(number).name}.")
        status = 128 + number

    left = traces(network.run_id) if network.run_id else []
    if status == 0:
        narrator.table()
        narrator.say(f"All of it in {time.monotonic() - started:.0f} s.", DIM)
    for trace in left:
        narrator.say(f"Left behind: {trace}", RED)
    if not left:
        narrator.say("Nothing is left behind: no namespace, process, socket or file.", DIM)
    return status or (1 if left else 0)


if __name__ == "__main__":
    sys.exit(main())

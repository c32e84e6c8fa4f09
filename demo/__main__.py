# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the demo, and leaves nothing behind however it ends.

Exit status: 0, 1 when a step failed, 128 + n for signal n.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from lab import CommandFailed, LabError, Network, Terminated, traces

from .narrator import BOLD, DIM, RED, Narrator
from .story import tell


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description="wirewatch.wireguard on a real WireGuard network."
    )
    parser.add_argument("--collections", type=Path, required=True, help="folder that the collection is installed in")
    parser.add_argument("--backend", choices=["auto", "kernel", "userspace"], default="auto")
    options = parser.parse_args()

    # A shell that starts us in the background has SIGINT ignored; whoever sends one means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    narrator = Narrator(sys.stdout)
    narrator.say("wirewatch.wireguard: gather, wait, react", BOLD)
    narrator.say()
    started = time.monotonic()
    network = Network(options.backend)
    try:
        with network:
            tell(narrator, network, options.collections)
        status = 0
    except CommandFailed as error:
        narrator.say()
        narrator.say(error.sentence, RED)
        narrator.say("It printed:")
        narrator.say(error.output.rstrip() or "nothing")
        status = 1
    except LabError as error:
        narrator.say()
        narrator.say(str(error), RED)
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

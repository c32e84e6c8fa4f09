# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of the molecule scenarios: a hub and two spokes in network namespaces, all connected (see tests/lab).

`network.py up FOLDER` starts a process that keeps it, and leaves its inventory in the folder; `network.py down FOLDER` ends that
process, which takes everything down, and removes the folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from lab import LabError, Network, Terminated, star, wait_for, write_inventory

PATIENCE = 60.0  # seconds to build the network, or to take it down; it takes two


def up(folder: Path) -> None:
    down(folder)
    folder.mkdir(parents=True)
    with (folder / "log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, __file__, "keep", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / "pid").write_text(str(keeper.pid), encoding="ascii")

    def built() -> bool:
        if keeper.poll() is not None:
            raise LabError(f"The network could not be built: {(folder / 'log').read_text()}")
        return (folder / "inventory.json").exists()

    wait_for(built, PATIENCE, "the network to be built")


def keep(folder: Path) -> None:
    """Builds the network and waits for SIGTERM."""
    with Network() as network:
        star(network, ["east", "west"], keepalive=25, preshared=False).shake_hands()
        inventory = write_inventory(network, groups={"gateways": ["hub", "east", "west"]})
        unfinished = folder / "inventory.part"
        shutil.copy(inventory, unfinished)
        unfinished.rename(folder / "inventory.json")
        while True:
            signal.pause()


def down(folder: Path) -> None:
    """Nothing to do is fine."""
    try:
        pid = int((folder / "pid").read_text(encoding="ascii"))
        process = Path("/proc", str(pid), "cmdline")
        # The number may belong to somebody else by now.
        if str(folder).encode() in process.read_bytes().split(b"\0"):
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not runs(process), PATIENCE, "the network to be taken down")
    except (FileNotFoundError, ProcessLookupError):
        pass
    shutil.rmtree(folder, ignore_errors=True)


def runs(cmdline: Path) -> bool:
    """Whether the process runs: one that ended and that nobody waited for has no command line."""
    try:
        return bool(cmdline.read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    try:
        {"up": up, "keep": keep, "down": down}[sys.argv[1]](Path(sys.argv[2]))
    except Terminated:
        pass
    except LabError as error:
        sys.exit(str(error))

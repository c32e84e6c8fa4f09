# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The others: programs that are built from the registries, where there is a toolchain."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEARCH_PATH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), str(Path.home() / ".cargo" / "bin"), "/usr/local/go/bin"]
)


class NotBuilt(Exception):
    """A sentence that says what is missing."""


def nlink(folder: Path) -> Path:
    """nlink 0.19.0 is written for Rust 1.95 or later."""
    target = folder / "nlink"
    command = ["build", "--release", "--locked", "--quiet", "--manifest-path", str(HERE / "nlink" / "Cargo.toml")]
    _build("cargo", [*command, "--target-dir", str(target)], HERE)
    return target / "release" / "nlink-poll"


def wgctrl(folder: Path) -> Path:
    program = folder / "wgctrl-poll"
    _build("go", ["build", "-o", str(program), "."], HERE / "wgctrl")
    return program


def _build(tool: str, arguments: list[str], where: Path) -> None:
    path = shutil.which(tool, path=SEARCH_PATH)
    if path is None:
        raise NotBuilt(f"there is no {tool}")
    environment = {**os.environ, "PATH": SEARCH_PATH, "CGO_ENABLED": "0"}
    done = subprocess.run(
        [path, *arguments],
        cwd=where,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stdout.strip().splitlines()[-1:] or ["it said nothing"]
        raise NotBuilt(f"{tool} could not build it: {last[0]}")


YARDSTICKS = {"nlink 0.19.0": nlink, "wgctrl-go": wgctrl}

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is small enough to be full at once."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .commands import LabError


@contextmanager
def tiny_disk(folder: Path, size: str = "256k") -> Iterator[Path]:
    """A file system of this size, mounted at `folder`, which is made, until the block ends."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "ww-tiny", str(folder)], check=True)
    try:
        yield folder
    finally:
        # Lazily: who still has a file open there must not keep it.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leaves not a byte of it. The file to remove so that there is room again."""
    stuffing = disk / "stuffing"
    try:
        with stuffing.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1024))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise LabError(f"{disk} can't be filled: {error.strerror}") from None
    return stuffing

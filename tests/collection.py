# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as a user gets it: built from the checkout and installed into a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def make_importable(folder: Path) -> Path:
    """A folder for sys.path, in `folder`, in which the checkout is ansible_collections.wirewatch.wireguard."""
    place = folder / "ansible_collections" / "wirewatch"
    place.mkdir(parents=True)
    (place / "wireguard").symlink_to(CHECKOUT)
    return folder


def build(folder: Path) -> Path:
    """Build the tarball into `folder` and return its path."""
    _galaxy("build", str(CHECKOUT), "--output-path", str(folder), "--force")
    (tarball,) = folder.glob("wirewatch-wireguard-*.tar.gz")
    return tarball


def install(folder: Path) -> Path:
    """Build and install; return the path that is to stand in ANSIBLE_COLLECTIONS_PATH. Nothing is downloaded."""
    folder.mkdir(parents=True, exist_ok=True)
    tarball = build(folder)
    _galaxy("install", str(tarball), "--collections-path", str(folder), "--offline", "--force")
    tarball.unlink()
    return folder


def _galaxy(*arguments: str) -> None:
    """ansible-galaxy of the same environment as this Python."""
    command = [sys.executable, str(Path(sys.executable).with_name("ansible-galaxy")), "collection", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_COLLECTIONS")}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, check=False
    )
    if done.returncode:
        raise RuntimeError(f"ansible-galaxy collection {arguments[0]} failed:\n{done.stdout}")

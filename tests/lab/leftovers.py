# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a network is gone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .network import NETNS_FOLDER
from .wireguard import SOCKET_FOLDER


def traces(run_id: str) -> list[str]:
    """Everything on this machine that carries the run id of a network: namespaces, sockets, files and processes."""
    namespaces = [f"namespace {path.name}" for path in NETNS_FOLDER.glob(f"ww-{run_id}-*")]
    sockets = [f"socket {path}" for path in SOCKET_FOLDER.glob(f"ww{run_id}*")]
    files = [f"file {path}" for path in Path(tempfile.gettempdir()).glob(f"ww-{run_id}*")]
    processes = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # ended while we looked
        if f"ww{run_id}" in command or f"ww-{run_id}" in command:
            processes.append(f"process {path.parent.name}: {command.strip()}")
    return namespaces + sockets + files + processes

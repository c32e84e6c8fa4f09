# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service tells systemd, over the real kind of socket."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._service import Service


def told(sock: socket.socket) -> list[str]:
    sock.setblocking(False)
    found = []
    while True:
        try:
            found.append(sock.recv(100).decode())
        except BlockingIOError:
            return found


@pytest.mark.parametrize("abstract", [False, True])
def test_it_says_once_that_it_is_ready_and_then_that_it_lives(
    abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"@ww-{secrets.token_hex(4)}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:] if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        service = Service()
        service.alive()
        service.alive()
        service.stopping()
        assert told(sock) == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


@pytest.mark.parametrize("address", [None, "", "relative", "/nobody/listens"])
def test_where_nobody_listens_it_goes_on(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    service = Service()
    service.alive()
    service.stopping()

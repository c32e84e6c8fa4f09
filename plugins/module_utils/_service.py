# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service tells the one who started it (sd_notify(3)): that it runs, that it lives, that it ends."""

from __future__ import annotations

import os
import socket

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


class Service:
    """Says nothing where nobody wants to know. No failure of it is one of the service's."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._ready = False

    def alive(self) -> None:
        """To be called again and again, and more often than the watchdog's time."""
        if not self._ready:
            self._ready = True
            self._tell(READY)
        self._tell(ALIVE)

    def stopping(self) -> None:
        self._tell(STOPPING)

    def _tell(self, state: str) -> None:
        if self._address[:1] not in ("/", "@"):
            return
        # A name that begins with @ is in no file system (unix(7), abstract).
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.connect(address)
                sock.send(state.encode("ascii"))
        except OSError:
            pass

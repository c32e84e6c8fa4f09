# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network namespace whose kernel tells of changes of links: for who reads on and on, and sleeps in between."""

from __future__ import annotations

import itertools
import socket
from typing import Optional

from ._netns import Namespace

RTMGRP_LINK = 0x1  # linux/rtnetlink.h
DRAIN_BYTES = 64 * 1024


class ListeningNamespace(Namespace):
    """Listens from when it is first asked for its ``link_socket``."""

    def __init__(self, netns: Optional[str]) -> None:
        super().__init__(netns)
        self._link_socket: Optional[socket.socket] = None
        self._numbers = itertools.count()

    def close(self) -> None:
        super().close()
        if self._link_socket is not None:
            self._link_socket.close()
        self._link_socket = self.link_changes = None

    def link_socket(self) -> socket.socket:
        """A non-blocking socket on which the kernel tells of every change of a link (rtnetlink(7), RTMGRP_LINK).

        What it tells is not decoded: that there is something to read is reason enough to look. It is for ``hear_of_links`` to
        read, before anything is read of interfaces.
        """
        if self._link_socket is None:
            self._link_socket = self.run(_open_link_socket)
            self.link_changes = next(self._numbers)
        return self._link_socket

    def hear_of_links(self) -> None:
        """Takes what the kernel told of changes of links."""
        drain(self.link_socket())
        self.link_changes = next(self._numbers)


def drain(sock: socket.socket) -> None:
    """Takes all that is there. A lost notification (ENOBUFS) is a sign as good as any."""
    try:
        while sock.recv(DRAIN_BYTES):
            pass
    except OSError:
        pass


def _open_link_socket() -> socket.socket:
    sock = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
    )
    sock.bind((0, RTMGRP_LINK))
    return sock

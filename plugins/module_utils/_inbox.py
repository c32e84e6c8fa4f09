# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a netlink socket receives, one datagram after the other."""

from __future__ import annotations

import socket
from typing import Sequence, Tuple

RECEIVE_BUFFER = 64 * 1024  # bytes; a dump message grows to at most 32 KiB, and a smaller buffer truncates it
MSG_TRUNC, MSG_DONTWAIT = (
    int(socket.MSG_TRUNC),
    int(socket.MSG_DONTWAIT),
)  # as flags of an enum they cost 2 us each time
_ZEROS = memoryview(bytes(RECEIVE_BUFFER))

Arrived = Tuple[bytearray, int, int, int]  # a datagram: where it is, bytes, flags, port of its sender


class Inbox:
    """Receives one datagram after the other, into one buffer: what is received and recognised is never copied.

    ``Recvmmsg`` (``_recvmmsg.py``) is the one for who reads on and on.
    """

    room = RECEIVE_BUFFER

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray(self.room)
        self._filled = 0  # bytes of it

    def receive(self) -> Sequence[Arrived]:
        """What is there, one at least; it is valid until the next call. BlockingIOError after the socket's time-out."""
        size, _ancillary, flags, sender = self._socket.recvmsg_into([self._buffer])
        if size > self._filled:
            self._filled = size
        return ((self._buffer, size, flags, sender[0]),)

    def is_empty(self) -> bool:
        """Whether nothing more is there."""
        try:
            self._socket.recv_into(self._buffer, 1, MSG_DONTWAIT)
        except BlockingIOError:
            return True
        return False

    def forget(self) -> None:
        """Empties the buffer, as far as it was written to: it held keys."""
        erase(self._buffer, self._filled)
        self._filled = 0


def erase(buffer: bytearray, size: int) -> None:
    with memoryview(buffer) as view:
        view[:size] = _ZEROS[:size]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a netlink socket receives, one datagram after the other."""

from __future__ import annotations

import socket
from typing import Optional, Sequence, Tuple

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
        self._buffer = self.buffer()
        self._filled = 0  # bytes of it, before what came last
        self._size = 0  # bytes of that, 0 where it holds no secret

    def receive(self) -> Sequence[Arrived]:
        """What is there, one at least; it is valid until the next call. BlockingIOError after the socket's time-out."""
        self._filled = max(self._filled, self._size)
        self._size, _ancillary, flags, sender = self._socket.recvmsg_into([self._buffer])
        return ((self._buffer, self._size, flags, sender[0]),)

    def is_empty(self) -> bool:
        """Whether nothing more is there."""
        try:
            self._socket.recv_into(self._buffer, 1, MSG_DONTWAIT)
        except BlockingIOError:
            return True
        return False

    def is_clean(self, place: int, spare: Optional[bytearray] = None) -> None:
        """The datagram that came ``place``th at the last call holds no secret any more.

        With ``spare``, a clean buffer of this inbox, that one's is taken away: that is received into from then on.
        """
        self._size = 0
        if spare is not None:
            self._buffer = spare

    @classmethod
    def buffer(cls) -> bytearray:
        """One to receive into."""
        return bytearray(cls.room)

    def forget(self) -> None:
        """Empties the buffer, as far as it was written to: it held keys."""
        if self._filled or self._size:
            erase(self._buffer, max(self._filled, self._size))
            self._filled = self._size = 0


def erase(buffer: bytearray, size: int) -> None:
    with memoryview(buffer) as view:
        view[:size] = _ZEROS[:size]

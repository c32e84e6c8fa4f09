# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a netlink socket receives."""

from __future__ import annotations

import socket
from typing import NamedTuple, Tuple

RECEIVE_BUFFER = 64 * 1024  # bytes; a dump message grows to at most 32 KiB, and a smaller buffer truncates it
MSG_TRUNC, MSG_DONTWAIT = (
    int(socket.MSG_TRUNC),
    int(socket.MSG_DONTWAIT),
)  # as flags of an enum they cost 2 us each time
_ZEROS = memoryview(bytes(RECEIVE_BUFFER))


class Shape(NamedTuple):
    """Of datagrams that came with one call: bytes of the buffer, and of each its bytes, its flags and the port of its sender."""

    buffer: int
    sizes: Tuple[int, ...]
    flags: Tuple[int, ...]
    senders: Tuple[int, ...]


class Inbox:
    """Receives one datagram after the other, into one buffer: what is received and recognised is never copied.

    What came last is in ``buffer``, each datagram ``room`` bytes behind the one before, and ``shape`` describes it. Whoever is
    done with it erases it, where it may hold a secret.

    ``Recvmmsg`` (``_recvmmsg.py``) is the one for who reads on and on.
    """

    room = RECEIVE_BUFFER
    shape: Shape

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.buffer = self.new_buffer(self.room)

    def receive(self) -> None:
        """What is there, one at least; it is valid until the next call. BlockingIOError after the socket's time-out."""
        size, _ancillary, flags, sender = self._socket.recvmsg_into([self.buffer])
        self.shape = Shape(len(self.buffer), (size,), (flags,), (sender[0],))

    def is_empty(self) -> bool:
        """Whether nothing more is there."""
        try:
            self._socket.recv_into(self.buffer, 1, MSG_DONTWAIT)
        except BlockingIOError:
            return True
        return False

    def erase(self) -> None:
        """What came last is zeros from now on."""
        with memoryview(self.buffer) as view:
            for number, size in enumerate(self.shape.sizes):
                start = number * self.room
                view[start : start + size] = _ZEROS[:size]

    def exchange(self, spare: bytearray) -> None:
        """The buffer is taken away; into that one, of this inbox and as large, is received from now on."""
        self.buffer = spare

    def make_room(self, count: int) -> int:
        """For a dump of so many datagrams, where none has begun; bytes of the buffer then."""
        return len(self.buffer)

    @classmethod
    def new_buffer(cls, size: int) -> bytearray:
        """One to receive into."""
        return bytearray(size)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a netlink socket receives."""

from __future__ import annotations

import socket
from typing import NamedTuple, Optional, Tuple

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


class Arrived(NamedTuple):
    """Datagrams that came with one call, each ``room`` bytes behind the one before."""

    buffer: bytearray
    shape: Shape


class Inbox:
    """Receives one datagram after the other, into one buffer: what is received and recognised is never copied.

    ``Recvmmsg`` (``_recvmmsg.py``) is the one for who reads on and on.
    """

    room = RECEIVE_BUFFER

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = self.buffer(self.room)
        self._filled = [0]  # bytes that hold secrets, for each datagram, before what came last
        self._last: Tuple[int, ...] = ()  # bytes of that; nothing where it holds no secret

    def receive(self) -> Arrived:
        """What is there, one at least; it is valid until the next call. BlockingIOError after the socket's time-out."""
        self._note_filled()
        size, _ancillary, flags, sender = self._socket.recvmsg_into([self._buffer])
        return self._arrived((size,), (flags,), (sender[0],))

    def _arrived(self, sizes: Tuple[int, ...], flags: Tuple[int, ...], senders: Tuple[int, ...]) -> Arrived:
        self._last = sizes
        return Arrived(self._buffer, Shape(len(self._buffer), sizes, flags, senders))

    def is_empty(self) -> bool:
        """Whether nothing more is there."""
        try:
            self._socket.recv_into(self._buffer, 1, MSG_DONTWAIT)
        except BlockingIOError:
            return True
        return False

    def is_clean(self, spare: Optional[bytearray] = None) -> None:
        """What came at the last call holds no secret any more.

        With ``spare``, a clean buffer of this inbox and as large, the buffer is taken away: that is received into from then on.
        """
        self._last = ()
        if spare is not None:
            self._buffer = spare

    @classmethod
    def buffer(cls, size: int) -> bytearray:
        """One to receive into."""
        return bytearray(size)

    @classmethod
    def next_size(cls, size: int, count: int) -> int:
        """Bytes of the buffer that a dump is received into, after one of so many datagrams and a buffer of that size."""
        return size

    def forget(self) -> None:
        """Empties the buffer, as far as it was written to: it held keys. With it a dump ends."""
        self._note_filled()
        if any(self._filled):
            for number, size in enumerate(self._filled):
                erase(self._buffer, number * self.room, size)
            self._filled = [0] * len(self._filled)

    def _note_filled(self) -> None:
        if self._last:
            self._filled[: len(self._last)] = map(max, self._filled, self._last)
            self._last = ()


def erase(buffer: bytearray, start: int, size: int) -> None:
    with memoryview(buffer) as view:
        view[start : start + size] = _ZEROS[:size]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many datagrams of a dump for one system call: recvmmsg(2), which the standard library has not.

The kernel writes the next datagram of a dump while it hands out the one before (``net/netlink/af_netlink.c``, netlink_recvmsg),
so the next is there at once, and a call that comes back with fewer than there was room for has seen that no more are.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Any, List, Optional, Sequence

from ._inbox import Arrived, Inbox, erase

try:
    import ctypes
except ImportError:  # a Python that was built without libffi: some managed nodes have one
    ctypes = None  # type: ignore[assignment]

FEW, MANY = 2, 16  # datagrams at once: at first, and at most

MSG_WAITFORONE = 0x10000  # wait for the first only
IOVEC = struct.Struct("@PN")  # where, bytes
# msghdr: name, its bytes, iovec, their number, control, its bytes, flags; bytes
MMSGHDR = struct.Struct("@PIPNPNi0PI0P")
FLAGS_AT, BYTES_AT = struct.calcsize("@PIPNPN0i"), struct.calcsize("@PIPNPNi0P")
FLAGS_AND_BYTES = struct.Struct("=%dxi%dxI%dx" % (FLAGS_AT, BYTES_AT - FLAGS_AT - 4, MMSGHDR.size - BYTES_AT - 4))
SOCKADDR_NL = struct.Struct("=HHII")  # family, pad, port, groups
PORT = struct.Struct("=4xI4x")  # of that


class _Buffer(bytearray):
    """What a datagram is received into. ``vector`` is what the call is told of it."""

    __slots__ = ("vector",)

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.vector = IOVEC.pack(_address(self), size) if ctypes is not None else b""


class Recvmmsg(Inbox):
    """Receives what is there of a dump, as far as it has buffers. Of those it has as many as the dumps wanted so far."""

    room = 32 * 1024  # bytes, as many as datagrams of a dump grow to: the kernel makes none that would not go into it

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._call = _find_call()
        self._may = self._call is not None  # some sandboxes know the calls of the standard library only
        self._buffers: List[Any] = [self._buffer]
        self._filled_to = [0]  # bytes of each, before what came at the last call
        self._sizes = [0]  # bytes of that, 0 where it holds no secret
        self._exchanged = False  # whether some are others than the call was told of
        self._full = not self._may  # whether the last call might have left something
        if self._may:
            self._make_room(FEW)

    def receive(self) -> Sequence[Arrived]:
        return (self._may and self._receive_together()) or super().receive()

    def _receive_together(self) -> Sequence[Arrived]:
        """Nothing where the call may not be made here."""
        if self._full and len(self._buffers) < MANY:
            self._make_room(min(2 * len(self._buffers), MANY))
        if self._exchanged:
            self._vectors[:] = b"".join([buffer.vector for buffer in self._buffers])
            self._exchanged = False
        self._filled_to[:] = map(max, self._filled_to, self._sizes)
        count = self._receive_some()
        self._full = count in (0, len(self._buffers))
        headers = FLAGS_AND_BYTES.iter_unpack(self._headers)
        arrived = [
            (buffer, size, flags, port)
            for _number, buffer, (flags, size), (port,) in zip(
                range(count), self._buffers, headers, PORT.iter_unpack(self._senders)
            )
        ]
        self._sizes[:count] = [size for _buffer, size, _flags, _port in arrived]
        return arrived

    def is_empty(self) -> bool:
        return not self._full or super().is_empty()

    def is_clean(self, place: int, spare: Optional[bytearray] = None) -> None:
        if place == 0:
            super().is_clean(place, spare)
        self._sizes[place] = 0
        if spare is not None:
            self._buffers[place] = spare
            self._exchanged = True

    @classmethod
    def buffer(cls) -> bytearray:
        return _Buffer(cls.room)

    def forget(self) -> None:
        super().forget()
        for number, size in enumerate(map(max, self._filled_to, self._sizes)):
            if size:
                erase(self._buffers[number], size)
                self._filled_to[number] = self._sizes[number] = 0

    def _receive_some(self) -> int:
        """How many; 0 where the call may not be made here."""
        descriptor, headers = self._socket.fileno(), self._address_of_headers
        while True:
            count: int = self._call(descriptor, headers, len(self._buffers), MSG_WAITFORONE, None)
            if count >= 0:
                return count
            error = ctypes.get_errno()
            if error in (errno.ENOSYS, errno.EPERM):
                self._may = False
                return 0
            if error != errno.EINTR:  # else Python runs its handlers of signals before the next call (PEP 475)
                raise OSError(error, os.strerror(error))

    def _make_room(self, count: int) -> None:
        """For so many datagrams. Nothing of what came before is valid then."""
        more = count - len(self._buffers)
        self._buffers += [_Buffer(self.room) for _number in range(more)]
        self._filled_to += [0] * more
        self._sizes += [0] * more
        self._senders = bytearray(count * SOCKADDR_NL.size)
        self._vectors = bytearray().join([buffer.vector for buffer in self._buffers])
        senders, vectors = _address(self._senders), _address(self._vectors)
        self._headers = bytearray()
        for number in range(count):
            sender, vector = senders + number * SOCKADDR_NL.size, vectors + number * IOVEC.size
            self._headers += MMSGHDR.pack(sender, SOCKADDR_NL.size, vector, 1, 0, 0, 0, 0)
        self._address_of_headers = _address(self._headers)


def _find_call() -> Any:
    """recvmmsg of the C library; None where there is no way to it."""
    if ctypes is None:
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).recvmmsg
    except (OSError, AttributeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
    return call


def _address(buffer: bytearray) -> int:
    """Of its first byte, until it is resized, which none is here."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))

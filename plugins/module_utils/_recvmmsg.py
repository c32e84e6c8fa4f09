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
from typing import Any

from ._inbox import Inbox, Shape

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
FLAGS_AND_BYTES = "%dxi%dxI%dx" % (FLAGS_AT, BYTES_AT - FLAGS_AT - 4, MMSGHDR.size - BYTES_AT - 4)  # of that
SOCKADDR_NL = struct.Struct("=HHII")  # family, pad, port, groups
PORT = "4xI4x"  # of that


class _Buffer(bytearray):
    """What datagrams are received into. ``vectors`` are what the call is told of it."""

    __slots__ = ("vectors",)

    def __init__(self, size: int, room: int) -> None:
        super().__init__(size)
        if ctypes is not None:
            begin = _address(self)
            self.vectors = b"".join([IOVEC.pack(begin + start, room) for start in range(0, size, room)])


class Recvmmsg(Inbox):
    """Receives what is there of a dump, as far as its buffer has room."""

    room = 32 * 1024  # bytes, as many as datagrams of a dump grow to: the kernel makes none that would not go into it

    buffer: _Buffer

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._call = _find_call()
        self._may = self._call is not None  # some sandboxes know the calls of the standard library only
        self._full = not self._may  # whether the last call might have left something
        if self._may:
            self._begin(FEW)

    def receive(self) -> None:
        if not (self._may and self._receive_together()):
            super().receive()

    def is_empty(self) -> bool:
        return not self._full or super().is_empty()

    def exchange(self, spare: bytearray) -> None:
        self.buffer = spare  # type: ignore[assignment]
        if self._may:
            self._vectors[:] = self.buffer.vectors

    def make_room(self, count: int) -> int:
        """Such that one call receives it and sees that no more is there, up to ``MANY``."""
        size = self.enough(len(self.buffer), count)
        if self._may and size > len(self.buffer):
            self._begin(size // self.room)
        return len(self.buffer)

    @classmethod
    def enough(cls, size: int, count: int) -> int:
        """Bytes of a buffer for so many datagrams and one more, up to ``MANY``; none smaller than there is."""
        while size <= count * cls.room and size < MANY * cls.room:
            size *= 2
        return size

    @classmethod
    def new_buffer(cls, size: int) -> bytearray:
        return _Buffer(size, cls.room)

    def _receive_together(self) -> bool:
        """Whether the call may be made here."""
        count = self._receive_some()
        self._full = count in (0, self._count)
        if not count:
            self._begin(1)
            return False
        flags_and_bytes = self._flags_and_bytes.unpack_from(self._headers)
        ports = self._ports.unpack_from(self._senders)
        last = 2 * count
        self.shape = Shape(len(self.buffer), flags_and_bytes[1:last:2], flags_and_bytes[:last:2], ports[:count])
        return True

    def _receive_some(self) -> int:
        """How many; 0 where the call may not be made here."""
        descriptor, headers = self._socket.fileno(), self._address_of_headers
        while True:
            count: int = self._call(descriptor, headers, self._count, MSG_WAITFORONE, None)
            if count >= 0:
                return count
            error = ctypes.get_errno()
            if error in (errno.ENOSYS, errno.EPERM):
                self._may = False
                return 0
            if error != errno.EINTR:  # else Python runs its handlers of signals before the next call (PEP 475)
                raise OSError(error, os.strerror(error))

    def _begin(self, count: int) -> None:
        """With room for so many datagrams."""
        self._count = count
        self.buffer = _Buffer(count * self.room, self.room)
        self._senders = bytearray(count * SOCKADDR_NL.size)
        self._vectors = bytearray(self.buffer.vectors)
        senders, vectors = _address(self._senders), _address(self._vectors)
        self._headers = bytearray()
        for number in range(count):
            sender, vector = senders + number * SOCKADDR_NL.size, vectors + number * IOVEC.size
            self._headers += MMSGHDR.pack(sender, SOCKADDR_NL.size, vector, 1, 0, 0, 0, 0)
        self._address_of_headers = _address(self._headers)
        self._flags_and_bytes = struct.Struct("=" + count * FLAGS_AND_BYTES)
        self._ports = struct.Struct("=" + count * PORT)


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

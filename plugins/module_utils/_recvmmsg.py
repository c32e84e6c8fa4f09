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
from typing import Any, Sequence

from ._inbox import Arrived, Inbox, erase

try:
    import ctypes
except ImportError:  # a Python that was built without libffi: some managed nodes have one
    ctypes = None  # type: ignore[assignment]

FEW, MANY = 2, 16  # datagrams at once: at first, and at most

MSG_WAITFORONE = 0x10000  # wait for the first only
IOVEC = struct.Struct("@PN")  # where, bytes
MMSGHDR = struct.Struct(
    "@PIPNPNi0PI0P"
)  # msghdr: name, its bytes, iovec, their number, control, its bytes, flags; bytes
SOCKADDR_NL = struct.Struct("=HHII")  # family, pad, port, groups


class Recvmmsg(Inbox):
    """Receives what is there of a dump, as far as it has buffers. Of those it has as many as the dumps wanted so far."""

    room = 32 * 1024  # bytes, as many as datagrams of a dump grow to: the kernel makes none that would not go into it

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._call = _find_call()
        self._may = self._call is not None  # some sandboxes know the calls of the standard library only
        self._buffers = [self._buffer]
        self._filled_to = [0]  # bytes of each
        self._full = not self._may  # whether the last call might have left something
        if self._may:
            self._make_room(FEW)

    def receive(self) -> Sequence[Arrived]:
        return (self._may and self._receive_together()) or super().receive()

    def _receive_together(self) -> Sequence[Arrived]:
        """Nothing where the call may not be made here."""
        if self._full and len(self._buffers) < MANY:
            self._make_room(min(2 * len(self._buffers), MANY))
        count = self._receive_some()
        self._full = count in (0, len(self._buffers))
        headers = memoryview(self._headers)[: count * MMSGHDR.size]
        senders = memoryview(self._senders)[: count * SOCKADDR_NL.size]
        arrived = [
            (buffer, size, flags, port)
            for buffer, (*_pointers, flags, size), (_family, _pad, port, _groups) in zip(
                self._buffers, MMSGHDR.iter_unpack(headers), SOCKADDR_NL.iter_unpack(senders)
            )
        ]
        for number, (_buffer, size, _flags, _port) in enumerate(arrived):
            if size > self._filled_to[number]:
                self._filled_to[number] = size
        return arrived

    def is_empty(self) -> bool:
        return not self._full or super().is_empty()

    def forget(self) -> None:
        super().forget()
        for number, (buffer, size) in enumerate(zip(self._buffers, self._filled_to)):
            if size:
                erase(buffer, size)
                self._filled_to[number] = 0

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
        self._buffers += [bytearray(self.room) for _number in range(more)]
        self._filled_to += [0] * more
        self._senders = bytearray(count * SOCKADDR_NL.size)
        self._vectors = bytearray().join([IOVEC.pack(_address(buffer), self.room) for buffer in self._buffers])
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

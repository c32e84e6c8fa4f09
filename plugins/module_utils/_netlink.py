# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlink requests and dumps over the standard library's AF_NETLINK socket.

A dump counts only as a whole: whatever makes it doubtful (an interruption, a truncated datagram, a stranger's message, a
missing end) raises, and the caller throws the socket away, since an unfinished dump left open blocks ``ip link del``.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from itertools import count
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Type, TypeVar

from ._errors import MalformedReply, Temporary
from ._inbox import MSG_TRUNC, Inbox

NETLINK_GENERIC = 16
RECEIVE_TIMEOUT = 5.0  # seconds for one datagram: the kernel answers at once, but may wait for the RTNL lock
DUMP_TIMEOUT = 60.0  # seconds for a whole dump
DUMP_BYTES = 1 << 30  # one million peers are about 300 MB
DUMP_IDLE_MESSAGES = 64  # consecutive messages without payload
BEHIND_ITS_END = "The kernel's answer goes on behind its end"
ATTEMPTS = 6  # a writer in a loop interrupts most dumps; what is left after these is for the next look
BACKOFF = 0.01  # seconds, doubled with each attempt: 0.31 s in all

NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN = 1, 2, 3, 4
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x01, 0x04, 0x10, 0x300
NLA_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER

GENL_ID_CTRL = 16
CTRL_CMD_GETFAMILY = 3
CTRL_ATTR_FAMILY_ID = 1
CTRL_ATTR_FAMILY_NAME = 2

MESSAGE_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
GENERIC_HEADER = struct.Struct("=BBH")  # genlmsghdr: command, version, reserved
ATTRIBUTE_HEADER = struct.Struct("=HH")  # nlattr: length, type
ERROR_CODE = struct.Struct("=i")
MAX_ERRNO = 4095  # include/linux/err.h

Attribute = Tuple[int, int, int]  # type, first byte, byte after the last


class Datagram(NamedTuple):
    """One datagram of an answer. ``messages`` are (first byte of the attributes, byte after the last)."""

    data: bytes
    messages: Tuple[Tuple[int, int], ...]
    ends: bool  # whether the answer ends with it


Result = TypeVar("Result")
Socket = TypeVar("Socket", bound="Netlink")

# An answer: datagrams, and in the place of some what they were recognised as, which says as they do whether the answer ``ends``.
Answer = List[Any]

# Given what came of an answer, call by call; None where it is not known. Of what is recognised no secret is left in the inbox.
Recognise = Callable[[Inbox], Any]


def attributes(buffer: bytes, start: int, stop: int) -> Iterator[Attribute]:
    """The netlink attributes between two offsets. MalformedReply, with the offset, where a length does not fit."""
    unpack = ATTRIBUTE_HEADER.unpack_from
    while stop - start >= 4:
        length, kind = unpack(buffer, start)
        if length < 4 or start + length > stop:
            raise MalformedReply(
                "The kernel's answer has an attribute of %d bytes at offset %d, where %d are left"
                % (length, start, stop - start)
            )
        yield kind & NLA_TYPE_MASK, start + 4, start + length
        start += (length + 3) & ~3
    if start < stop:
        raise MalformedReply("The kernel's answer ends with %d stray bytes at offset %d" % (stop - start, start))


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute as bytes, padded."""
    length = 4 + len(payload)
    return ATTRIBUTE_HEADER.pack(length, kind) + payload + b"\0" * (-length % 4)


def repeated(read: Callable[[], Result], where: str, sleep: Callable[[float], None] = time.sleep) -> Result:
    """What ``read`` returns, called again while it raises Temporary. ``where`` is what the sentence of the last one ends with."""
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(BACKOFF * 2 ** (attempt - 1))
        try:
            return read()
        except Temporary as error:
            reason = str(error)
    raise Temporary("%s, %d times in a row, for %s" % (reason, ATTEMPTS, where))


class Netlink:
    """One open netlink socket. Takes ownership of ``sock``; after any exception it is to be closed."""

    protocol: int
    header_size: int  # bytes of a message between nlmsghdr and the attributes
    subject: str  # what is read, in a sentence that begins with it

    def __init__(self, sock: socket.socket, inbox: Type[Inbox] = Inbox) -> None:
        self._socket = sock
        self._inbox = inbox(sock)
        # Not settimeout: with that, Python asks the kernel twice for each datagram.
        seconds, rest = divmod(RECEIVE_TIMEOUT, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", int(seconds), int(rest * 1e6)))
        self._port = sock.getsockname()[0]
        # The same for all requests, so that equal answers are equal bytes. None is taken for another's: each is received to its
        # end, behind which is nothing, or the socket is closed.
        self._sequence = int.from_bytes(os.urandom(4), "big")

    @classmethod
    def open(cls: Type[Socket], inbox: Type[Inbox] = Inbox) -> Socket:
        """A bound socket in the network namespace of the calling thread."""
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, cls.protocol)
        try:
            sock.bind((0, 0))
            return cls(sock, inbox)
        except BaseException:
            sock.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def request_dump(self, kind: int, body: bytes, answer: int, recognise: Optional[Recognise] = None) -> Answer:
        """A dump, whole: ``kind`` and ``answer`` are the types of the request and of the messages that answer it.

        ``recognise`` is given the datagrams as they come: what it knows is not looked into again. Raises OSError with the
        kernel's errno, Temporary where the answer is not whole, MalformedReply.
        """
        self._send(kind, NLM_F_REQUEST | NLM_F_DUMP, body)
        whole = self._receive(answer, recognise)
        # What came behind an end would be taken for a part of the next answer: all requests have one sequence number.
        if not self._inbox.is_empty():
            raise Temporary(BEHIND_ITS_END)
        return whole

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        header = MESSAGE_HEADER.pack(MESSAGE_HEADER.size + len(body), kind, flags, self._sequence, self._port)
        self._socket.send(header + body)

    def _receive(self, answer: int, recognise: Optional[Recognise] = None) -> Answer:
        """The answer to the current request up to its end: DONE, or the error message that acknowledges it."""
        inbox = self._inbox
        whole: Answer = []
        bounds: Optional[_Bounds] = None
        while not whole or not whole[-1].ends:
            try:
                inbox.receive()
            except BlockingIOError:
                raise Temporary("The kernel did not answer within %g s" % RECEIVE_TIMEOUT) from None
            known = None
            try:
                known = recognise(inbox) if recognise is not None else None
                if known is None:
                    bounds = bounds or _Bounds()
                    self._take(answer, whole, bounds)
                else:
                    whole.append(known)
            finally:
                if known is None:
                    inbox.erase()
        return whole

    def _take(self, answer: int, whole: Answer, bounds: _Bounds) -> None:
        """Adds the datagrams that came, where none of them is doubtful."""
        inbox = self._inbox
        shape = inbox.shape
        bounds.add(shape.sizes)
        with memoryview(inbox.buffer) as view:
            for start, size, flags, sender in zip(count(step=inbox.room), shape.sizes, shape.flags, shape.senders):
                if sender != 0:
                    raise Temporary("A message of process %d came in place of the kernel's answer" % sender)
                if flags & MSG_TRUNC:
                    raise Temporary("The kernel's answer did not fit into %d bytes" % inbox.room)
                if whole and whole[-1].ends:
                    raise Temporary(BEHIND_ITS_END)
                datagram = self._datagram(bytes(view[start : start + size]), answer)
                bounds.add_messages(datagram.messages)
                whole.append(datagram)

    def _datagram(self, data: bytes, answer: int) -> Datagram:
        messages: List[Tuple[int, int]] = []
        for kind, start, stop in self._messages(data):
            if kind in (NLMSG_DONE, NLMSG_ERROR):
                code = ERROR_CODE.unpack_from(data, start)[0] if stop - start >= 4 else 0
                if code > 0 or code < -MAX_ERRNO:
                    raise MalformedReply("The kernel's answer ends with %d, which is no error code" % code)
                if code:
                    raise OSError(-code, os.strerror(-code))
                return Datagram(data, tuple(messages), ends=True)
            if kind == NLMSG_NOOP:
                continue
            if kind != answer or stop - start < self.header_size:
                raise MalformedReply("The kernel's answer has a message of type %d where %d is due" % (kind, answer))
            messages.append((start + self.header_size, stop))
        return Datagram(data, tuple(messages), ends=False)

    def _messages(self, datagram: bytes) -> Iterator[Tuple[int, int, int]]:
        """(type, first byte of the payload, byte after it) of each message in a datagram; none that is doubtful."""
        offset, end = 0, len(datagram)
        while offset < end:
            if end - offset < MESSAGE_HEADER.size:
                raise MalformedReply("The kernel's answer ends in mid-header, at offset %d" % offset)
            length, kind, flags, sequence, port = MESSAGE_HEADER.unpack_from(datagram, offset)
            if length < MESSAGE_HEADER.size or offset + length > end:
                raise MalformedReply("The kernel's answer has a message of %d bytes at offset %d" % (length, offset))
            if sequence != self._sequence or port != self._port:
                raise Temporary("A message of another request came in place of the kernel's answer")
            if flags & NLM_F_DUMP_INTR:
                raise Temporary("%s was changed while it was read (NLM_F_DUMP_INTR)" % self.subject)
            if kind == NLMSG_OVERRUN:
                raise Temporary("The kernel lost a part of its answer (NLMSG_OVERRUN)")
            yield kind, offset + MESSAGE_HEADER.size, offset + length
            offset += (length + 3) & ~3


class _Bounds:
    """What an answer may take: of what is recognised there is never more than there was of the last one."""

    def __init__(self) -> None:
        self._datagrams = self._bytes = self._idle = 0
        self._deadline = 0.0

    def add(self, sizes: Sequence[int]) -> None:
        """Of datagrams. Temporary where it is too much."""
        before, self._datagrams = self._datagrams, self._datagrams + len(sizes)
        self._bytes += sum(sizes)
        late = False
        if self._datagrams // 32 > before // 32:
            # Most answers are shorter, and some kernels take long to tell the time.
            now = time.monotonic()
            self._deadline = self._deadline or now + DUMP_TIMEOUT
            late = now > self._deadline
        if self._bytes > DUMP_BYTES or late:
            raise Temporary("The kernel's answer did not end within %d s or %d bytes" % (DUMP_TIMEOUT, DUMP_BYTES))

    def add_messages(self, messages: Sequence[Tuple[int, int]]) -> None:
        """MalformedReply where too many say nothing, one after the other."""
        for start, stop in messages:
            self._idle = self._idle + 1 if start == stop else 0
            if self._idle >= DUMP_IDLE_MESSAGES:
                raise MalformedReply("The kernel's answer goes on without saying anything")


class GenericNetlink(Netlink):
    """A socket for the families of generic netlink, of which WireGuard is one (genetlink(7))."""

    protocol = NETLINK_GENERIC
    header_size = GENERIC_HEADER.size
    subject = "The interface"

    def family(self, name: str) -> int:
        """The number of a generic netlink family. OSError ENOENT where the kernel has none of that name.

        As root this also loads the family's module (``net/netlink/genetlink.c``, ctrl_getfamily).
        """
        request = attribute(CTRL_ATTR_FAMILY_NAME, name.encode("ascii") + b"\0")
        self._send(GENL_ID_CTRL, NLM_F_REQUEST | NLM_F_ACK, GENERIC_HEADER.pack(CTRL_CMD_GETFAMILY, 1, 0) + request)
        for datagram in self._receive(GENL_ID_CTRL):
            for start, stop in datagram.messages:
                for kind, first, last in attributes(datagram.data, start, stop):
                    if kind == CTRL_ATTR_FAMILY_ID and last - first == 2:
                        number: int = struct.unpack_from("=H", datagram.data, first)[0]
                        return number
        raise MalformedReply("The kernel's answer about the generic netlink family %s names no family id" % name)


TEMPORARY_ERRORS = frozenset((errno.EBUSY, errno.ENOBUFS, errno.EAGAIN, errno.EINTR, errno.ENOMEM))

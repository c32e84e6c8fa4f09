# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel made of bytes: messages of WG_CMD_GET_DEVICE as a test wants them, and a netlink socket that they come from."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Any, Callable, NamedTuple, Sequence, TypeVar, Union

from ansible_collections.wirewatch.wireguard.plugins.module_utils import _wire
from ansible_collections.wirewatch.wireguard.plugins.module_utils._inbox import Inbox, Shape
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import (
    CTRL_ATTR_FAMILY_ID,
    GENERIC_HEADER,
    GENL_ID_CTRL,
    MESSAGE_HEADER,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    GenericNetlink,
    Netlink,
    attribute,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._recvmmsg import FEW, Recvmmsg
from unit.watching import START, key

FAMILY = 30  # the number that this kernel gave to its family
PORT = 4711  # the port of every socket
SEQUENCE = 0x0BADCAFE  # the number of every request
IFINDEX = 7
PAD = attribute(0, b"")  # WGPEER_A_UNSPEC, which some architectures put before 64-bit values

HANDSHAKE = struct.pack("=qq", START // SECOND, 5678)


# --- attributes


def allowed_ip(text: str) -> bytes:
    network = ipaddress.ip_network(text)
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    return attribute(
        0,
        attribute(_wire.WGALLOWEDIP_A_FAMILY, struct.pack("=H", family))
        + attribute(_wire.WGALLOWEDIP_A_IPADDR, network.network_address.packed)
        + attribute(_wire.WGALLOWEDIP_A_CIDR_MASK, bytes([network.prefixlen])),
    )


def sockaddr(host: str, port: int, scope: int = 0) -> bytes:
    """struct sockaddr_in, struct sockaddr_in6: the family and the scope in host order, the port big-endian."""
    packed = ipaddress.ip_address(host).packed
    if len(packed) == 4:
        return struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + packed + bytes(8)
    flow = bytes(4)
    return struct.pack("=H", socket.AF_INET6) + struct.pack(">H", port) + flow + packed + struct.pack("=I", scope)


# What the kernel writes of a peer, in its order (drivers/net/wireguard/netlink.c, get_peer).
SCALARS: dict[int, bytes] = {
    _wire.WGPEER_A_PRESHARED_KEY: bytes(32),
    _wire.WGPEER_A_ENDPOINT: sockaddr("192.0.2.7", 51820),
    _wire.WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL: struct.pack("=H", 25),
    _wire.WGPEER_A_LAST_HANDSHAKE_TIME: HANDSHAKE,
    _wire.WGPEER_A_RX_BYTES: struct.pack("=Q", 42),
    _wire.WGPEER_A_TX_BYTES: struct.pack("=Q", 148),
}


def peer_bytes(number: int, *allowed_ips: str, continued: bool = False, **changed: bytes) -> bytes:
    """A peer. `changed` are values by the end of their attribute's name, as `RX_BYTES`.

    `continued` is what the kernel writes of one that began in the message before: its key and further allowed IPs only.
    """
    values = {_wire.WGPEER_A_PUBLIC_KEY: key(number)}
    values.update({} if continued else SCALARS)
    values[_wire.WGPEER_A_ALLOWEDIPS] = b"".join(map(allowed_ip, allowed_ips))
    values.update({getattr(_wire, f"WGPEER_A_{name}"): value for name, value in changed.items()})
    return attribute(0, b"".join(attribute(kind, value) for kind, value in values.items()))


def device_bytes(*peers: bytes, own_key: bool = True) -> bytes:
    """The attributes of one message: those of the device, which the first one has, and peers."""
    keys = attribute(_wire.WGDEVICE_A_PRIVATE_KEY, b"\x58" * 32) + attribute(_wire.WGDEVICE_A_PUBLIC_KEY, key(99))
    return (
        attribute(_wire.WGDEVICE_A_IFINDEX, struct.pack("=I", IFINDEX))
        + (keys if own_key else b"")
        + attribute(_wire.WGDEVICE_A_LISTEN_PORT, struct.pack("=H", 51820))
        + attribute(_wire.WGDEVICE_A_FWMARK, struct.pack("=I", 5))
        + attribute(_wire.WGDEVICE_A_PEERS, b"".join(peers))
    )


def more_bytes(*peers: bytes) -> bytes:
    """The attributes of a later message."""
    return attribute(_wire.WGDEVICE_A_PEERS, b"".join(peers))


# --- messages


class Frame(NamedTuple):
    """Makes the messages of an answer to one request."""

    sequence: int
    port: int = PORT

    def message(self, payload: bytes, kind: int = FAMILY, flags: int = 0) -> bytes:
        padding = b"\0" * (-len(payload) % 4)
        length = MESSAGE_HEADER.size + len(payload)
        return MESSAGE_HEADER.pack(length, kind, flags, self.sequence, self.port) + payload + padding

    def generic(self, attributes: bytes, kind: int = FAMILY, flags: int = 0) -> bytes:
        return self.message(GENERIC_HEADER.pack(0, 1, 0) + attributes, kind, flags)

    def done(self, code: int = 0, flags: int = 0) -> bytes:
        return self.message(struct.pack("=i", code), NLMSG_DONE, flags)

    def error(self, code: int) -> bytes:
        return self.message(struct.pack("=i", -code), NLMSG_ERROR)


class Datagram(NamedTuple):
    data: bytes
    flags: int = 0  # as recvmsg tells them
    sender: int = 0  # 0 is the kernel


Answer = Callable[[Frame], Sequence[Union[Datagram, bytes]]]


def dump(*messages: bytes, interrupted: bool = False) -> Answer:
    """A whole dump. An interrupted one has its flag on the last message before the end only, as the kernel does it."""

    def answer(frame: Frame) -> list[bytes]:
        flags = [0] * (len(messages) - 1) + [NLM_F_DUMP_INTR if interrupted else 0]
        return [*map(frame.generic, messages, [FAMILY] * len(messages), flags), frame.done()]

    return answer


def refusal(code: int) -> Answer:
    return lambda frame: [frame.error(code)]


def family(number: int = FAMILY) -> Answer:
    """The answer to a look-up of the family's number."""

    def answer(frame: Frame) -> list[bytes]:
        found = attribute(CTRL_ATTR_FAMILY_ID, struct.pack("=H", number))
        return [frame.generic(found, GENL_ID_CTRL), frame.error(0)]

    return answer


# --- sockets

Socket = TypeVar("Socket", bound=Netlink)


class Kernel:
    """Answers each dump with the next of `answers`, and with the last one from then on."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.family = family()
        self.opened: list[KernelSocket] = []
        self.requests: list[int] = []  # the family asked for, by number

    def open(self, inbox: type[Inbox] = Inbox, kind: type[Socket] = GenericNetlink) -> Socket:  # type: ignore[assignment]
        self.opened.append(KernelSocket(self))
        netlink = kind(self.opened[-1], Together if inbox is Recvmmsg else inbox)  # type: ignore[arg-type]
        # Random otherwise, and a spoiled answer may have it in the place of another value: then no case was one case.
        netlink._sequence = SEQUENCE
        return netlink

    def answer(self, kind: int, frame: Frame) -> Sequence[Datagram | bytes]:
        self.requests.append(kind)
        if kind == GENL_ID_CTRL:
            return self.family(frame)
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(frame)


class KernelSocket:
    """What socket.socket is to Netlink. Where nothing is left to say, a time-out."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._said: list[Datagram] = []
        self.closed = False
        self.sent: list[bytes] = []

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        pass

    def getsockname(self) -> tuple[int, int]:
        return PORT, 0

    def close(self) -> None:
        self.closed = True

    def send(self, request: bytes) -> None:
        self.sent.append(request)
        _length, kind, _flags, sequence, port = MESSAGE_HEADER.unpack_from(request)
        said = self._kernel.answer(kind, Frame(sequence, port))
        self._said += [one if isinstance(one, Datagram) else Datagram(one) for one in said]

    def recv_into(self, buffer: bytearray, size: int, flags: int) -> int:
        """Asked without waiting, whether there is more."""
        assert flags == socket.MSG_DONTWAIT
        if not self._said:
            raise BlockingIOError
        buffer[:size] = self._said.pop(0).data[:size]
        return size

    def recvmsg_into(self, buffers: list[bytearray]) -> tuple[int, list[Any], int, tuple[int, int]]:
        if not self._said:
            raise BlockingIOError
        data, flags, sender = self._said.pop(0)
        (buffer,) = buffers
        taken = data[: len(buffer)]
        buffer[: len(taken)] = taken
        return len(taken), [], flags | (socket.MSG_TRUNC if len(data) > len(taken) else 0), (sender, 0)


class Together(Inbox):
    """What Recvmmsg is to Netlink, where the socket is a KernelSocket: it hands out all that is there, up to so many."""

    room = Recvmmsg.room  # as the buffers that it gets in exchange

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._full = False
        self.buffer = self.new_buffer(FEW * self.room)

    def receive(self) -> None:
        came: list[tuple[int, int, int]] = []
        with memoryview(self.buffer) as view:
            for start in range(0, len(view), self.room):
                try:
                    size, _ancillary, flags, sender = self._socket.recvmsg_into([view[start : start + self.room]])
                except BlockingIOError:
                    if not came:
                        raise
                    break
                came.append((size, flags, sender[0]))
        self._full = len(came) * self.room == len(self.buffer)
        self.shape = Shape(len(self.buffer), *zip(*came))

    def is_empty(self) -> bool:
        return not self._full or super().is_empty()

    def make_room(self, count: int) -> int:
        size = Recvmmsg.enough(len(self.buffer), count)
        if size > len(self.buffer):
            self.buffer = self.new_buffer(size)
        return size

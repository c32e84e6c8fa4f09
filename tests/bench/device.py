# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of the kernel with many peers, and real changes to them: a small writer of WG_CMD_SET_DEVICE.

It is of the benchmark only. wg(8) does the same, and takes seconds to read what is to be set for 50,000 peers.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import subprocess
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import GenericNetlink

NETLINK_GENERIC = 16
NLM_F_REQUEST, NLM_F_ACK, NLA_F_NESTED = 0x1, 0x4, 0x8000
WG_CMD_SET_DEVICE = 1
WGDEVICE_A_IFNAME, WGDEVICE_A_PRIVATE_KEY, WGDEVICE_A_PEERS = 2, 3, 8
WGPEER_A_PUBLIC_KEY, WGPEER_A_FLAGS, WGPEER_A_ENDPOINT, WGPEER_A_ALLOWEDIPS = 1, 3, 4, 9
WGPEER_F_REPLACE_ALLOWEDIPS, WGPEER_F_UPDATE_ONLY = 2, 4
WGALLOWEDIP_A_FAMILY, WGALLOWEDIP_A_IPADDR, WGALLOWEDIP_A_CIDR_MASK = 1, 2, 3

MESSAGE_BYTES = 48 * 1024  # an attribute holds at most 64 KiB, and all peers of a message are within one


class Shape(NamedTuple):
    """A device to measure: so many peers, so many allowed IPs each (the last one IPv6)."""

    peers: int
    allowed_ips: int = 2

    @property
    def interface(self) -> str:
        return f"ww{self.peers}x{self.allowed_ips}"


class KernelDevice:
    """A WireGuard link of this network namespace with random peers. Left down: no packet is ever sent."""

    def __init__(self, shape: Shape, seed: int = 4) -> None:
        self.interface = shape.interface
        self._random = random.Random(seed)
        self._ports: dict[int, int] = {}  # endpoint ports that were changed, by number of the peer
        self.keys = [self._random.randbytes(32) for _number in range(shape.peers)]
        subprocess.run(["ip", "link", "add", self.interface, "type", "wireguard"], check=True, capture_output=True)
        self._writer = _Writer(self.interface)
        self._writer.set_private_key(os.urandom(32))
        self._writer.set_peers(_peer(key, number, shape.allowed_ips) for number, key in enumerate(self.keys))

    def change(self, share: float) -> int:
        """Gives another endpoint port to a random share of the peers, as their roaming does; returns to how many."""
        chosen = self._random.sample(range(len(self.keys)), _count(len(self.keys), share))
        for number in chosen:
            self._ports[number] = self._ports.get(number, 40000) % 60000 + 1
        self._writer.set_peers(
            _attribute(WGPEER_A_PUBLIC_KEY, self.keys[number])
            + _attribute(WGPEER_A_FLAGS, struct.pack("=I", WGPEER_F_UPDATE_ONLY))
            + _attribute(WGPEER_A_ENDPOINT, _endpoint(number, self._ports[number]))
            for number in chosen
        )
        return len(chosen)


def _count(peers: int, share: float) -> int:
    return max(1, round(peers * share)) if share else 0


def _peer(key: bytes, number: int, allowed_ips: int) -> bytes:
    """A peer's attributes, made from its number: no two have an address in common."""
    allowed = b""
    for index in range(allowed_ips):
        if index + 1 < allowed_ips or allowed_ips == 1:
            family, address = socket.AF_INET, struct.pack(">I", (10 << 24) + number * allowed_ips + index)
        else:
            family, address = socket.AF_INET6, struct.pack(">QQ", 0xFD00 << 48, number)
        allowed += _attribute(
            NLA_F_NESTED,
            _attribute(WGALLOWEDIP_A_FAMILY, struct.pack("=H", family))
            + _attribute(WGALLOWEDIP_A_IPADDR, address)
            + _attribute(WGALLOWEDIP_A_CIDR_MASK, bytes([len(address) * 8])),
        )
    return (
        _attribute(WGPEER_A_PUBLIC_KEY, key)
        + _attribute(WGPEER_A_FLAGS, struct.pack("=I", WGPEER_F_REPLACE_ALLOWEDIPS))
        + _attribute(WGPEER_A_ENDPOINT, _endpoint(number, 40000))
        + _attribute(NLA_F_NESTED | WGPEER_A_ALLOWEDIPS, allowed)
    )


def _endpoint(number: int, port: int) -> bytes:
    """A sockaddr_in in 198.18.0.0/15, the range for benchmarks (RFC 2544)."""
    return struct.pack("=H", socket.AF_INET) + struct.pack(">HI8x", port, (198 << 24) + (18 << 16) + number % 0x1FFFF)


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)


class _Writer:
    def __init__(self, interface: str) -> None:
        netlink = GenericNetlink.open()
        self._family = netlink.family("wireguard")
        netlink.close()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_GENERIC)
        self._socket.bind((0, 0))
        self._name = _attribute(WGDEVICE_A_IFNAME, interface.encode() + b"\0")

    def set_private_key(self, key: bytes) -> None:
        self._set(_attribute(WGDEVICE_A_PRIVATE_KEY, key))

    def set_peers(self, peers: Iterable[bytes]) -> None:
        for batch in _batches(_attribute(NLA_F_NESTED, peer) for peer in peers):
            self._set(_attribute(NLA_F_NESTED | WGDEVICE_A_PEERS, batch))

    def _set(self, attributes: bytes) -> None:
        body = struct.pack("=BBH", WG_CMD_SET_DEVICE, 1, 0) + self._name + attributes
        self._socket.send(struct.pack("=IHHII", 16 + len(body), self._family, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
        code = struct.unpack_from("=i", self._socket.recv(1 << 16), 16)[0]
        if code:
            raise OSError(-code, os.strerror(-code))


def _batches(peers: Iterator[bytes]) -> Iterator[bytes]:
    batch = b""
    for peer in peers:
        if len(batch) + len(peer) > MESSAGE_BYTES:
            yield batch
            batch = b""
        batch += peer
    if batch:
        yield batch

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Device and Peer: what one poll sees. Plain immutable values; how they look as JSON is in ``_record.py``.

A peer that did not change between two polls is the same object in both snapshots, and so is a device; readers
guarantee that (``_following.py``), so a comparison may start with ``is``.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import socket
from itertools import chain
from typing import List, Mapping, NamedTuple, Optional, Tuple

KEY_LENGTH = 32  # bytes, Curve25519 (WireGuard whitepaper section 5.4)
KEY_TEXT_LENGTH = 44  # characters of those in base64, the last one "="

KERNEL = "kernel"
USERSPACE = "userspace"

SECOND = 1_000_000_000  # nanoseconds
END_OF_TIME = 253_402_300_800  # seconds since the epoch, the year 10000: no time that can be told is later


class Endpoint(NamedTuple):
    """Where packets to a peer are sent, as people read it: an IP address (link-local with ``%scope``) and a UDP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return "[%s]:%d" % self if ":" in self.host else "%s:%d" % self


class Peer(NamedTuple):
    """A peer as one poll saw it.

    ``preshared_key`` is never the key: None where none is set, else a hash under a random key of this process, so that
    a replaced key is seen; empty where one is set and its hash is not known (restored from a file).
    ``last_handshake_ns`` is nanoseconds since the epoch in steps of a microsecond, 0 for never.
    ``endpoint`` is packed by ``pack_endpoint``. ``allowed_ips`` is sorted, each one packed by ``pack_allowed_ip``. So nothing is
    put into words before somebody is told of it.
    """

    public_key: bytes
    preshared_key: Optional[bytes] = None
    endpoint: Optional[bytes] = None
    allowed_ips: Tuple[bytes, ...] = ()
    persistent_keepalive: int = 0
    last_handshake_ns: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0


class Device(NamedTuple):
    """An interface as one poll saw it. ``peers`` is by public key and not to be written to.

    ``ifindex`` and ``up`` are None where the link is not visible from here, ``has_private_key`` where it is not known (a
    device restored from a record without a public key).
    """

    interface: str
    netns: Optional[str] = None
    backend: str = KERNEL
    ifindex: Optional[int] = None
    public_key: Optional[bytes] = None
    has_private_key: Optional[bool] = None
    listen_port: int = 0
    fwmark: int = 0
    up: Optional[bool] = None
    peers: Mapping[bytes, Peer] = {}


def encode_key(key: bytes) -> str:
    """32 bytes as the base64 text that ``wg`` prints."""
    return binascii.b2a_base64(key, newline=False).decode("ascii")


def sort_by_key(peers: List[Peer]) -> List[Peer]:
    """The list itself, put in the order of its peers' keys as text; stable."""
    if len(peers) < MANY:
        peers.sort(key=_key_text)
        return peers
    # Those of one first character at a time: the texts of 50,000 keys would be megabytes for a moment, which Python would ask
    # the system for, and give back, at each poll. That is bought with a quarter more time for so many, and with none for 10,000.
    alike: List[List[Peer]] = [[] for _character in range(128)]
    for peer in peers:
        alike[_FIRST_CHARACTER[peer[0][0]]].append(peer)
    for some in alike:
        some.sort(key=_key_text)
    peers[:] = chain.from_iterable(alike)
    return peers


MANY = 1000  # peers up to which one sort is the quicker, and its texts are few


def _key_text(peer: Peer) -> bytes:
    return binascii.b2a_base64(peer[0])


_FIRST_CHARACTER = bytes(binascii.b2a_base64(bytes([first]))[0] for first in range(256))  # by the first byte of a key


def decode_key(text: object) -> bytes:
    """The 32 bytes of a public key given as text; ValueError with what is wrong with it (length, alphabet)."""
    if not isinstance(text, str):
        raise ValueError("it is a %s, and a key is a text of 44 characters in base64" % type(text).__name__)
    if len(text) != KEY_TEXT_LENGTH:
        raise ValueError("it has %d characters, and a key in base64 has %d" % (len(text), KEY_TEXT_LENGTH))
    strange = sorted(set(text[:-1]) - _BASE64_ALPHABET)
    if strange or text[-1] != "=":
        what = "the character %s" % ", ".join(repr(c) for c in strange) if strange else "an end other than '='"
        raise ValueError("it has %s, which base64 of 32 bytes has not" % what)
    key = base64.b64decode(text)
    if encode_key(key) != text:
        raise ValueError("its last character before '=' is %r, which no key of 32 bytes ends in" % text[-2])
    return key


_BASE64_ALPHABET = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def pack_allowed_ip(address: bytes, prefix_length: int) -> bytes:
    """An allowed IP as bytes that sort as the design wants them: version, address, prefix length (v4 before v6)."""
    return b"%c%b%c" % (4 if len(address) == 4 else 6, address, prefix_length)


def unpack_allowed_ip(packed: bytes) -> str:
    """``10.0.0.0/24`` or ``2001:db8::/32``."""
    family = socket.AF_INET if packed[0] == 4 else socket.AF_INET6
    return "%s/%d" % (socket.inet_ntop(family, packed[1:-1]), packed[-1])


def parse_allowed_ip(text: str) -> bytes:
    """Packs ``10.0.0.0/24``; host bits are cleared as the kernel does. ValueError where it is none."""
    network = ipaddress.ip_network(text, strict=False)
    return pack_allowed_ip(network.network_address.packed, network.prefixlen)


PORT_BYTES, IPV4_BYTES, IPV6_BYTES = 2, 4, 16


def pack_endpoint(host: str, port: int) -> bytes:
    """An endpoint as bytes: the port and the address, big-endian, and behind an IPv6 address ``%scope`` where it has one.

    ValueError where the host is no IP address, or the port none.
    """
    address, percent, scope = host.partition("%")
    packed = ipaddress.ip_address(address).packed
    if percent and len(packed) == IPV4_BYTES:
        raise ValueError("%r has a scope, as IPv6 addresses may only" % host)
    if not 0 <= port <= 65535:
        raise ValueError("%d is no port: ports go up to 65535" % port)
    return port.to_bytes(PORT_BYTES, "big") + packed + (percent + scope).encode()


def unpack_endpoint(packed: bytes) -> Endpoint:
    port = packed[0] << 8 | packed[1]
    if len(packed) == PORT_BYTES + IPV4_BYTES:
        return Endpoint(socket.inet_ntop(socket.AF_INET, packed[PORT_BYTES:]), port)
    end = PORT_BYTES + IPV6_BYTES
    return Endpoint(socket.inet_ntop(socket.AF_INET6, packed[PORT_BYTES:end]) + packed[end:].decode(), port)


def parse_endpoint(text: str) -> bytes:
    """Packs ``192.0.2.7:51820`` or ``[fe80::1%eth0]:51820``; ValueError where it is neither."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError("%r has no port: write 192.0.2.7:51820 or [2001:db8::7]:51820" % text)
    if host.startswith("[") and host.endswith("]"):
        return pack_endpoint(host[1:-1], int(port))
    if ":" in host:
        raise ValueError("%r: an IPv6 address stands in brackets before a port, as in [2001:db8::7]:51820" % text)
    return pack_endpoint(host, int(port))

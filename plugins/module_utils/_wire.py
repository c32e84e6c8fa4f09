# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of WG_CMD_GET_DEVICE, decoded (``include/uapi/linux/wireguard.h``). Pure: bytes in, values out."""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from typing import Callable, Container, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ._errors import MalformedReply, Temporary
from ._fingerprint import fingerprint
from ._model import END_OF_TIME, KERNEL, KEY_LENGTH, SECOND, Device, Peer, pack_allowed_ip
from ._netlink import ATTRIBUTE_HEADER, attributes

Message = Tuple[bytes, int, int]  # datagram, first byte of the attributes, byte after the last

WGDEVICE_A_IFINDEX, WGDEVICE_A_PRIVATE_KEY, WGDEVICE_A_PUBLIC_KEY = 1, 3, 4
WGDEVICE_A_LISTEN_PORT, WGDEVICE_A_FWMARK, WGDEVICE_A_PEERS = 6, 7, 8
WGPEER_A_PUBLIC_KEY, WGPEER_A_PRESHARED_KEY, WGPEER_A_ENDPOINT = 1, 2, 4
WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, WGPEER_A_LAST_HANDSHAKE_TIME = 5, 6
WGPEER_A_RX_BYTES, WGPEER_A_TX_BYTES, WGPEER_A_ALLOWEDIPS = 7, 8, 9
WGALLOWEDIP_A_FAMILY, WGALLOWEDIP_A_IPADDR, WGALLOWEDIP_A_CIDR_MASK = 1, 2, 3

U16, U32, U64, TIMESPEC = struct.Struct("=H"), struct.Struct("=I"), struct.Struct("=Q"), struct.Struct("=qq")
ADDRESS_BYTES: Dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 16}
NO_KEY = bytes(KEY_LENGTH)  # how the kernel writes an unset preshared key


class PeerBytes(NamedTuple):
    """One peer's attributes: a block for each message it stands in, since a long peer is cut at message ends."""

    key: bytes
    blocks: List[Message]


class Places(NamedTuple):
    """Where values stand in the first block of a peer: offsets from its start, 0 where there is none."""

    preshared_key: int = 0
    last_handshake: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0
    endpoint: int = 0
    endpoint_length: int = 0  # bytes


class DeviceBytes:
    """The messages of a whole dump. To be asked for the peers first, once.

    MalformedReply with an offset where the bytes break the protocol; Temporary where one peer comes twice, which a
    dump that was changed underneath can show.
    """

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages = messages
        self._fields: Dict[str, object] = {}
        self.private_keys: List[Tuple[bytes, int]] = []  # buffer and offset of each

    def peers(self, taken: Container[bytes]) -> Iterator[PeerBytes]:
        """The peers undecoded, those that were cut joined again. One at a time: of 50,000 no list is ever held.

        ``taken`` has the keys of those that were given out, which whoever asks for them keeps.
        """
        raw: Optional[PeerBytes] = None
        for buffer, start, stop in self._messages:
            for kind, first, last in attributes(buffer, start, stop):
                if kind != WGDEVICE_A_PEERS:
                    self._take(kind, buffer, first, last)
                    continue
                for _index, peer_start, peer_stop in attributes(buffer, first, last):
                    key = peer_key(buffer, peer_start, peer_stop)
                    block = (buffer, peer_start, peer_stop)
                    if raw is not None and raw.key == key:
                        raw.blocks.append(block)
                        continue
                    if key in taken:
                        raise Temporary("The kernel's answer names one peer at two places")
                    if raw is not None:
                        yield raw
                    raw = PeerBytes(key, [block])
        if raw is not None:
            yield raw

    def device(self) -> Device:
        """Without its peers."""
        if "ifindex" not in self._fields:
            raise MalformedReply("The kernel's answer has no interface index")
        self._fields.setdefault("has_private_key", False)
        return Device(interface="", backend=KERNEL, **self._fields)  # type: ignore[arg-type]

    def _take(self, kind: int, buffer: bytes, first: int, last: int) -> None:
        if kind == WGDEVICE_A_IFINDEX:
            self._fields["ifindex"] = _number(U32, buffer, first, last)
        elif kind == WGDEVICE_A_PRIVATE_KEY:
            self._fields["has_private_key"] = _key(buffer, first, last) != NO_KEY
            self.private_keys.append((buffer, first))
        elif kind == WGDEVICE_A_PUBLIC_KEY:
            self._fields["public_key"] = _key(buffer, first, last)
        elif kind == WGDEVICE_A_LISTEN_PORT:
            self._fields["listen_port"] = _number(U16, buffer, first, last)
        elif kind == WGDEVICE_A_FWMARK:
            self._fields["fwmark"] = _number(U32, buffer, first, last)


def decode_peer(raw: PeerBytes, scope_name: Callable[[int], str]) -> Tuple[Peer, Optional[Places]]:
    """A peer from its blocks: scalars from where they are present, allowed IPs from all.

    And where some of its values stand; None where that is not in the first block, or not once, as the kernel has it.
    """
    preshared_key: Optional[bytes] = None
    endpoint: Optional[bytes] = None
    endpoint_length = keepalive = handshake = received = sent = 0
    allowed_ips: List[bytes] = []
    places: Dict[int, int] = {}
    usual = True
    for number, (buffer, start, stop) in enumerate(raw.blocks):
        for kind, first, last in attributes(buffer, start, stop):
            if kind in _PLACED:
                usual = usual and number == 0 and kind not in places
                places[kind] = first - start
            if kind == WGPEER_A_ALLOWEDIPS:
                for _index, ip_start, ip_stop in attributes(buffer, first, last):
                    allowed_ips.append(_allowed_ip(buffer, ip_start, ip_stop))
            elif kind == WGPEER_A_PRESHARED_KEY:
                secret = _key(buffer, first, last)
                preshared_key = None if secret == NO_KEY else fingerprint(secret)
            elif kind == WGPEER_A_ENDPOINT:
                endpoint = decode_endpoint(buffer, first, last, scope_name)
                endpoint_length = last - first
            elif kind == WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
                keepalive = _number(U16, buffer, first, last)
            elif kind == WGPEER_A_LAST_HANDSHAKE_TIME:
                seconds, nanoseconds = _unpack(TIMESPEC, buffer, first, last)
                if not (0 <= seconds < END_OF_TIME and 0 <= nanoseconds < SECOND):
                    raise MalformedReply("The kernel's answer has a time that is none at offset %d" % first)
                handshake = seconds * SECOND + nanoseconds // 1000 * 1000
            elif kind == WGPEER_A_RX_BYTES:
                received = _number(U64, buffer, first, last)
            elif kind == WGPEER_A_TX_BYTES:
                sent = _number(U64, buffer, first, last)
    peer = Peer(raw.key, preshared_key, endpoint, tuple(sorted(allowed_ips)), keepalive, handshake, received, sent)
    return peer, _places(*[places.get(kind, 0) for kind in _PLACED], endpoint_length) if usual else None


_KEY_FIRST = ATTRIBUTE_HEADER.pack(4 + KEY_LENGTH, WGPEER_A_PUBLIC_KEY)
_places = lru_cache(maxsize=256)(Places)  # of one kernel there are few
_PLACED = (  # as in Places
    WGPEER_A_PRESHARED_KEY,
    WGPEER_A_LAST_HANDSHAKE_TIME,
    WGPEER_A_RX_BYTES,
    WGPEER_A_TX_BYTES,
    WGPEER_A_ENDPOINT,
)


def peer_key(buffer: bytes, start: int, stop: int) -> bytes:
    if buffer[start : start + 4] == _KEY_FIRST and stop - start >= 4 + KEY_LENGTH:
        return buffer[start + 4 : start + 4 + KEY_LENGTH]  # where the kernel has it
    for kind, first, last in attributes(buffer, start, stop):
        if kind == WGPEER_A_PUBLIC_KEY:
            return _key(buffer, first, last)
    raise MalformedReply("The kernel's answer has a peer without a public key at offset %d" % start)


def _key(buffer: bytes, first: int, last: int) -> bytes:
    if last - first != KEY_LENGTH:
        raise _wrong_length(first, last, KEY_LENGTH)
    return buffer[first:last]


def _unpack(layout: struct.Struct, buffer: bytes, first: int, last: int) -> tuple:
    if last - first != layout.size:
        raise _wrong_length(first, last, layout.size)
    return layout.unpack_from(buffer, first)


def _number(layout: struct.Struct, buffer: bytes, first: int, last: int) -> int:
    number: int = _unpack(layout, buffer, first, last)[0]
    return number


def _wrong_length(first: int, last: int, due: int) -> MalformedReply:
    return MalformedReply(
        "The kernel's answer has a value of %d bytes at offset %d, where %d are due" % (last - first, first, due)
    )


AF_INET, AF_INET6 = int(socket.AF_INET), int(socket.AF_INET6)
SOCKADDR_IN6 = struct.Struct("=2s2s4x16sI")  # family; port; address; scope
IPV4, _IPV6 = U16.pack(AF_INET), U16.pack(AF_INET6)


def decode_endpoint(buffer: bytes, first: int, last: int, scope_name: Callable[[int], str]) -> bytes:
    """A struct sockaddr_in or sockaddr_in6, packed as ``pack_endpoint`` does: port big-endian, scope_id in host order."""
    length, family = last - first, buffer[first : first + 2]
    if family == IPV4 and length >= 8:
        return buffer[first + 2 : first + 8]
    if family == _IPV6 and length >= SOCKADDR_IN6.size:
        _family, port, address, scope = SOCKADDR_IN6.unpack_from(buffer, first)
        packed: bytes = port + address
        return packed + ("%%%s" % scope_name(scope)).encode() if scope else packed
    raise MalformedReply(
        "The kernel's answer has an endpoint of %d bytes and address family %d at offset %d"
        % (length, U16.unpack(family)[0] if length >= 2 else 0, first)
    )


def _allowed_ip(buffer: bytes, start: int, stop: int) -> bytes:
    family = mask = -1
    address = b""
    for kind, first, last in attributes(buffer, start, stop):
        if kind == WGALLOWEDIP_A_FAMILY:
            family = _number(U16, buffer, first, last)
        elif kind == WGALLOWEDIP_A_IPADDR:
            address = buffer[first:last]
        elif kind == WGALLOWEDIP_A_CIDR_MASK and last - first == 1:
            mask = buffer[first]
    size = ADDRESS_BYTES.get(family, -1)
    if size != len(address) or not 0 <= mask <= size * 8:
        raise MalformedReply(
            "The kernel's answer has an allowed IP at offset %d that is none: family %d, %d bytes, prefix length %d"
            % (start, family, len(address), mask)
        )
    return pack_allowed_ip(address, mask)

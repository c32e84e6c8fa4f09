# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding WG_CMD_GET_DEVICE: every attribute, peers that were cut, and bytes that are none of it."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _wire
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import MalformedReply, Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import (
    Device,
    Peer,
    pack_endpoint,
    unpack_allowed_ip,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import attribute
from ansible_collections.wirewatch.wireguard.plugins.module_utils._record import endpoint_text
from ansible_collections.wirewatch.wireguard.plugins.module_utils._wire import DeviceBytes, decode_peer
from hypothesis import given
from hypothesis import strategies as st
from unit.watching import START, key
from unit.wire import IFINDEX, PAD, SCALARS, allowed_ip, device_bytes, more_bytes, peer_bytes, sockaddr


def decode(*messages: bytes) -> tuple[Device, list[Peer]]:
    """The device and its peers, in the order of the answer."""
    found = DeviceBytes([(body, 0, len(body)) for body in messages])
    peers: dict[bytes, Peer] = {}
    for one in found.peers(peers):
        peers[one.key] = decode_peer(one, lambda scope: f"scope{scope}")[0]
    return found.device(), list(peers.values())


def decode_one(*allowed_ips: str, **changed: bytes) -> Peer:
    _device, (peer,) = decode(device_bytes(peer_bytes(1, *allowed_ips, **changed)))
    return peer


def shown(peer: Peer) -> list[str]:
    return [unpack_allowed_ip(packed) for packed in peer.allowed_ips]


# --- every attribute


def test_a_device() -> None:
    device, peers = decode(device_bytes())
    assert peers == []
    assert device == Device(
        "", ifindex=IFINDEX, public_key=key(99), has_private_key=True, listen_port=51820, fwmark=5, peers={}
    )


def test_a_device_without_a_private_key() -> None:
    device, _peers = decode(device_bytes(own_key=False))
    assert (device.public_key, device.has_private_key) == (None, False)


def test_a_peer() -> None:
    assert decode_one("10.0.0.2/32") == Peer(
        key(1),
        preshared_key=None,
        endpoint=pack_endpoint("192.0.2.7", 51820),
        allowed_ips=(b"\x04\x0a\x00\x00\x02\x20",),
        persistent_keepalive=25,
        last_handshake_ns=START + 5000,  # in steps of a microsecond
        rx_bytes=42,
        tx_bytes=148,
    )


@pytest.mark.parametrize(
    ("sockaddr_bytes", "endpoint"),
    [
        (sockaddr("192.0.2.7", 51820), "192.0.2.7:51820"),
        (sockaddr("2001:db8::7", 1), "[2001:db8::7]:1"),
        (sockaddr("fe80::7", 65535, scope=3), "[fe80::7%scope3]:65535"),
        (sockaddr("::ffff:192.0.2.7", 80), "[::ffff:192.0.2.7]:80"),
        (sockaddr("192.0.2.7", 51820)[:8], "192.0.2.7:51820"),  # what counts is there
    ],
)
def test_endpoints(sockaddr_bytes: bytes, endpoint: str) -> None:
    assert endpoint_text(decode_one(ENDPOINT=sockaddr_bytes).endpoint) == endpoint


def test_counters_have_64_bits() -> None:
    peer = decode_one(RX_BYTES=struct.pack("=Q", 2**64 - 1), TX_BYTES=struct.pack("=Q", 2**63))
    assert (peer.rx_bytes, peer.tx_bytes) == (2**64 - 1, 2**63)


def test_allowed_ips_are_sorted_v4_before_v6() -> None:
    given_order = ["2001:db8::/32", "10.0.0.0/24", "0.0.0.0/0", "10.0.0.0/16", "::/0"]
    assert shown(decode_one(*given_order)) == ["0.0.0.0/0", "10.0.0.0/16", "10.0.0.0/24", "::/0", "2001:db8::/32"]


def test_a_preshared_key_is_reduced_to_a_hash_that_tells_another_one() -> None:
    secrets = [bytes([number]) * 32 for number in (1, 2)]
    first, second = (decode_one(PRESHARED_KEY=secret).preshared_key for secret in secrets)
    assert first == decode_one(PRESHARED_KEY=secrets[0]).preshared_key
    assert first != second
    assert secrets[0] not in (first, second)
    assert decode_one(PRESHARED_KEY=bytes(32)).preshared_key is None


def test_no_secret_is_in_what_was_decoded() -> None:
    device, peers = decode(device_bytes(peer_bytes(1, PRESHARED_KEY=b"\xa7" * 32)))
    text = repr((device, peers)).encode()
    assert not any(secret in text for secret in (b"\\xa7\\xa7", b"XXXX", b"a7a7", b"5858"))


# --- attributes in another order, unknown ones, padding


def test_the_order_of_attributes_does_not_matter() -> None:
    parts = [attribute(_wire.WGPEER_A_PUBLIC_KEY, key(1))]
    parts += [attribute(kind, value) for kind, value in SCALARS.items()]
    parts.append(attribute(_wire.WGPEER_A_ALLOWEDIPS, allowed_ip("10.0.0.2/32")))
    expected = decode_one("10.0.0.2/32")
    chance = random.Random(1)
    for _round in range(20):
        chance.shuffle(parts)
        assert decode(device_bytes(attribute(0, b"".join(parts))))[1] == [expected]


def test_unknown_attributes_and_padding_are_skipped() -> None:
    unknown = attribute(77, b"what a later kernel says")
    nested = 0x8000  # NLA_F_NESTED, which a kernel may or may not set
    parts = [unknown, attribute(_wire.WGPEER_A_PUBLIC_KEY, key(1))]
    for kind, value in SCALARS.items():
        parts += [PAD, attribute(kind, value), unknown]
    parts.append(attribute(_wire.WGPEER_A_ALLOWEDIPS | nested, PAD.join([b"", allowed_ip("10.0.0.2/32")])[len(PAD) :]))
    peer = attribute(0, b"".join(parts))
    message = unknown + device_bytes(peer)
    assert decode(message)[1] == [decode_one("10.0.0.2/32")]


# --- peers that were cut


def test_a_peer_over_three_messages_is_one() -> None:
    messages = [
        device_bytes(peer_bytes(1, "10.1.0.0/16"), peer_bytes(2, "10.2.0.0/16")),
        more_bytes(peer_bytes(2, "10.3.0.0/16", continued=True)),
        more_bytes(peer_bytes(2, "10.4.0.0/16", continued=True), peer_bytes(3)),
    ]
    _device, peers = decode(*messages)
    assert [peer.public_key for peer in peers] == [key(1), key(2), key(3)]
    whole = decode(device_bytes(peer_bytes(2, "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16")))[1][0]
    assert peers[1] == whole


def test_the_device_is_repeated_when_the_first_peer_is_the_one_cut() -> None:
    messages = [device_bytes(peer_bytes(1, "10.1.0.0/16")), device_bytes(peer_bytes(1, "10.2.0.0/16", continued=True))]
    device, peers = decode(*messages)
    assert (device.ifindex, device.listen_port) == (IFINDEX, 51820)
    assert [shown(peer) for peer in peers] == [["10.1.0.0/16", "10.2.0.0/16"]]


def test_a_peer_at_two_places_is_a_dump_that_was_changed_underneath() -> None:
    with pytest.raises(Temporary, match="names one peer at two places"):
        decode(device_bytes(peer_bytes(1), peer_bytes(2), peer_bytes(1)))


def test_the_same_peer_cut_elsewhere_is_equal() -> None:
    one = [device_bytes(peer_bytes(1, "10.1.0.0/16", "10.2.0.0/16"))]
    other = [device_bytes(peer_bytes(1, "10.1.0.0/16")), more_bytes(peer_bytes(1, "10.2.0.0/16", continued=True))]
    assert decode(*one)[1] == decode(*other)[1]


# --- bytes that are none of it


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"PUBLIC_KEY": b"short"}, "a value of 5 bytes at offset"),
        ({"PRESHARED_KEY": b"x" * 31}, "a value of 31 bytes at offset .* where 32 are due"),
        ({"PERSISTENT_KEEPALIVE_INTERVAL": b"\1"}, "a value of 1 bytes at offset .* where 2 are due"),
        ({"LAST_HANDSHAKE_TIME": bytes(8)}, "a value of 8 bytes at offset .* where 16 are due"),
        ({"RX_BYTES": bytes(4)}, "a value of 4 bytes at offset .* where 8 are due"),
        ({"ENDPOINT": b""}, "an endpoint of 0 bytes"),
        ({"ENDPOINT": sockaddr("2001:db8::7", 1)[:16]}, "an endpoint of 16 bytes and address family 10 at offset"),
        ({"ENDPOINT": struct.pack("=H", 99) + bytes(26)}, "address family 99"),
        ({"ALLOWEDIPS": attribute(0, b"")}, "an allowed IP at offset .* that is none"),
        (
            {"ALLOWEDIPS": allowed_ip("10.0.0.0/8")[:-8] + b"\x09\0\x03\0\x08\0\0\0"},
            "an attribute of 9 bytes at offset",
        ),
    ],
)
def test_a_value_of_another_size_is_an_error_with_its_offset(changed: dict[str, bytes], complaint: str) -> None:
    with pytest.raises(MalformedReply, match=complaint) as error:
        decode_one(**changed)
    assert "\\x" not in str(error.value), "an error quotes bytes of the answer"


@pytest.mark.parametrize("mask", [33, 128, 255])
def test_a_prefix_longer_than_the_address_is_none(mask: int) -> None:
    wrong = allowed_ip("10.0.0.0/32").replace(b"\x20\0\0\0", bytes([mask]) + b"\0\0\0")
    with pytest.raises(MalformedReply, match=f"prefix length {mask}"):
        decode_one(ALLOWEDIPS=wrong)


def test_a_peer_without_a_key_is_an_error() -> None:
    with pytest.raises(MalformedReply, match="a peer without a public key at offset"):
        decode(device_bytes(attribute(0, attribute(_wire.WGPEER_A_RX_BYTES, bytes(8)))))


def test_a_device_without_an_index_is_an_error() -> None:
    with pytest.raises(MalformedReply, match="has no interface index"):
        decode(more_bytes(peer_bytes(1)))


WHOLE = device_bytes(*(peer_bytes(number, "10.0.0.0/24", "2001:db8::/32") for number in (1, 2, 3)))


def test_an_answer_that_is_cut_anywhere_is_an_error_and_never_a_shorter_list_of_peers() -> None:
    complete = decode(WHOLE)
    for length in range(len(WHOLE)):
        try:
            found: Any = decode(WHOLE[:length])
        except MalformedReply as error:
            assert "offset" in str(error) or "no interface index" in str(error)
        else:
            # Cut between two attributes of the device: then none of the peers is there, and no end was either.
            assert found[1] == []
            assert length < len(WHOLE) - len(complete[1])


@given(st.binary(max_size=400))
def test_random_bytes_never_crash_or_hang(body: bytes) -> None:
    try:
        _device, peers = decode(body)
    except (MalformedReply, Temporary):
        return
    assert len(peers) * 36 <= len(body)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_one_changed_byte_never_crashes_and_never_invents_a_peer(place: int, change: int) -> None:
    body = bytearray(WHOLE)
    body[place] ^= change
    try:
        _device, peers = decode(bytes(body))
    except (MalformedReply, Temporary):
        return
    assert len(peers) <= 3

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, endpoints, allowed IPs: how what a poll sees is written, and what is no way of writing it."""

from __future__ import annotations

import base64
import ipaddress
import random
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import (
    MANY,
    Device,
    Endpoint,
    Peer,
    decode_key,
    encode_key,
    pack_allowed_ip,
    pack_endpoint,
    parse_allowed_ip,
    parse_endpoint,
    sort_by_key,
    unpack_allowed_ip,
    unpack_endpoint,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.watching import key

TEXT = encode_key(bytes(range(32)))

# --- keys


@settings(deadline=None, database=None)
@given(st.binary(min_size=32, max_size=32))
def test_a_key_is_written_as_wg_prints_it_and_read_again(raw: bytes) -> None:
    assert encode_key(raw) == base64.b64encode(raw).decode()
    assert decode_key(encode_key(raw)) == raw


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "it has 0 characters, and a key in base64 has 44"),
        (TEXT[:-1], "it has 43 characters, and a key in base64 has 44"),
        (TEXT + "=", "it has 45 characters, and a key in base64 has 44"),
        (bytes(32).hex(), "it has 64 characters, and a key in base64 has 44"),
        ("_" + TEXT[1:-2] + "-=", "it has the character '-', '_', which base64 of 32 bytes has not"),
        ("\n" + TEXT[1:], "it has the character '\\n', which base64 of 32 bytes has not"),
        ("é" + TEXT[1:], "it has the character 'é', which base64 of 32 bytes has not"),
        ("=" + TEXT[1:], "it has the character '=', which base64 of 32 bytes has not"),
        (TEXT[:-1] + "A", "it has an end other than '=', which base64 of 32 bytes has not"),
        ("A" * 42 + "B=", "its last character before '=' is 'B', which no key of 32 bytes ends in"),
        (None, "it is a NoneType, and a key is a text of 44 characters in base64"),
        (7, "it is a int, and a key is a text of 44 characters in base64"),
        (bytes(44), "it is a bytes, and a key is a text of 44 characters in base64"),
    ],
)
def test_what_is_no_key_is_told_by_length_and_alphabet(text: object, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        decode_key(text)
    assert str(caught.value) == sentence


@settings(deadline=None, database=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=43, max_size=45) | st.just(TEXT))
def test_what_is_read_as_a_key_is_the_one_way_of_writing_it(text: str) -> None:
    """No second text leads to the same key: who compares texts and who compares bytes find the same."""
    try:
        raw = decode_key(text)
    except ValueError:
        return
    assert encode_key(raw) == text


# --- allowed IPs


def networks(version: int, bits: int) -> st.SearchStrategy[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    return st.builds(
        lambda number, prefix: kind((number, prefix), strict=False), st.integers(0, 2**bits - 1), st.integers(0, bits)
    )


NETWORKS = networks(4, 32) | networks(6, 128)


@settings(deadline=None, database=None)
@given(st.lists(NETWORKS, unique=True, max_size=20))
def test_packed_allowed_ips_sort_v4_before_v6_then_by_address_then_by_length(
    some: list[ipaddress.IPv4Network | ipaddress.IPv6Network],
) -> None:
    packed = sorted(pack_allowed_ip(one.network_address.packed, one.prefixlen) for one in some)
    wanted = sorted(some, key=lambda one: (one.version, int(one.network_address), one.prefixlen))
    assert [ipaddress.ip_network(unpack_allowed_ip(one)) for one in packed] == wanted


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.0/24", "10.0.0.0/24"),
        ("10.0.0.7/24", "10.0.0.0/24"),
        ("10.0.0.7", "10.0.0.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.0.0.0/255.255.255.0", "10.0.0.0/24"),
        ("2001:DB8:0:0::7/32", "2001:db8::/32"),
        ("2001:db8::7", "2001:db8::7/128"),
        ("::/0", "::/0"),
    ],
)
def test_an_allowed_ip_is_written_in_one_way(text: str, canonical: str) -> None:
    assert unpack_allowed_ip(parse_allowed_ip(text)) == canonical


@pytest.mark.parametrize(
    "text", ["", "10.0.0.0/33", "10.0.0/24", "2001:db8::/129", "office", "10.0.0.0/24/7", "10.0.0.1%wg0"]
)
def test_what_is_no_network_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 network"):
        parse_allowed_ip(text)


# --- endpoints


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("192.0.2.7:51820", Endpoint("192.0.2.7", 51820)),
        ("192.0.2.7:0", Endpoint("192.0.2.7", 0)),
        ("[2001:db8::7]:51820", Endpoint("2001:db8::7", 51820)),
        ("[fe80::1%eth0]:65535", Endpoint("fe80::1%eth0", 65535)),
        ("[::ffff:192.0.2.7]:1", Endpoint("::ffff:192.0.2.7", 1)),
    ],
)
def test_an_endpoint_is_read_as_it_is_written(text: str, endpoint: Endpoint) -> None:
    assert unpack_endpoint(parse_endpoint(text)) == endpoint
    assert parse_endpoint(text) == pack_endpoint(*endpoint)
    assert str(endpoint) == text


def test_an_endpoint_is_written_in_one_way() -> None:
    assert str(unpack_endpoint(parse_endpoint("[2001:DB8:0::7]:0051820"))) == "[2001:db8::7]:51820"


@given(st.ip_addresses(), st.integers(0, 65535), st.sampled_from(["", "%eth0", "%wg-ü"]))
def test_every_endpoint_is_packed_and_unpacked(address: Any, port: int, scope: str) -> None:
    host = f"{address}{scope if address.version == 6 else ''}"
    unpacked = unpack_endpoint(pack_endpoint(host, port))
    unpacked_address, _percent, unpacked_scope = unpacked.host.partition("%")
    assert (ipaddress.ip_address(unpacked_address), unpacked.port) == (address, port)
    assert unpacked_scope == host.partition("%")[2]
    assert pack_endpoint(*unpacked) == pack_endpoint(host, port)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("192.0.2.7", "'192.0.2.7' has no port: write 192.0.2.7:51820 or [2001:db8::7]:51820"),
        ("192.0.2.7:", "'192.0.2.7:' has no port: write 192.0.2.7:51820 or [2001:db8::7]:51820"),
        ("192.0.2.7:65536", "'192.0.2.7:65536' has no port: write 192.0.2.7:51820 or [2001:db8::7]:51820"),
        ("192.0.2.7:-1", "'192.0.2.7:-1' has no port: write 192.0.2.7:51820 or [2001:db8::7]:51820"),
        (
            "2001:db8::7:51820",
            "'2001:db8::7:51820': an IPv6 address stands in brackets before a port, as in [2001:db8::7]:51820",
        ),
        ("gw1.example.com:51820", "'gw1.example.com' does not appear to be an IPv4 or IPv6 address"),
        ("192.0.2.7%eth0:1", "'192.0.2.7%eth0' has a scope, as IPv6 addresses may only"),
        (":51820", "'' does not appear to be an IPv4 or IPv6 address"),
    ],
)
def test_what_is_no_endpoint_is_told_why(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_endpoint(text)
    assert str(caught.value) == sentence


# --- snapshots


@pytest.mark.parametrize(
    "value", [Peer(key(1)), Device("wg0"), Endpoint("192.0.2.7", 1)], ids=lambda v: type(v).__name__
)
def test_what_a_poll_sees_is_immutable_and_compares_by_value(value: Peer | Device | Endpoint) -> None:
    for field in value._fields:
        with pytest.raises(AttributeError):
            setattr(value, field, None)
    assert value == type(value)(*value)


def test_a_new_peer_has_nothing() -> None:
    peer = Peer(key(1))
    assert (peer.preshared_key, peer.endpoint, peer.allowed_ips) == (None, None, ())
    assert (peer.persistent_keepalive, peer.last_handshake_ns, peer.rx_bytes, peer.tx_bytes) == (0, 0, 0, 0)


@pytest.mark.parametrize("more", [0, MANY])
def test_peers_are_put_in_the_order_of_their_keys_text(more: int) -> None:
    """Also those whose keys begin with the same bytes, and as the text sorts, not as the bytes do."""
    begin, chance = bytes(range(6)), random.Random(1)
    keys = [begin + bytes([last]) * 26 for last in (0, 62 << 2, 63 << 2, 255, 1, 26 << 2, 52 << 2)]
    keys += [bytes([first]) * 32 for first in (255, 0, 62 << 2, 51 << 2)]
    keys += [chance.getrandbits(256).to_bytes(32, "big") for _number in range(more)]
    peers = sort_by_key([Peer(key) for key in keys])
    texts = [encode_key(peer.public_key) for peer in peers]
    assert texts == sorted(texts)
    assert texts != [encode_key(key) for key in sorted(keys)]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding the UAPI protocol as wireguard-go and boringtun speak it, and what is none of it."""

from __future__ import annotations

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import MalformedReply
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import (
    Device,
    Peer,
    pack_endpoint,
    unpack_allowed_ip,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._uapi import (
    decode_device,
    decode_peer,
    split_reply,
)
from hypothesis import given
from hypothesis import strategies as st
from lab import uapi
from unit.watching import START, key

SECRET = "58" * 32


def text(*lines: str) -> bytes:
    return ("\n".join([*lines, "errno=0"]) + "\n\n").encode()


def decode(reply: bytes) -> tuple[Device, list[Peer]]:
    parts = split_reply(reply)
    return decode_device(parts.device)[0], [decode_peer(one)[0] for one in parts.peers]


def decode_one(*lines: str) -> Peer:
    return decode(text(f"public_key={key(1).hex()}", *lines))[1][0]


# --- what daemons say


def test_an_answer_of_wireguard_go() -> None:
    device, peers = decode((uapi.device_text(2) + "errno=0\n\n").encode())
    assert (device.listen_port, device.fwmark, device.has_private_key) == (51820, 0, True)
    assert [peer.public_key.hex() for peer in peers] == [uapi.peer_key(0), uapi.peer_key(1)]
    assert peers[0] == Peer(
        key(1),
        preshared_key=None,  # zeros
        endpoint=pack_endpoint("192.0.2.1", 51820),
        allowed_ips=(b"\x04\x0a\x00\x00\x00\x20",),
        persistent_keepalive=25,
        last_handshake_ns=START + 123456000,
        rx_bytes=92,
        tx_bytes=148,
    )


def test_port_mark_and_keys_that_are_not_set_are_left_out() -> None:
    device, _peers = decode(text())
    assert device == Device("", backend="userspace", has_private_key=False)


def test_boringtun_tells_its_public_key_and_no_private_one() -> None:
    device, _peers = decode(text(f"own_public_key={'77' * 32}"))
    assert (device.public_key, device.has_private_key) == (b"\x77" * 32, True)


def test_a_private_key_of_zeros_is_none() -> None:
    assert decode(text(f"private_key={'00' * 32}"))[0].has_private_key is False


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(0, 0), (12, 12), (86400 * 365, 86400 * 365), (999_999_999, 999_999_999)],
)
def test_a_small_handshake_time_is_an_age(seconds: int, age: int) -> None:
    """boringtun tells the age where a time is due."""
    lines = [f"last_handshake_time_sec={seconds}".encode(), b"last_handshake_time_nsec=1000"]
    peer, told = decode_peer(b"\n".join([key(1).hex().encode(), *lines]))
    assert (peer.last_handshake_ns, told) == (0, age * 10**9 + 1000)


def test_a_handshake_time_is_a_time_and_zero_is_never() -> None:
    assert decode_one("last_handshake_time_sec=1000000000").last_handshake_ns == 10**18
    never = key(1).hex() + "\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0"
    assert decode_peer(never.encode())[1] is None


def test_allowed_ips_are_sorted_and_their_host_bits_cleared() -> None:
    peer = decode_one("allowed_ip=2001:db8::1/32", "allowed_ip=10.1.2.3/8", "allowed_ip=0.0.0.0/0")
    assert [unpack_allowed_ip(packed) for packed in peer.allowed_ips] == ["0.0.0.0/0", "10.0.0.0/8", "2001:db8::/32"]


def test_a_preshared_key_is_reduced_to_a_hash() -> None:
    hashes = [decode_one(f"preshared_key={byte * 32}").preshared_key for byte in ("01", "02", "01", "00")]
    assert hashes[0] == hashes[2] != hashes[1]
    assert hashes[3] is None
    assert bytes.fromhex("01" * 32) not in hashes


def test_unknown_lines_are_skipped() -> None:
    assert decode_one("protocol_version=1", "mood=good") == Peer(key(1))


def test_the_errno_is_handed_on() -> None:
    assert split_reply(b"errno=-13\n\n").errno == -13


# --- what is none of it

PEER = f"public_key={key(1).hex()}"

MALFORMED: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "does not end with an empty line"),
    ("no empty line", b"errno=0\n", "does not end with an empty line"),
    ("no errno", f"{PEER}\n\n".encode(), "has no errno line"),
    ("more after errno", f"errno=0\n{PEER}\n\n".encode(), "Line 2 .* not of the form key=value"),
    ("no equals sign", text("public_key"), "Line 1 .* not of the form key=value"),
    ("a peer twice", text(PEER, PEER), "Line 2 .* names a peer for the second time"),
    ("a short key", text(f"public_key={SECRET[:-2]}"), "a key in line 1 that is not 64 hexadecimal digits"),
    ("no hexadecimal key", text("public_key=" + "xy" * 32), "a key in line 1"),
    ("a key with white space", text(f"public_key= {SECRET[:-2]} "), "a key in line 1"),
    ("a private key that is none", text(f"private_key={SECRET}00"), "a key that is not 64"),
    ("a preshared key that is none", text(PEER, f"preshared_key={SECRET[:-1]}"), "a key that is not 64"),
    ("a number that is none", text(PEER, "rx_bytes=many"), "a number that is none"),
    ("a negative number", text(PEER, "tx_bytes=-1"), "out of range"),
    ("a number beyond 64 bits", text(PEER, f"tx_bytes={2**64}"), "out of range"),
    ("a number without end", text(PEER, "tx_bytes=" + "9" * 100_000), "out of range"),
    ("an endpoint without a port", text(PEER, "endpoint=192.0.2.7"), "not an endpoint"),
    ("an endpoint by name", text(PEER, "endpoint=vpn.example.org:1"), "not an endpoint"),
    ("an allowed IP that is none", text(PEER, "allowed_ip=10.0.0.300/8"), "not an allowed IP"),
    ("bytes that are no text", text(PEER).replace(b"errno", b"endpoint=\xff\xfe\nerrno"), "not an endpoint"),
]


@pytest.mark.parametrize(("reply", "complaint"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_a_malformed_answer_is_an_error_that_quotes_none_of_it(reply: bytes, complaint: str) -> None:
    with pytest.raises(MalformedReply, match=complaint) as error:
        decode(reply)
    assert SECRET[:16] not in str(error.value)


def test_an_answer_that_is_cut_anywhere_is_an_error() -> None:
    whole = (uapi.device_text(3) + "errno=0\n\n").encode()
    for length in range(len(whole)):
        with pytest.raises(MalformedReply):
            decode(whole[:length])


@given(st.binary(max_size=300))
def test_random_bytes_never_crash_or_hang(noise: bytes) -> None:
    for reply in (noise, noise + b"\nerrno=0\n\n", text(PEER).replace(b"errno", noise + b"\nerrno")):
        try:
            decode(reply)
        except MalformedReply:
            pass


LINES = st.sampled_from(["endpoint", "allowed_ip", "rx_bytes", "fwmark", "preshared_key", "last_handshake_time_sec"])


@given(st.lists(st.tuples(LINES, st.text(max_size=30)), max_size=5))
def test_random_values_never_crash(lines: list[tuple[str, str]]) -> None:
    try:
        _device, peers = decode(text(PEER, *(f"{name}={value}" for name, value in lines)))
    except MalformedReply:
        return
    assert len(peers) == 1

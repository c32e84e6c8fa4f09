# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How devices and peers look as JSON, and what is known again when that JSON is read."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._diff import diff
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import snapshot_state
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import (
    KERNEL,
    SECOND,
    USERSPACE,
    Device,
    Peer,
    pack_allowed_ip,
    pack_endpoint,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._record import (
    Record,
    device_record,
    epoch_time,
    iso_time,
    wall_age,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._restored import device_from_record
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.watching import START, key, peer, text

PEER_KEYS = [
    "public_key",
    "name",
    "has_preshared_key",
    "endpoint",
    "endpoint_host",
    "endpoint_port",
    "allowed_ips",
    "persistent_keepalive",
    "last_handshake",
    "last_handshake_epoch",
    "last_handshake_age",
    "rx_bytes",
    "tx_bytes",
    "state",
]


def recorded(device: Device, now: int = START, names: dict[bytes, str] | None = None, **options: Any) -> Record:
    return device_record(
        device, now, lambda *seen: snapshot_state(seen[0], seen[1], wall_age(seen[1], now)), names or {}, **options
    )


def of(*peers: Peer, **fields: Any) -> Device:
    return Device("wg0", peers={one.public_key: one for one in peers}, **fields)


# --- times


@pytest.mark.parametrize(
    ("nanoseconds", "iso", "epoch"),
    [
        (0, "1970-01-01T00:00:00.000000Z", 0.0),
        (START, "2026-11-23T12:00:00.000000Z", 1795435200.0),
        (START + 123_456_000, "2026-11-23T12:00:00.123456Z", 1795435200.123456),
        (START + 123_456_789, "2026-11-23T12:00:00.123456Z", 1795435200.123456),
        (START + 999_999_999, "2026-11-23T12:00:00.999999Z", 1795435200.999999),
        (START - 1, "2026-11-23T11:59:59.999999Z", 1795435199.999999),
        (951_782_400 * SECOND + 1000, "2000-02-29T00:00:00.000001Z", 951782400.000001),
    ],
)
def test_times_are_exact_to_the_microsecond_and_never_rounded_up(nanoseconds: int, iso: str, epoch: float) -> None:
    assert iso_time(nanoseconds) == iso
    assert epoch_time(nanoseconds) == epoch


@settings(deadline=None, database=None)
@given(st.integers(0, 4_102_444_800 * 1_000_000))  # until the year 2100
def test_both_forms_of_a_time_say_the_same_and_lose_nothing(microseconds: int) -> None:
    nanoseconds = microseconds * 1000
    moment = datetime.strptime(iso_time(nanoseconds), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds == microseconds
    assert round(json.loads(json.dumps(epoch_time(nanoseconds))) * 1_000_000) == microseconds


@pytest.mark.parametrize(
    ("handshake", "now", "age"),
    [(None, 0, None), (0, 0, 0.0), (0, 12.3, 12.3), (10, 0, 0), (-600, 0.25, 600.25)],
)
def test_an_age_is_never_below_zero_whatever_the_clock_did(
    handshake: float | None, now: float, age: float | None
) -> None:
    one = peer(1) if handshake is None else peer(1, handshake=handshake)
    assert wall_age(one, START + round(now * SECOND)) == age


# --- the shape


def test_a_device_as_the_design_shows_it() -> None:
    one = Peer(
        key(2),
        b"hash of a preshared key",
        pack_endpoint("2001:db8::7", 51820),
        tuple(sorted([pack_allowed_ip(bytes(16), 0), pack_allowed_ip(bytes((10, 0, 0, 2)), 32)])),
        25,
        START - 12_300_000_000,
        11,
        12,
    )
    device = of(one, ifindex=7, public_key=key(9), has_private_key=True, listen_port=51820, fwmark=5, up=True)
    assert recorded(device, names={key(2): "office"}) == {
        "interface": "wg0",
        "ifindex": 7,
        "netns": None,
        "backend": KERNEL,
        "public_key": text(9),
        "listen_port": 51820,
        "fwmark": 5,
        "up": True,
        "peers": [
            {
                "public_key": text(2),
                "name": "office",
                "has_preshared_key": True,
                "endpoint": "[2001:db8::7]:51820",
                "endpoint_host": "2001:db8::7",
                "endpoint_port": 51820,
                "allowed_ips": ["10.0.0.2/32", "::/0"],
                "persistent_keepalive": 25,
                "last_handshake": "2026-11-23T11:59:47.700000Z",
                "last_handshake_epoch": 1795435187.7,
                "last_handshake_age": 12.3,
                "rx_bytes": 11,
                "tx_bytes": 12,
                "state": "up",
            }
        ],
    }


def test_what_is_unknown_is_null_and_never_left_out() -> None:
    record = recorded(of(peer(1), netns="blue", backend=USERSPACE))
    assert [record[name] for name in ("netns", "ifindex", "public_key", "up")] == ["blue", None, None, None]
    (one,) = record["peers"]
    assert list(one) == PEER_KEYS
    unknown = ("name", "endpoint", "endpoint_host", "endpoint_port", "last_handshake", "last_handshake_epoch")
    assert [one[name] for name in (*unknown, "last_handshake_age")] == [None] * 7
    assert (one["allowed_ips"], one["has_preshared_key"], one["state"]) == ([], False, "never")


def test_peers_are_sorted_by_the_text_of_their_key() -> None:
    """13 and 3 stand the other way round by bytes. The same state always prints the same."""
    numbers = [40, 3, 1, 13]
    shown = [one["public_key"] for one in recorded(of(*map(peer, numbers)))["peers"]]
    assert shown == [text(number) for number in (13, 1, 3, 40)]
    assert recorded(of(*map(peer, numbers))) == recorded(of(*map(peer, reversed(numbers))))


def test_only_these_peers() -> None:
    record = recorded(of(peer(1), peer(2), peer(3)), only=frozenset([key(3), key(9)]))
    assert [one["public_key"] for one in record["peers"]] == [text(3)]


# --- and back

PEERS = st.builds(
    Peer,
    st.binary(min_size=32, max_size=32),
    st.none() | st.just(b""),
    st.none()
    | st.builds(pack_endpoint, st.sampled_from(["192.0.2.7", "2001:db8::7", "fe80::1%eth0"]), st.integers(0, 65535)),
    st.sets(
        st.builds(lambda prefix: pack_allowed_ip(bytes(4), prefix), st.integers(0, 32))
        | st.builds(lambda prefix: pack_allowed_ip(bytes(16), prefix), st.integers(0, 128))
    ).map(lambda ips: tuple(sorted(ips))),
    st.integers(0, 65535),
    st.integers(0, 4_102_444_800 * 1_000_000).map(lambda microseconds: microseconds * 1000),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)
DEVICES = st.builds(
    lambda own_key, peers, **fields: Device(
        public_key=own_key,
        has_private_key=True if own_key else None,
        peers={one.public_key: one for one in peers},
        **fields,
    ),
    own_key=st.none() | st.binary(min_size=32, max_size=32),
    peers=st.lists(PEERS, max_size=4),
    interface=st.just("wg0"),
    netns=st.none() | st.just("blue"),
    backend=st.sampled_from([KERNEL, USERSPACE]),
    ifindex=st.none() | st.integers(1, 2**31 - 1),
    listen_port=st.integers(0, 65535),
    fwmark=st.integers(0, 2**32 - 1),
    up=st.none() | st.booleans(),
)


@settings(deadline=None, database=None)
@given(DEVICES)
def test_a_device_that_went_through_json_is_the_same_device(device: Device) -> None:
    again = device_from_record(json.loads(json.dumps(recorded(device), allow_nan=False)))
    assert again == device
    assert diff(again, device) == []


def test_a_preshared_key_that_went_through_json_is_set_and_not_known() -> None:
    """Its hash is of another process, so whether it was replaced meanwhile nobody can say; set or cleared one can."""
    keyed, keyless = of(peer(1, preshared_key=b"some hash")), of(peer(1))
    again = device_from_record(recorded(keyed))
    assert again.peers[key(1)].preshared_key == b""
    assert diff(again, keyed) == []
    assert [change.type for change in diff(again, keyless)] == ["peer_preshared_key_changed"]
    assert [change.type for change in diff(device_from_record(recorded(keyless)), keyed)] == [
        "peer_preshared_key_changed"
    ]


def test_whether_there_is_a_private_key_is_not_known_from_a_record_without_a_public_key() -> None:
    assert device_from_record(recorded(of(has_private_key=False))).has_private_key is None
    assert device_from_record(recorded(of(public_key=key(9)))).has_private_key is True


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record.pop("peers"),
        lambda record: record.pop("interface"),
        lambda record: record.pop("backend"),
        lambda record: record.update(peers=None),
        lambda record: record.update(peers=["x"]),
        lambda record: record.update(listen_port="many"),
        lambda record: record.update(public_key="short"),
        lambda record: record["peers"][0].pop("public_key"),
        lambda record: record["peers"][0].pop("endpoint_port"),
        lambda record: record["peers"][0].update(allowed_ips=["office"]),
        lambda record: record["peers"][0].update(last_handshake_epoch="soon"),
        lambda record: record["peers"][0].update(persistent_keepalive=None),
    ],
)
def test_what_is_no_record_of_ours_is_an_error(damage: Any) -> None:
    record = recorded(of(peer(1, endpoint="192.0.2.7:1"), public_key=key(9)))
    damage(record)
    with pytest.raises((ValueError, KeyError, TypeError)):
        device_from_record(record)

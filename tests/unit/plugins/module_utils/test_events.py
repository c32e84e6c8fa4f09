# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event contract (docs/events.md): every type, always the same keys, JSON types only, fresh dicts, no gaps."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InvalidArgument, Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._event import TYPES, Change, Encoder, check_types
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Device, pack_endpoint, parse_allowed_ip
from ansible_collections.wirewatch.wireguard.plugins.module_utils._record import device_record
from unit.plugins.module_utils.test_record import PEER_KEYS
from unit.watching import START, Event, World, key, peer, poll, short, text

KEYS = [
    "schema",
    "type",
    "initial",
    "sequence",
    "observed_at",
    "observed_at_epoch",
    "host",
    "netns",
    "interface",
    "ifindex",
    "public_key",
    "name",
    "field",
    "previous",
    "current",
    "first",
    "added",
    "removed",
    "reason",
    "device",
    "peer",
]
DEVICE_KEYS = ["interface", "ifindex", "netns", "backend", "public_key", "listen_port", "fwmark", "up"]

WG0 = Device("wg0", "blue", ifindex=7, public_key=key(9), listen_port=51820, up=True)
PEER = peer(
    1, endpoint="192.0.2.7:51820", allowed_ips=["10.0.0.1/32"], handshake=-10, rx_bytes=5, preshared_key=b"SECRET"
)
IPS = {name: parse_allowed_ip(name) for name in ("10.0.0.1/32", "10.0.0.2/32", "2001:db8::/32")}

# What a change is, and what of its event is not null beyond what every event has.
CONTRACT: list[tuple[Change, Event]] = [
    (Change("peer_added", WG0, PEER, initial=True), {"initial": True}),
    (Change("peer_removed", WG0, PEER), {}),
    (
        Change("peer_endpoint_changed", WG0, PEER, None, pack_endpoint("2001:db8::7", 1)),
        {"current": "[2001:db8::7]:1"},
    ),
    (
        Change("peer_endpoint_changed", WG0, PEER, pack_endpoint("192.0.2.7", 51820), None),
        {"previous": "192.0.2.7:51820"},
    ),
    (
        Change("peer_handshake_refreshed", WG0, PEER, START, START + 1000),
        {"previous": "2026-11-23T12:00:00.000000Z", "current": "2026-11-23T12:00:00.000001Z", "first": False},
    ),
    (
        Change("peer_handshake_refreshed", WG0, PEER, 0, START),
        {"current": "2026-11-23T12:00:00.000000Z", "first": True},
    ),
    (
        Change(
            "peer_allowed_ips_changed",
            WG0,
            PEER,
            (IPS["10.0.0.1/32"], IPS["10.0.0.2/32"]),
            (IPS["10.0.0.2/32"], IPS["2001:db8::/32"]),
        ),
        {
            "previous": ["10.0.0.1/32", "10.0.0.2/32"],
            "current": ["10.0.0.2/32", "2001:db8::/32"],
            "added": ["2001:db8::/32"],
            "removed": ["10.0.0.1/32"],
        },
    ),
    (
        Change("peer_allowed_ips_changed", WG0, PEER, (), (IPS["10.0.0.1/32"],)),
        {"previous": [], "current": ["10.0.0.1/32"], "added": ["10.0.0.1/32"], "removed": []},
    ),
    (Change("peer_recreated", WG0, PEER), {}),
    (Change("peer_keepalive_changed", WG0, PEER, 0, 25), {"previous": 0, "current": 25}),
    (Change("peer_preshared_key_changed", WG0, PEER, True, True), {"previous": True, "current": True}),
    (Change("peer_state_changed", WG0, PEER, "up", "down"), {"previous": "up", "current": "down"}),
    (Change("interface_added", WG0, initial=True), {"initial": True}),
    (Change("interface_removed", WG0), {}),
    (
        Change("interface_changed", WG0, previous=0, current=51820, field="listen_port"),
        {"field": "listen_port", "previous": 0, "current": 51820},
    ),
    (
        Change("interface_changed", WG0, previous=None, current=key(9), field="public_key"),
        {"field": "public_key", "current": text(9)},
    ),
    (
        Change("interface_changed", WG0, previous=True, current=False, field="up"),
        {"field": "up", "previous": True, "current": False},
    ),
    (Change("watch_heartbeat"), {}),
    (Change("watch_degraded", Device("wg0", "blue", ifindex=7), reason="It is busy"), {"reason": "It is busy"}),
    (Change("watch_degraded", reason="The state file is full"), {"reason": "The state file is full"}),
    (Change("watch_recovered", Device("wg0", "blue", ifindex=7)), {}),
]


@pytest.mark.parametrize(("change", "said"), CONTRACT, ids=lambda one: one.type if isinstance(one, Change) else "")
def test_what_an_event_says(change: Change, said: Event) -> None:
    event = Encoder("gw1", {key(1): "office"}).encode(change._replace(liveness=("up", 10.0004)), START + 1_500_000_000)
    there, of_peer = change.device is not None, change.peer is not None
    device, shown = event.pop("device"), event.pop("peer")
    assert event == {
        **dict.fromkeys(KEYS[:-2]),
        "schema": 1,
        "type": change.type,
        "initial": False,
        "sequence": 1,
        "observed_at": "2026-11-23T12:00:01.500000Z",
        "observed_at_epoch": 1795435201.5,
        "host": "gw1",
        "netns": "blue" if there else None,
        "interface": "wg0" if there else None,
        "ifindex": 7 if there else None,
        "public_key": text(1) if of_peer else None,
        "name": "office" if of_peer else None,
        **said,
    }
    if of_peer:
        assert list(shown) == PEER_KEYS
        facts = ("public_key", "name", "endpoint", "has_preshared_key", "rx_bytes", "state", "last_handshake_age")
        assert [shown[fact] for fact in facts] == [text(1), "office", "192.0.2.7:51820", True, 5, "up", 10.0]
    else:
        assert shown is None
    if change.type.startswith("interface_"):
        assert list(device) == DEVICE_KEYS
        assert (device["public_key"], device["listen_port"], device["up"]) == (text(9), 51820, True)
    else:
        assert device is None


def test_the_contract_is_tested_whole() -> None:
    assert {change.type for change, _said in CONTRACT} == set(TYPES)


@pytest.mark.parametrize("change", [change for change, _said in CONTRACT], ids=lambda change: change.type)
def test_every_event_has_the_same_keys_and_json_types_only(change: Change) -> None:
    event = Encoder("gw1", {}).encode(change, START)
    assert list(event) == KEYS
    line = json.dumps(event, allow_nan=False)
    assert json.loads(line) == event
    assert "SECRET" not in line


def containers(value: Any) -> list[int]:
    """The identities of all dicts and lists in a value."""
    if isinstance(value, dict):
        return [id(value), *(one for part in value.values() for one in containers(part))]
    if isinstance(value, list):
        return [id(value), *(one for part in value for one in containers(part))]
    return []


def test_each_event_is_made_afresh_down_to_its_lists() -> None:
    """The rule engine writes into events, and tells them apart by what it wrote."""
    encoder = Encoder("gw1", {})
    events = [encoder.encode(change, START) for change, _said in CONTRACT for _twice in range(2)]
    seen = [one for event in events for one in containers(event)]
    assert len(seen) == len(set(seen))


def test_the_sequence_has_no_gaps_and_unwanted_events_no_number() -> None:
    encoder = Encoder("gw1", {})
    wanted = [True, False, True, True, False, False, True]
    numbers = [encoder.encode(Change("watch_heartbeat"), START, one)["sequence"] for one in wanted]
    assert numbers == [1, None, 2, 3, None, None, 4]


# --- types


def test_all_types_are_on_unless_some_are_named() -> None:
    assert check_types(None) == frozenset(TYPES)
    assert check_types(["peer_removed", "peer_added", "peer_removed"]) == {"peer_removed", "peer_added"}
    assert TYPES[:5] == (
        "peer_added",
        "peer_removed",
        "peer_endpoint_changed",
        "peer_handshake_refreshed",
        "peer_allowed_ips_changed",
    )


@pytest.mark.parametrize(
    ("types", "sentence"),
    [
        ([], "types is an empty list, so no event would ever come: name some, or leave the option out"),
        (["peer_added", "peer_lost"], f"types has 'peer_lost', which is no event type. There are: {', '.join(TYPES)}"),
    ],
)
def test_types_that_cannot_be(types: list[str], sentence: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_types(types)
    assert str(caught.value) == sentence


# --- a stream


def test_a_removed_peer_is_shown_as_it_was_last_seen_also_when_its_interface_goes() -> None:
    world = World()
    seen = peer(1, endpoint="192.0.2.7:1", allowed_ips=["10.0.0.1/32"], handshake=0, rx_bytes=5, tx_bytes=6)
    for leave in (lambda: world.put("wg0"), lambda: world.drop("wg0")):
        world.put("wg0", seen)
        watcher = world.watcher("wg0")
        poll(watcher)
        world.clock.sleep(1)
        leave()
        event = poll(watcher)[0]
        assert event["type"] == "peer_removed"
        facts = ("endpoint", "allowed_ips", "last_handshake", "rx_bytes", "tx_bytes", "state")
        assert [event["peer"][fact] for fact in facts] == [
            "192.0.2.7:1",
            ["10.0.0.1/32"],
            "2026-11-23T12:00:00.000000Z",
            5,
            6,
            "up",
        ]


def test_the_stream_of_a_life_in_the_order_of_the_contract() -> None:
    world = World()
    watcher = world.watcher("wg0", heartbeat=60)
    told = []

    def then(*peers: Any, **fields: Any) -> None:
        world.clock.sleep(1)
        world.put("wg0", *peers, **fields)
        told.append(poll(watcher))

    then(peer(1))
    then(peer(1, endpoint="192.0.2.1:1", handshake=1, allowed_ips=["10.0.0.1/32"], persistent_keepalive=25))
    then(peer(1, endpoint="192.0.2.1:1", preshared_key=b"x", persistent_keepalive=25), peer(2), fwmark=1)
    world.fail("wg0", Temporary("It is busy"))
    told.append(poll(watcher))
    world.clock.sleep(60)
    then(peer(2), fwmark=1)
    world.drop("wg0")
    told.append(poll(watcher))
    assert [short(events) for events in told] == [
        ["interface_added wg0", "peer_added wg0 1"],
        [
            "peer_endpoint_changed wg0 1",
            "peer_handshake_refreshed wg0 1",
            "peer_allowed_ips_changed wg0 1",
            "peer_keepalive_changed wg0 1",
            "peer_state_changed wg0 1",
        ],
        [
            "interface_changed wg0",
            "peer_added wg0 2",
            "peer_allowed_ips_changed wg0 1",
            "peer_recreated wg0 1",
            "peer_preshared_key_changed wg0 1",
            "peer_state_changed wg0 1",
        ],
        ["watch_degraded wg0"],
        ["watch_recovered wg0", "peer_removed wg0 1", "watch_heartbeat"],
        ["peer_removed wg0 2", "interface_removed wg0"],
    ]
    stream = [event for events in told for event in events]
    assert {event["type"] for event in stream} == set(TYPES)
    assert [event["sequence"] for event in stream] == list(range(1, len(stream) + 1))
    assert [event["initial"] for event in stream] == [True, True] + [False] * (len(stream) - 2)
    assert [list(event) for event in stream] == [KEYS] * len(stream)


# --- the same history, the same bytes

REPLAY = """
import json, sys
from ansible_collections.wirewatch.wireguard.plugins.module_utils._diff import diff
from ansible_collections.wirewatch.wireguard.plugins.module_utils._event import Encoder
from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import apply
from ansible_collections.wirewatch.wireguard.plugins.module_utils._restored import device_from_record

encoder, state, previous = Encoder("gw1", {}), {}, None
for number, line in enumerate(open(sys.argv[1], encoding="utf-8")):
    record = json.loads(line)
    device = device_from_record(record) if record else None
    for change in diff(previous, device):
        event = encoder.encode(change, number * 10**9)
        apply(state, event)
        print(json.dumps(event, allow_nan=False))
    previous = device
print(json.dumps(list(state.values())))
"""


def record_history(path: Path) -> None:
    """Two hundred snapshots of thirty peers, as wg_device_info would return them; now and then no interface."""
    world, chance = World(), random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        for step in range(200):
            peers = [
                peer(
                    number,
                    endpoint=chance.choice([None, "192.0.2.1:1", "192.0.2.2:2"]),
                    allowed_ips=chance.sample(["10.0.0.0/24", "10.0.1.0/24", "2001:db8::/32", "::/0"], 2),
                    handshake=chance.choice([0, step]),
                    persistent_keepalive=chance.choice([0, 25]),
                )
                for number in chance.sample(range(30), 20)
            ]
            world.put("wg0", *peers, listen_port=step % 3)
            device = world.there[None, "wg0"]
            assert isinstance(device, Device)
            record = None if step % 50 == 49 else device_record(device, START, lambda *_seen: "up", {})
            file.write(json.dumps(record) + "\n")


def test_a_recorded_history_gives_the_same_bytes_in_every_process(import_folder: Path, tmp_path: Path) -> None:
    """The order of sets of bytes differs from one process to the next, unless PYTHONHASHSEED says otherwise."""
    record_history(tmp_path / "history")
    streams = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(import_folder), "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", REPLAY, str(tmp_path / "history")]
        streams.append(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert streams[0].count(b"\n") > 2000
    assert streams[0] == streams[1]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who folds all events keeps a mirror of what they describe: random histories against the records themselves."""

from __future__ import annotations

import copy
import json
from typing import Any, Dict

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._event import Change, Encoder
from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import PEER_FACTS, Place, apply
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Device
from ansible_collections.wirewatch.wireguard.plugins.module_utils._record import (
    Record,
    interface_record,
    peer_record,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._restored import device_from_record
from ansible_collections.wirewatch.wireguard.plugins.module_utils._tracker import Tracker
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.watching import START, World, key, peer, poll, text

State = Dict[Place, Record]
NAMES = {key(1): "office", key(3): "home"}
INTERFACES = ("wg0", "wg1")

PEERS = st.builds(
    peer,
    st.integers(1, 5),
    endpoint=st.sampled_from([None, "192.0.2.1:1", "192.0.2.1:2"]),
    allowed_ips=st.lists(st.sampled_from(["10.0.0.1/32", "10.0.0.2/32", "::/0"]), unique=True),
    persistent_keepalive=st.sampled_from([0, 25]),
    preshared_key=st.sampled_from([None, b"a", b"b"]),
    handshake=st.integers(-200, 200),
    rx_bytes=st.integers(0, 3),
    tx_bytes=st.integers(0, 500),
) | st.builds(peer, st.integers(1, 5))
SNAPSHOTS = st.fixed_dictionaries(
    {
        "peers": st.lists(PEERS, max_size=5, unique_by=lambda one: one.public_key),
        "ifindex": st.sampled_from([7, 7, 7, 8]),
        "listen_port": st.sampled_from([1, 1, 2]),
        "public_key": st.sampled_from([key(9), None]),
        "up": st.sampled_from([True, True, False]),
    }
)
GONE, FAILS = "gone", "fails"
# What happens to one interface, how long the next poll is away, and whether what it found gets delivered.
STEPS = st.tuples(
    st.sampled_from(INTERFACES),
    SNAPSHOTS | st.sampled_from([GONE, FAILS]),
    st.sampled_from([1, 20, 200]),
    st.booleans(),
)


class Truth:
    """What the interfaces are, kept apart from the watcher: each one's last good snapshot, and a tracker of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._devices: dict[str, Device] = {}
        self._trackers: dict[str, Tracker] = {}

    def look(self) -> None:
        clock = self._world.clock
        for name in INTERFACES:
            there = self._world.there.get((None, name))
            if there is None:
                self._devices.pop(name, None)
                self._trackers.pop(name, None)
            elif isinstance(there, Device):
                self._devices[name] = there
                tracker = self._trackers.setdefault(name, Tracker())
                tracker.update(there, clock.wall_ns(), clock.monotonic_ns())

    def shown(self) -> State:
        return {
            ("gw1", None, name): {
                "interface": interface_record(device),
                "peers": {text(int.from_bytes(who, "big")): self._facts(name, who) for who in device.peers},
            }
            for name, device in self._devices.items()
        }

    def _facts(self, name: str, who: bytes) -> dict[str, Any]:
        one = self._devices[name].peers[who]
        record = peer_record(one, self._trackers[name].state(who), None, NAMES.get(who))
        return {fact: record[fact] for fact in PEER_FACTS}


def happen(world: World, interface: str, what: Any) -> None:
    if what == GONE:
        world.there.pop((None, interface), None)
    elif what == FAILS:
        world.fail(interface, Temporary("It is busy"))
    else:
        fields = dict(what)
        world.put(interface, *fields.pop("peers"), **fields)


@settings(deadline=None, database=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=12))
def test_all_events_of_a_history_fold_to_what_records_show(history: list[tuple[str, Any, int, bool]]) -> None:
    """Also where polls go unconfirmed, interfaces come and go, and reading fails: and each event twice is as good."""
    world = World()
    truth, watcher = Truth(world), world.watcher(*INTERFACES, names=NAMES)
    once: State = {}
    twice: State = {}
    for interface, what, pause, delivered in [*history, ("wg0", FAILS, 1, True)]:
        happen(world, interface, what)
        truth.look()
        events = poll(watcher, confirm=delivered)
        if delivered:
            for event in events:
                apply(once, event)
                apply(twice, event)
                before = copy.deepcopy(twice)
                apply(twice, event)
                assert twice == before
            assert once == twice == truth.shown()
        world.clock.sleep(pause)


@settings(deadline=None, database=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=1, max_size=8))
def test_a_batch_that_is_delivered_again_whole_changes_nothing_more(history: list[tuple[str, Any, int, bool]]) -> None:
    """At least once: after a SIGKILL the whole batch comes again, though some of it was taken in."""
    world = World()
    watcher = world.watcher(*INTERFACES)
    state: State = {}
    for interface, what, pause, _delivered in history:
        happen(world, interface, what)
        events = poll(watcher)
        for event in events:
            apply(state, event)
        before = copy.deepcopy(state)
        for event in events:
            apply(state, event)
        assert state == before
        world.clock.sleep(pause)


@settings(deadline=None, database=None, max_examples=100)
@given(SNAPSHOTS)
def test_a_mirror_is_enough_to_know_the_device_but_for_its_counters(what: dict[str, Any]) -> None:
    world = World()
    happen(world, "wg0", what)
    state: State = {}
    for event in poll(world.watcher("wg0")):
        apply(state, event)
    entry = state["gw1", None, "wg0"]
    again = device_from_record(dict(entry["interface"], peers=list(entry["peers"].values())))
    seen = world.there[None, "wg0"]
    assert isinstance(seen, Device)
    kept = {
        who: one._replace(rx_bytes=0, tx_bytes=0, preshared_key=None if one.preshared_key is None else b"")
        for who, one in seen.peers.items()
    }
    assert again == seen._replace(peers=kept, has_private_key=True if seen.public_key else None)


# --- single events


def event_of(kind: str, **change: Any) -> dict[str, Any]:
    one = peer(1, endpoint="192.0.2.1:1", allowed_ips=["10.0.0.1/32"], handshake=0, persistent_keepalive=25)
    named = {
        "device": Device("wg0"),
        "peer": one if kind.startswith("peer_") else None,
        "liveness": ("up", None),
        **change,
    }
    return Encoder("gw1", {}).encode(Change(kind, **named), START)


def test_an_event_tells_only_the_fact_it_is_about() -> None:
    """It carries the whole peer. Were that taken over, the mirror would be ahead, and a restart would miss the rest."""
    state: State = {}
    added = event_of("peer_added", peer=peer(1), liveness=("never", None))
    apply(state, added)
    apply(state, event_of("peer_endpoint_changed", current=peer(1, endpoint="192.0.2.1:1").endpoint))
    (known,) = state["gw1", None, "wg0"]["peers"].values()
    changed = {fact for fact in PEER_FACTS if known[fact] != added["peer"][fact]}
    assert changed == {"endpoint", "endpoint_host", "endpoint_port"}


@pytest.mark.parametrize("kind", ["watch_heartbeat", "watch_degraded", "watch_recovered"])
def test_events_about_the_watch_tell_nothing_of_peers(kind: str) -> None:
    state: State = {}
    apply(state, event_of("peer_added"))
    before = copy.deepcopy(state)
    apply(state, event_of(kind, device=None))
    apply(state, event_of(kind, liveness=(None, None)))
    assert state == before


def test_an_event_of_the_watch_makes_no_interface_out_of_nothing() -> None:
    state: State = {}
    assert apply(state, event_of("watch_degraded", device=None)) is None
    apply(state, event_of("watch_degraded", reason="There is no interface wg0"))
    assert state == {}


def test_a_change_of_a_peer_that_was_never_told_of_is_left_out() -> None:
    """With `types` or `peers` narrowed there is no whole peer to know, and half of one would be a guess."""
    state: State = {}
    apply(state, event_of("interface_added"))
    apply(state, event_of("peer_keepalive_changed", previous=0, current=25))
    assert state["gw1", None, "wg0"]["peers"] == {}


def test_interfaces_are_kept_apart_by_host_and_namespace() -> None:
    state: State = {}
    for host in ("gw1", "gw2"):
        for netns in (None, "blue"):
            place = apply(state, {**event_of("peer_added", device=Device("wg0", netns)), "host": host})
            assert place == (host, netns, "wg0")
    apply(state, event_of("interface_removed", device=Device("wg0", "blue")))
    assert sorted(state, key=str) == [("gw1", None, "wg0"), ("gw2", "blue", "wg0"), ("gw2", None, "wg0")]


def test_a_mirror_is_of_json_types() -> None:
    state: State = {}
    for kind in ("interface_added", "peer_added"):
        apply(state, event_of(kind))
    entry = state["gw1", None, "wg0"]
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry
    assert [list(one) for one in entry["peers"].values()] == [list(PEER_FACTS)]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher: what each poll tells, in which order, and what is told again when nobody confirmed it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import (
    MissingNamespace,
    NotWireGuard,
    Temporary,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._event import TYPES
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import LivenessOptions
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import REDISCOVERY, WatchOptions
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch_options import check
from unit.watching import Event, World, key, peer, poll, short, text


@pytest.fixture
def world() -> World:
    return World()


# --- the start


def test_emit_tells_the_inventory_as_added_and_initial(world: World) -> None:
    world.put("wg0", peer(2), peer(1))
    events = poll(world.watcher("wg0"))
    assert short(events) == ["interface_added wg0", "peer_added wg0 1", "peer_added wg0 2"]
    assert all(event["initial"] for event in events)


def test_skip_tells_changes_only(world: World) -> None:
    world.put("wg0", peer(1))
    watcher = world.watcher("wg0", initial="skip")
    assert poll(watcher) == []
    world.put("wg0", peer(1), peer(2))
    events = poll(watcher)
    assert short(events) == ["peer_added wg0 2"]
    assert not events[0]["initial"]


def test_skip_covers_an_interface_that_cannot_be_read_at_first(world: World) -> None:
    world.fail("wg0", Temporary("It is busy"))
    watcher = world.watcher("wg0", initial="skip")
    assert short(poll(watcher)) == ["watch_degraded wg0"]
    world.put("wg0", peer(1))
    assert short(poll(watcher)) == ["watch_recovered wg0"]


def test_skip_does_not_cover_what_comes_later(world: World) -> None:
    watcher = world.watcher("wg0", initial="skip")
    poll(watcher)
    world.put("wg0", peer(1))
    assert short(poll(watcher)) == ["watch_recovered wg0", "interface_added wg0", "peer_added wg0 1"]


# --- nlink's tests of the watcher, as far as they are of the watch and not of the diff


def test_nlink_option_defaults() -> None:
    """All types, all interfaces of the caller's namespace, all peers, inventory at start."""
    options, state_file, hosts = check({})
    assert options._replace(host="", patterns=("*",), netns=(None,)) == WatchOptions()
    assert (options.patterns, options.netns, options.interval) == (["*"], [None], 1.0)
    assert options.types == frozenset(TYPES)
    assert (options.peers, options.initial, options.debounce, options.heartbeat) == (None, "emit", 0.0, 0.0)
    assert (state_file, hosts) == (None, None)


def test_nlink_several_interfaces(world: World) -> None:
    """Each has a memory of its own: the same peer on two interfaces is two peers."""
    world.put("wg0", peer(1, endpoint="192.0.2.1:1"))
    world.put("wg1", peer(1, endpoint="192.0.2.1:1"), ifindex=8)
    watcher = world.watcher("wg0", "wg1")
    assert short(poll(watcher)) == [
        "interface_added wg0",
        "peer_added wg0 1",
        "interface_added wg1",
        "peer_added wg1 1",
    ]
    assert poll(watcher) == []
    world.put("wg1", peer(1, endpoint="192.0.2.9:1"), ifindex=8)
    assert short(poll(watcher)) == ["peer_endpoint_changed wg1 1"]


def test_nlink_no_change_tells_nothing(world: World) -> None:
    world.put("wg0", peer(1, handshake=0))
    watcher = world.watcher("wg0")
    poll(watcher)
    for _poll in range(5):
        world.clock.sleep(1)
        assert poll(watcher) == []


# --- order


def test_interfaces_come_in_the_configured_order_and_globs_by_name(world: World) -> None:
    for name in ("wg10", "wg2", "office", "wg1", "lab"):
        world.put(name)
    events = poll(world.watcher("lab", "wg*", "office", "wg1"))
    assert [event["interface"] for event in events] == ["lab", "wg1", "wg10", "wg2", "office"]


def test_namespaces_come_in_the_configured_order(world: World) -> None:
    for netns in ("blue", "red", None):
        world.put("wg0", netns=netns)
    events = poll(world.watcher("wg0", netns=["red", None, "blue"]))
    assert [event["netns"] for event in events] == ["red", None, "blue"]


def test_within_an_interface_added_then_removed_then_changed_each_by_key(world: World) -> None:
    # 250 and 3 stand the other way round by bytes than by the text that events show
    world.put("wg0", *(peer(number) for number in (1, 3, 4, 250)), listen_port=1)
    watcher = world.watcher("wg0")
    poll(watcher)
    changed = [peer(number, persistent_keepalive=25, endpoint="192.0.2.1:1") for number in (250, 3)]
    world.put("wg0", *changed, peer(6), peer(5), listen_port=2)
    told = short(poll(watcher))
    by_text = sorted((3, 250), key=text)
    assert told == [
        "interface_changed wg0",
        "peer_added wg0 5",
        "peer_added wg0 6",
        "peer_removed wg0 1",
        "peer_removed wg0 4",
        *(f"{kind} wg0 {n}" for n in by_text for kind in ("peer_endpoint_changed", "peer_keepalive_changed")),
    ]


def test_a_peers_state_comes_after_its_other_changes(world: World) -> None:
    world.put("wg0", peer(1), peer(2))
    watcher = world.watcher("wg0")
    poll(watcher)
    world.put("wg0", peer(1, handshake=0), peer(2, endpoint="192.0.2.1:1", handshake=0))
    assert short(poll(watcher)) == [
        "peer_handshake_refreshed wg0 1",
        "peer_state_changed wg0 1",
        "peer_endpoint_changed wg0 2",
        "peer_handshake_refreshed wg0 2",
        "peer_state_changed wg0 2",
    ]


# --- interfaces that come and go


def test_an_interface_appears_and_goes(world: World) -> None:
    watcher = world.watcher("wg*")
    assert poll(watcher, links_changed=True) == []
    world.put("wg7", peer(1))
    came = poll(watcher, links_changed=True)
    assert short(came) == ["interface_added wg7", "peer_added wg7 1"]
    assert not any(event["initial"] for event in came)
    world.drop("wg7")
    assert short(poll(watcher, links_changed=True)) == ["peer_removed wg7 1", "interface_removed wg7"]
    assert poll(watcher) == []
    assert all(reader.closed for reader in world.readers)


def test_found_interfaces_are_looked_for_again_without_a_sign(world: World) -> None:
    """A notification may be lost; every half a minute is often enough for that."""
    watcher = world.watcher("*")
    poll(watcher)
    world.put("wg0")
    assert poll(watcher) == []
    world.clock.sleep(REDISCOVERY)
    assert short(poll(watcher)) == ["interface_added wg0"]


def test_an_interface_that_is_made_anew_between_two_polls(world: World) -> None:
    world.put("wg0", peer(1, rx_bytes=5), ifindex=7)
    watcher = world.watcher("wg0")
    poll(watcher)
    world.put("wg0", peer(1, rx_bytes=5), ifindex=8)
    assert short(poll(watcher)) == ["interface_changed wg0", "peer_recreated wg0 1"]


def test_a_name_that_is_not_there_is_said_once_and_watched_for(world: World) -> None:
    watcher = world.watcher("wg9")
    (event,) = poll(watcher)
    assert (event["type"], event["interface"]) == ("watch_degraded", "wg9")
    assert event["reason"] == "There is no interface wg9. It is watched for"
    assert poll(watcher) == []
    world.put("wg9", peer(1))
    came = poll(watcher)
    assert short(came) == ["watch_recovered wg9", "interface_added wg9", "peer_added wg9 1"]
    assert not any(event["initial"] for event in came)


def test_that_a_name_is_not_there_reaches_the_log_whatever_types_are_asked_for(world: World) -> None:
    (pair,) = world.watcher("wg9", types=frozenset(["peer_removed"])).poll()
    event, wanted = pair
    assert event["reason"]
    assert event["sequence"] is None
    assert not wanted


def test_an_interface_that_was_there_and_is_gone_is_no_trouble(world: World) -> None:
    world.put("wg0", peer(1))
    watcher = world.watcher("wg0")
    poll(watcher)
    world.drop("wg0")
    assert short(poll(watcher)) == ["peer_removed wg0 1", "interface_removed wg0"]
    assert poll(watcher) == []
    world.put("wg0", peer(1))
    assert short(poll(watcher)) == ["interface_added wg0", "peer_added wg0 1"]


# --- failures


def test_one_interface_that_fails_does_not_stop_the_others(world: World) -> None:
    world.put("wg0", peer(1))
    world.fail("wg1", Temporary("It is busy"))
    world.put("wg2", peer(2))
    watcher = world.watcher("*")
    told = ["interface_added wg0", "peer_added wg0 1", "watch_degraded wg1", "interface_added wg2", "peer_added wg2 2"]
    assert short(poll(watcher)) == told


def test_nor_does_one_that_fails_as_nobody_foresaw(world: World) -> None:
    world.put("wg0", peer(1))
    world.put("wg1", peer(2))
    watcher = world.watcher("wg0", "wg1")
    poll(watcher)
    world.fail("wg0", OSError(5, "what was read: SECRET"))
    world.put("wg1")
    degraded, removed = poll(watcher)
    assert short([degraded, removed]) == ["watch_degraded wg0", "peer_removed wg1 2"]
    assert degraded["reason"] == "Interface wg0 can't be read: unexpected OSError. It is tried again at each poll"


def test_a_temporary_failure_is_no_removal(world: World) -> None:
    """Deliberately other than nlink: its watcher reads every error as "all peers removed"."""
    world.put("wg0", peer(1, endpoint="192.0.2.1:1"), peer(2))
    watcher = world.watcher("wg0")
    poll(watcher)
    world.fail("wg0", Temporary("The dump was interrupted"))
    (event,) = poll(watcher)
    assert (event["type"], event["reason"], event["ifindex"]) == ("watch_degraded", "The dump was interrupted", 7)
    assert poll(watcher) == []
    world.put("wg0", peer(1, endpoint="192.0.2.9:1"), peer(3))
    assert short(poll(watcher)) == [
        "watch_recovered wg0",
        "peer_added wg0 3",
        "peer_removed wg0 2",
        "peer_endpoint_changed wg0 1",
    ]
    assert poll(watcher) == []


def test_a_failure_that_ends_in_removal_removes(world: World) -> None:
    world.put("wg0", peer(1))
    watcher = world.watcher("wg0")
    poll(watcher)
    world.fail("wg0", Temporary("It is busy"))
    assert short(poll(watcher)) == ["watch_degraded wg0"]
    world.drop("wg0")
    assert short(poll(watcher)) == ["watch_recovered wg0", "peer_removed wg0 1", "interface_removed wg0"]


def test_a_link_of_another_kind_under_the_name_means_that_the_interface_is_gone(world: World) -> None:
    world.put("wg0", peer(1))
    watcher = world.watcher("wg*")
    poll(watcher)
    world.fail("wg0", NotWireGuard("wg0 is a bridge"))
    assert short(poll(watcher)) == ["peer_removed wg0 1", "interface_removed wg0"]


def test_a_discovery_that_fails_is_said_once_and_tried_again_at_each_poll(world: World) -> None:
    world.finding = MissingNamespace("There is no network namespace blue")
    watcher = world.watcher("*", netns=["blue"])
    (event,) = poll(watcher)
    assert (event["type"], event["netns"], event["interface"]) == ("watch_degraded", "blue", None)
    assert event["reason"] == "There is no network namespace blue"
    assert poll(watcher) == []
    world.finding = None
    world.put("wg0", netns="blue")
    assert short(poll(watcher)) == ["watch_recovered", "interface_added wg0"]


def test_who_watches_nothing_is_told_so_unless_the_reason_is_told_anyway(world: World) -> None:
    watcher = world.watcher("vpn*", netns=[None, "blue"])
    poll(watcher)
    complaint = watcher.complaint()
    assert complaint is not None
    assert complaint.startswith("There is no WireGuard interface here or in network namespace blue that matches vpn*. ")
    world.finding = MissingNamespace("There is no network namespace blue")
    poll(watcher, links_changed=True)
    assert watcher.complaint() is None
    named = world.watcher("wg0")
    poll(named)
    assert named.complaint() is None


def test_a_discovery_that_fails_keeps_what_was_found(world: World) -> None:
    world.put("wg0", peer(1))
    watcher = world.watcher("*")
    poll(watcher)
    world.finding = Temporary("The links can't be listed")
    world.put("wg0")
    assert short(poll(watcher, links_changed=True)) == ["watch_degraded", "peer_removed wg0 1"]


def test_trouble_that_comes_while_a_batch_is_delivered_is_told_with_the_next(world: World) -> None:
    world.put("wg0")
    watcher = world.watcher("wg0")
    batch = watcher.poll()
    watcher.trouble.reason = "The state file can't be written"
    assert short([event for event, _wanted in batch]) == ["interface_added wg0"]
    watcher.confirm()
    (event,) = poll(watcher)
    assert (event["type"], event["reason"]) == ("watch_degraded", "The state file can't be written")
    watcher.trouble.reason = None
    assert short(poll(watcher)) == ["watch_recovered"]


# --- a slow rulebook


def test_what_nobody_confirmed_is_told_again_as_net_changes(world: World) -> None:
    world.put("wg0", peer(1, endpoint="192.0.2.1:1"), peer(2), peer(3))
    watcher = world.watcher("wg0")
    poll(watcher)
    world.put("wg0", peer(1, endpoint="192.0.2.2:1"), peer(3), peer(4))
    poll(watcher, confirm=False)
    world.put("wg0", peer(1, endpoint="192.0.2.3:1"), peer(2))
    poll(watcher, confirm=False)
    world.put("wg0", peer(1, endpoint="192.0.2.4:1"), peer(2), peer(5))
    events = poll(watcher)
    assert short(events) == ["peer_added wg0 5", "peer_removed wg0 3", "peer_endpoint_changed wg0 1"]
    assert (events[-1]["previous"], events[-1]["current"]) == ("192.0.2.1:1", "192.0.2.4:1")
    assert poll(watcher) == []


def test_an_interface_that_went_and_came_back_meanwhile(world: World) -> None:
    world.put("wg0", peer(1, handshake=0), peer(2))
    watcher = world.watcher("wg0")
    poll(watcher)
    world.drop("wg0")
    poll(watcher, confirm=False)
    world.put("wg0", peer(1), ifindex=9)
    assert short(poll(watcher)) == [
        "interface_changed wg0",
        "peer_removed wg0 2",
        "peer_recreated wg0 1",
        "peer_state_changed wg0 1",
    ]


def test_ten_thousand_changes_while_blocked_cost_no_memory(world: World) -> None:
    world.put("wg0", peer(1, endpoint="192.0.2.1:1"), peer(2))
    watcher = world.watcher("wg0")
    poll(watcher)

    def changes(first: int) -> None:
        for number in range(first, first + 5000):
            endpoint = f"192.0.2.1:{number}"
            world.put("wg0", peer(1, endpoint=endpoint, handshake=number, rx_bytes=number), *[peer(2)][number % 2 :])
            world.clock.sleep(1)
            poll(watcher, confirm=False)

    changes(1)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        changes(5001)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100_000
    events = poll(watcher)
    assert short(events) == [
        "peer_endpoint_changed wg0 1",
        "peer_handshake_refreshed wg0 1",
        "peer_state_changed wg0 1",
    ]
    assert (events[0]["previous"], events[0]["current"]) == ("192.0.2.1:1", "192.0.2.1:10000")


def test_a_batch_holds_changes_and_makes_its_events_one_by_one(world: World) -> None:
    """A batch may wait for an hour: what it will say later must not depend on polls since."""
    world.put("wg0", *(peer(number) for number in range(1, 1001)))
    batch = world.watcher("wg0").poll()
    assert batch
    first = next(iter(batch))[0]
    assert first["type"] == "interface_added"
    world.put("wg0", peer(1))
    world.watcher("wg0").poll()
    rest = [event["type"] for event, _wanted in batch]
    assert rest == ["peer_added"] * 1000
    assert not batch, "they are made a single time"


# --- what is told


def test_types_narrow_the_events_and_the_sequence_has_no_gaps(world: World) -> None:
    world.put("wg0", peer(1), peer(2))
    watcher = world.watcher("wg0", types=frozenset(["peer_added", "peer_removed"]))
    told = poll(watcher)
    world.put("wg0", peer(2, endpoint="192.0.2.1:1", handshake=0))
    told += poll(watcher)
    world.put("wg0", peer(3))
    told += poll(watcher)
    assert short(told) == [
        "peer_added wg0 1",
        "peer_added wg0 2",
        "peer_removed wg0 1",
        "peer_added wg0 3",
        "peer_removed wg0 2",
    ]
    assert [event["sequence"] for event in told] == [1, 2, 3, 4, 5]


def test_a_resuming_watch_keeps_a_mirror_of_unwanted_events_without_numbering_them(world: World) -> None:
    world.put("wg0", peer(1))
    batch = list(world.watcher("wg0", initial="resume", told={}, types=frozenset(["peer_added"])).poll())
    assert [(event["type"], event["sequence"], wanted) for event, wanted in batch] == [
        ("interface_added", None, False),
        ("peer_added", 1, True),
    ]


def test_peers_narrow_the_events_of_peers_only(world: World) -> None:
    world.put("wg0", peer(1), peer(2))
    watcher = world.watcher("wg0", peers=frozenset([key(2)]))
    assert short(poll(watcher)) == ["interface_added wg0", "peer_added wg0 2"]
    world.drop("wg0")
    assert short(poll(watcher)) == ["peer_removed wg0 2", "interface_removed wg0"]


def test_names_and_host_are_in_the_events(world: World) -> None:
    world.put("wg0", peer(1), peer(2))
    watcher = world.watcher("wg0", names={key(1): "office"}, types=frozenset(["peer_added"]))
    events = poll(watcher)
    assert [(event["name"], event["peer"]["name"], event["host"]) for event in events] == [
        ("office", "office", "gw1"),
        (None, None, "gw1"),
    ]


def test_events_are_fresh_json_with_always_the_same_keys(world: World) -> None:
    world.put("wg0", peer(1, endpoint="192.0.2.1:1", allowed_ips=["10.0.0.1/32"], handshake=0, preshared_key=b"hash"))
    watcher = world.watcher("wg0", "wg9", heartbeat=60)
    events = poll(watcher)
    world.put("wg0", peer(2), listen_port=1)
    events += poll(watcher)
    assert len({tuple(event) for event in events}) == 1
    for event in events:
        assert json.loads(json.dumps(event, allow_nan=False)) == event
        assert event["schema"] == 1
    containers = [id(part) for event in events for part in (event, event["peer"], event["device"]) if part is not None]
    assert len(set(containers)) == len(containers)
    assert "hash" not in json.dumps(events)


def test_removed_peers_show_as_they_were_last_seen(world: World) -> None:
    world.put("wg0", peer(1, endpoint="192.0.2.1:1", handshake=0, rx_bytes=5))
    watcher = world.watcher("wg0")
    poll(watcher)
    world.clock.sleep(1)
    world.put("wg0")
    (event,) = poll(watcher)
    seen = {name: event["peer"][name] for name in ("endpoint", "rx_bytes", "state", "last_handshake_age")}
    assert seen == {"endpoint": "192.0.2.1:1", "rx_bytes": 5, "state": "up", "last_handshake_age": 1.0}


def test_a_state_is_told_when_silence_alone_changed_it(world: World) -> None:
    world.put("wg0", peer(1, handshake=0, persistent_keepalive=25))
    watcher = world.watcher("wg0")
    poll(watcher)
    seen = []
    for _second in range(240):
        world.clock.sleep(1)
        seen += [(world.clock.now // SECOND, event["previous"], event["current"]) for event in poll(watcher)]
    assert seen == [(211, "up", "down")]  # 180 + 25 + 5, and the poll after that


def test_debounce_holds_a_state_back(world: World) -> None:
    world.put("wg0", peer(1))
    watcher = world.watcher("wg0", debounce=10, types=frozenset(["peer_state_changed"]))
    poll(watcher)
    world.put("wg0", peer(1, handshake=0))
    seen = []
    for _second in range(15):
        seen += [(world.clock.now // SECOND, event["current"]) for event in poll(watcher)]
        world.clock.sleep(1)
    assert seen == [(10, "up")]


# --- heartbeat


def test_a_heartbeat_comes_at_its_interval_and_late_ones_are_skipped(world: World) -> None:
    watcher = world.watcher("*", heartbeat=10)
    beats = []
    for pause in (0, 9, 1, 9, 1, 35, 4, 1):
        world.clock.sleep(pause)
        beats += [(world.clock.now // SECOND, event["type"], event["interface"]) for event in poll(watcher)]
    assert beats == [(at, "watch_heartbeat", None) for at in (10, 20, 55, 60)]


def test_a_heartbeat_that_came_due_during_delivery_is_not_lost(world: World) -> None:
    world.put("wg0")
    watcher = world.watcher("wg0", heartbeat=10)
    poll(watcher, confirm=False)
    world.clock.sleep(11)
    watcher.confirm()
    assert short(poll(watcher)) == ["watch_heartbeat"]


def test_without_a_heartbeat_a_quiet_watch_is_quiet(world: World) -> None:
    watcher = world.watcher("*")
    world.clock.sleep(3600)
    assert poll(watcher) == []
    assert watcher.heartbeat_at is None


# --- the same history gives the same stream


def stream_of_a_history(seed: int) -> list[Event]:
    """Everything that can happen, in an order that the seed decides; peers come in any order, as from a daemon."""
    chance = random.Random(seed)
    shuffled = random.Random()
    world = World()
    watcher = world.watcher("*", "wg9", heartbeat=7, liveness=LivenessOptions(25))
    events: list[Event] = []
    peers: dict[str, dict[int, dict[str, Any]]] = {"wg0": {}, "wg1": {}}
    for _step in range(150):
        world.clock.sleep(chance.choice([1, 1, 1, 60]))
        interface = chance.choice(["wg0", "wg1"])
        of_it = peers[interface]
        for number in chance.sample(range(30), 8):
            if chance.random() < 0.2:
                of_it.pop(number, None)
                continue
            fields = of_it.setdefault(number, {})
            field, value = chance.choice(
                [
                    ("endpoint", f"192.0.2.{chance.randrange(250)}:1"),
                    ("handshake", world.clock.now // SECOND),
                    ("allowed_ips", [f"10.0.0.{chance.randrange(250)}/32" for _ip in range(3)]),
                    ("persistent_keepalive", chance.choice([0, 25])),
                    ("rx_bytes", chance.randrange(1000)),
                ]
            )
            fields[field] = value
        if chance.random() < 0.05:
            world.there.pop((None, interface), None)
        elif chance.random() < 0.05:
            world.fail(interface, Temporary("It is busy"))
        else:
            now = [peer(number, **fields) for number, fields in of_it.items()]
            shuffled.shuffle(now)
            world.put(interface, *now, listen_port=chance.choice([1, 1, 1, 2]))
        events += poll(watcher, links_changed=True, confirm=chance.random() < 0.9)
    return events


def test_the_same_history_gives_the_same_stream_byte_for_byte(import_folder: Path) -> None:
    """In processes of their own: the order of sets differs from one to the next."""
    program = "import json, unit.plugins.module_utils.test_watch as t; print(json.dumps(t.stream_of_a_history(7)))"
    path = os.pathsep.join([str(import_folder), str(Path(__file__).parents[3])])
    streams = []
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
        streams.append(done.stdout)
    assert len(streams[0]) > 100_000
    assert streams[0] == streams[1] == streams[2]


def test_a_found_interface_that_was_never_readable_is_said_to_be_so_once(world: World) -> None:
    world.fail("wg0", Temporary("The kernel is busy"))
    watcher = world.watcher("*")
    assert short(poll(watcher, links_changed=True)) == ["watch_degraded wg0"]
    assert short(poll(watcher)) == []
    assert not world.readers[0].closed
    world.drop("wg0")
    assert short(poll(watcher, links_changed=True)) == ["watch_recovered wg0"]
    assert world.readers[0].closed

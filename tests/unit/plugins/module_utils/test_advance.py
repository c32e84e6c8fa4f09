# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch that is told in part: what was told is never found again, and what was not is, net of what happens since."""

from __future__ import annotations

import copy
import random
from itertools import islice

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._advance import advance
from ansible_collections.wirewatch.wireguard.plugins.module_utils._diff import diff
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import apply
from unit.watching import Event, World, peer, poll, short

FULL = {
    "endpoint": "192.0.2.1:1",
    "handshake": 1,
    "allowed_ips": ["10.0.0.1/32"],
    "persistent_keepalive": 25,
    "preshared_key": b"hash",
    "rx_bytes": 100,
    "tx_bytes": 100,
}
NOW = {
    "endpoint": "192.0.2.2:2",
    "handshake": 2,
    "allowed_ips": ["10.0.0.2/32"],
    "persistent_keepalive": 0,
    "preshared_key": None,
    "rx_bytes": 1,
    "tx_bytes": 1,
}


def wanted(watcher: object, first: int) -> list[Event]:
    """The first so many events of one poll, and only those confirmed."""
    found = iter(watcher.poll(links_changed=True))  # type: ignore[attr-defined]
    events = [event for event, _is_wanted in islice(found, first)]
    watcher.confirm_some(len(events))  # type: ignore[attr-defined]
    return events


def test_a_diff_against_what_was_told_gives_the_changes_that_are_left() -> None:
    world = World()
    world.put("wg0", peer(1, **FULL), peer(2, **FULL), peer(3))
    before = world.there[None, "wg0"]
    world.put("wg0", peer(1, **NOW), peer(2, **FULL), peer(4), listen_port=7, fwmark=1, up=False)
    after = world.there[None, "wg0"]
    for previous, current in ((before, after), (None, after), (before, None)):
        changes = diff(previous, current)
        assert len(changes) > 3
        for told in range(len(changes)):
            left = diff(advance(previous, changes[:told]), current)
            assert [one._replace(device=None) for one in left] == [one._replace(device=None) for one in changes[told:]]
        assert diff(advance(previous, changes), current) == []


@pytest.mark.parametrize("told", range(8))
def test_the_rest_comes_at_the_next_poll_and_nothing_twice(told: int) -> None:
    world = World()
    world.put("wg0", peer(1, **FULL), peer(2))
    watcher = world.watcher("*")
    poll(watcher, links_changed=True)
    world.put("wg0", peer(1, **NOW), peer(3))
    first = wanted(watcher, told)
    rest = poll(watcher)
    assert short(first + rest) == [
        "peer_added wg0 3",
        "peer_removed wg0 2",
        "peer_endpoint_changed wg0 1",
        "peer_handshake_refreshed wg0 1",
        "peer_allowed_ips_changed wg0 1",
        "peer_recreated wg0 1",
        "peer_keepalive_changed wg0 1",
        "peer_preshared_key_changed wg0 1",
    ]
    assert [event["sequence"] for event in first + rest] == list(range(4, 12))
    assert poll(watcher) == []


def test_the_rest_of_an_inventory_is_initial_too() -> None:
    world = World()
    world.put("wg0", peer(1), peer(2), peer(3))
    watcher = world.watcher("*")
    events = wanted(watcher, 2) + poll(watcher)
    assert short(events) == ["interface_added wg0", "peer_added wg0 1", "peer_added wg0 2", "peer_added wg0 3"]
    assert all(event["initial"] for event in events)
    world.put("wg0", peer(1), peer(2), peer(3), peer(4))
    (added,) = poll(watcher)
    assert not added["initial"]


def test_with_initial_skip_what_comes_next_is_not_initial() -> None:
    world = World()
    world.put("wg0", peer(1))
    watcher = world.watcher("*", initial="skip")
    watcher.poll(links_changed=True)
    world.put("wg0", peer(1), peer(2))
    (added,) = poll(watcher)
    assert not added["initial"]


def test_peers_of_an_interface_made_anew_are_recreated_once_each_wherever_it_was_cut() -> None:
    for cut in range(4):
        world = World()
        world.put("wg0", peer(1), peer(2), ifindex=7)
        watcher = world.watcher("*")
        poll(watcher, links_changed=True)
        world.put("wg0", peer(1), peer(2), ifindex=8)
        events = wanted(watcher, cut) + wanted(watcher, 1) + poll(watcher)
        assert short(events) == ["interface_changed wg0", "peer_recreated wg0 1", "peer_recreated wg0 2"], cut
        assert poll(watcher) == []


def test_trouble_is_told_once_wherever_it_was_cut() -> None:
    for cut in range(3):
        world = World()
        world.put("wg0")
        world.put("wg1")
        watcher = world.watcher("wg0", "wg1")
        poll(watcher)
        for name in ("wg0", "wg1"):
            world.fail(name, Temporary("The kernel is busy"))
        begun = wanted(watcher, cut) + poll(watcher)
        assert short(begun) == ["watch_degraded wg0", "watch_degraded wg1"]
        for name in ("wg0", "wg1"):
            world.put(name)
        over = wanted(watcher, cut) + poll(watcher)
        assert short(over) == ["watch_recovered wg0", "watch_recovered wg1"]
        assert poll(watcher) == []


def test_a_heartbeat_is_the_last_of_a_batch_and_confirmed_with_it() -> None:
    world = World()
    world.put("wg0")
    watcher = world.watcher("*", heartbeat=60)
    world.clock.sleep(61)
    assert short(wanted(watcher, 1)) == ["interface_added wg0"]
    assert short(wanted(watcher, 1)) == ["watch_heartbeat"]
    assert poll(watcher) == []


def test_the_fold_of_what_was_told_is_the_truth_whatever_was_cut(full: bool) -> None:
    """Random histories, each batch cut anywhere: who folds what was told has what the watcher believes was told."""
    for seed in range(2000 if full else 100):
        chance = random.Random(seed)
        world = World()
        watcher = world.watcher("*", debounce=0)
        mirror: dict = {}
        sequences: list[int] = []
        for _step in range(30):
            world.clock.sleep(chance.choice((1, 20, 100)))
            for name in ("wg0", "wg1"):
                happens = chance.random()
                if happens < 0.1:
                    world.there.pop((None, name), None)
                elif happens < 0.15:
                    world.fail(name, Temporary("busy"))
                elif happens < 0.7:
                    fields = [FULL, NOW, {**NOW, "handshake": 3, "rx_bytes": 5}, {}]
                    peers = [peer(number, **chance.choice(fields)) for number in range(4) if chance.random() < 0.7]
                    world.put(name, *peers, ifindex=chance.choice((7, 7, 7, 8)), up=chance.random() < 0.8)
            for event in wanted(watcher, chance.choice((0, 1, 2, 5, 50))):
                sequences.append(event["sequence"])
                apply(mirror, copy.deepcopy(event))
        for event in poll(watcher, links_changed=True):
            sequences.append(event["sequence"])
            apply(mirror, event)
        assert sequences == list(range(1, len(sequences) + 1)), seed
        assert poll(watcher) == [], seed
        # What another watcher of the same looks finds, who tells all of it at once; its states are its own.
        for place in list(world.there):
            if isinstance(world.there[place], Exception):
                del world.there[place]
        for event in poll(watcher, links_changed=True):
            apply(mirror, event)
        truth: dict = {}
        for event in poll(world.watcher("*"), links_changed=True):
            apply(truth, event)
        for entry in (*mirror.values(), *truth.values()):
            for facts in entry["peers"].values():
                del facts["state"]
        assert mirror == truth, seed

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watcher of nlink 0.19 means by its five events holds here too: one test for each of its unit tests.

Each history runs twice, through the pure diff and through a polling watcher.
"""

from __future__ import annotations

from typing import Any, Callable, List

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._diff import diff
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InvalidArgument, Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._event import TYPES, Encoder
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import LivenessOptions
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Device, Peer
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import WatchOptions
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch_options import check
from unit.watching import START, Event, World, peer, poll, short, text

# The first five of ours are those of nlink, under its names.
OF_NLINK = TYPES[:5]

History = Callable[..., List[Event]]


def through_diff(*snapshots: list[Peer]) -> list[Event]:
    """The events of the last of these snapshots of wg0."""
    devices = [None, *(Device("wg0", ifindex=7, peers={one.public_key: one for one in peers}) for peers in snapshots)]
    encoder = Encoder("gw1", {})
    changes = diff(devices[-2], devices[-1], initial=len(snapshots) == 1)
    return [encoder.encode(change, START) for change in changes if change.type in OF_NLINK]


def through_watcher(*snapshots: list[Peer]) -> list[Event]:
    world = World()
    watcher = world.watcher("wg0", types=frozenset(OF_NLINK))
    events: list[Event] = []
    for peers in snapshots:
        world.put("wg0", *peers)
        events = poll(watcher)
        world.clock.sleep(1)
    return events


@pytest.fixture(params=[through_diff, through_watcher], ids=["diff", "watcher"])
def told(request: pytest.FixtureRequest) -> History:
    history: History = request.param
    return history


def shown(event: Event, *facts: str) -> list[Any]:
    return [event[fact] for fact in facts]


def test_first_poll_emits_peer_added_for_every_existing_peer(told: History) -> None:
    events = told([peer(1), peer(2)])
    assert short(events) == ["peer_added wg0 1", "peer_added wg0 2"]
    assert [event["initial"] for event in events] == [True, True]


def test_no_change_emits_empty(told: History) -> None:
    assert told([peer(1)], [peer(1)]) == []


def test_new_peer_emits_peer_added(told: History) -> None:
    """And nothing else, however much is already known of it."""
    came = peer(2, endpoint="192.0.2.1:1", handshake=0, allowed_ips=["10.0.0.0/24"])
    (event,) = told([peer(1)], [peer(1), came])
    assert shown(event, "type", "initial", "public_key") == ["peer_added", False, text(2)]
    assert event["peer"]["allowed_ips"] == ["10.0.0.0/24"]


def test_removed_peer_emits_peer_removed(told: History) -> None:
    (event,) = told([peer(1), peer(2)], [peer(1)])
    assert shown(event, "type", "initial", "public_key") == ["peer_removed", False, text(2)]


@pytest.mark.parametrize(
    ("before", "after"),
    [("192.0.2.7:51820", "198.51.100.4:51820"), ("192.0.2.7:51820", "192.0.2.7:1"), (None, "192.0.2.7:1")],
)
def test_endpoint_change_emits_endpoint_changed(told: History, before: str | None, after: str) -> None:
    for one, other in ((before, after), (after, before)):
        (event,) = told([peer(1, endpoint=one)], [peer(1, endpoint=other)])
        assert shown(event, "type", "previous", "current") == ["peer_endpoint_changed", one, other]


def test_handshake_advance_emits_refresh(told: History) -> None:
    (event,) = told([peer(1, handshake=-100)], [peer(1, handshake=0.25)])
    assert shown(event, "type", "first") == ["peer_handshake_refreshed", False]
    assert shown(event, "previous", "current") == ["2026-11-23T11:58:20.000000Z", "2026-11-23T12:00:00.250000Z"]


def test_handshake_same_emits_nothing(told: History) -> None:
    assert told([peer(1, handshake=0)], [peer(1, handshake=0)]) == []


def test_first_ever_handshake_emits_refresh(told: History) -> None:
    (event,) = told([peer(1)], [peer(1, handshake=0)])
    assert shown(event, "type", "first") == ["peer_handshake_refreshed", True]
    assert shown(event, "previous", "current") == [None, "2026-11-23T12:00:00.000000Z"]


def test_allowed_ips_change_emits_event(told: History) -> None:
    before, after = ["10.0.0.0/24", "10.0.9.0/24"], ["10.0.0.0/24", "10.0.1.0/24", "2001:db8::/32"]
    (event,) = told([peer(1, allowed_ips=before)], [peer(1, allowed_ips=after)])
    assert shown(event, "type", "previous", "current") == ["peer_allowed_ips_changed", before, after]
    assert shown(event, "added", "removed") == [["10.0.1.0/24", "2001:db8::/32"], ["10.0.9.0/24"]]


def test_watch_options_defaults() -> None:
    """An interval of one second as in nlink; where nlink has no interfaces and refuses, all are watched here."""
    options, state_file, hosts = check({})
    assert (options.interval, options.patterns, options.netns) == (1.0, ["*"], [None])
    assert (options.types, options.initial, options.peers) == (frozenset(TYPES), "emit", None)
    assert (options.names, options.liveness, options.debounce, options.heartbeat) == ({}, LivenessOptions(), 0.0, 0.0)
    assert (state_file, hosts) == (None, None)
    assert options._replace(host="", patterns=("*",), netns=(None,)) == WatchOptions()


def test_watch_options_builder() -> None:
    options = check({"interval": 30, "interfaces": ["wg0", "wg1"]}).options
    assert (options.interval, options.patterns) == (30.0, ["wg0", "wg1"])


# --- what nlink's watcher does beside the diff


def test_an_empty_list_of_interfaces_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="^interfaces is an empty list, so there is nothing to look at: name at"):
        check({"interfaces": []})


def test_the_first_poll_does_not_wait_and_later_ones_keep_what_was_seen() -> None:
    world = World()
    world.put("wg0", peer(1))
    world.put("wg1", peer(1), ifindex=8)
    watcher = world.watcher("wg0", "wg1", types=frozenset(OF_NLINK))
    assert short(poll(watcher)) == ["peer_added wg0 1", "peer_added wg1 1"]
    assert world.clock.now == 0
    world.put("wg1", peer(1, endpoint="192.0.2.1:1"), ifindex=8)
    assert short(poll(watcher)) == ["peer_endpoint_changed wg1 1"]
    assert poll(watcher) == []


@pytest.mark.parametrize("failing", ["wg0", "wg1", "wg2"])
def test_an_interface_that_fails_does_not_stop_the_others(failing: str) -> None:
    world = World()
    names = ["wg0", "wg1", "wg2"]
    for name in names:
        world.put(name, peer(1))
    watcher = world.watcher(*names, types=frozenset(OF_NLINK))
    poll(watcher)
    world.fail(failing, Temporary("It is busy"))
    others = [name for name in names if name != failing]
    for name in others:
        world.put(name, peer(1, endpoint="192.0.2.1:1"))
    assert short(poll(watcher)) == [f"peer_endpoint_changed {name} 1" for name in others]


def test_an_interface_that_is_gone_gives_peer_removed_for_each_of_its_peers_once() -> None:
    world = World()
    world.put("wg0", peer(1), peer(2))
    world.put("wg1", peer(3))
    watcher = world.watcher("wg0", "wg1", types=frozenset(OF_NLINK))
    poll(watcher)
    world.drop("wg0")
    assert short(poll(watcher)) == ["peer_removed wg0 1", "peer_removed wg0 2"]
    assert poll(watcher) == []
    world.put("wg0", peer(2))
    assert short(poll(watcher)) == ["peer_added wg0 2"]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`initial: resume`: what was told, folded, and what a second run tells of what happened in between."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import apply
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND
from ansible_collections.wirewatch.wireguard.plugins.module_utils._state import StateFile
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher
from unit.watching import Event, World, peer, poll, short


class Run:
    """One life of a source with a state file, on a world that outlives it."""

    def __init__(self, world: World, path: Path, *patterns: str, **options: Any) -> None:
        self.state = StateFile(str(path), "gw1")
        self.watcher: Watcher = world.watcher(*patterns or ("*",), initial="resume", told=self.state.state, **options)

    def poll(self, delivered: int | None = None) -> list[Event]:
        """One poll, its wanted events delivered and remembered; only the first ones with `delivered`, then the end.

        Before the first one comes what the life before was telling at its end.
        """
        told = list(self.state.untold)
        for event in told:
            self.state.note(event)
        self.state.untold.clear()
        found = list(self.watcher.poll(links_changed=True))
        self.state.announce([event for event, is_wanted in found if is_wanted])
        wanted: list[Event] = []
        for event, is_wanted in found:
            if delivered is not None and len(wanted) == delivered:
                return told + wanted
            if is_wanted:
                wanted.append(event)
            self.state.note(event)
        self.state.flush()
        self.watcher.confirm()
        return told + wanted

    def kill(self) -> None:
        """What a SIGKILL leaves: the file, and nothing else."""
        self.state.close()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


BEFORE: dict[str, Any] = {
    "endpoint": "192.0.2.1:1",
    "handshake": 1,
    "allowed_ips": ["10.0.0.1/32", "2001:db8::/64"],
    "persistent_keepalive": 25,
}

CHANGES = [
    ({}, []),
    ({"endpoint": "192.0.2.9:1"}, ["peer_endpoint_changed wg0 1"]),
    ({"endpoint": None}, ["peer_endpoint_changed wg0 1"]),
    ({"handshake": 60.5}, ["peer_handshake_refreshed wg0 1"]),
    ({"handshake": -60}, ["peer_handshake_refreshed wg0 1"]),
    ({"allowed_ips": ["10.0.0.1/32"]}, ["peer_allowed_ips_changed wg0 1"]),
    ({"allowed_ips": []}, ["peer_allowed_ips_changed wg0 1"]),
    ({"persistent_keepalive": 0}, ["peer_keepalive_changed wg0 1"]),
    ({"preshared_key": b"hash"}, ["peer_preshared_key_changed wg0 1"]),
    ({"rx_bytes": 7, "tx_bytes": 9}, []),
]


@pytest.mark.parametrize(("change", "told"), CHANGES)
def test_a_peer_that_changed_while_nobody_looked(
    world: World, path: Path, change: dict[str, Any], told: list[str]
) -> None:
    world.put("wg0", peer(1, **BEFORE), peer(2, **BEFORE))
    run = Run(world, path)
    assert all(event["initial"] for event in run.poll())
    run.kill()
    world.clock.sleep(60)
    world.put("wg0", peer(1, **{**BEFORE, **change}), peer(2, **BEFORE))
    run = Run(world, path)
    events = run.poll()
    assert short(events) == told
    assert not any(event["initial"] for event in events)
    assert run.poll() == []
    run.kill()
    assert Run(world, path).poll() == []


def test_previous_values_are_those_that_were_told(world: World, path: Path) -> None:
    world.put("wg0", peer(1, **BEFORE))
    run = Run(world, path)
    run.poll()
    run.kill()
    world.put("wg0", peer(1, **{**BEFORE, "endpoint": "192.0.2.9:1", "handshake": 2}))
    endpoint, handshake = Run(world, path).poll()
    assert (endpoint["previous"], endpoint["current"]) == ("192.0.2.1:1", "192.0.2.9:1")
    assert handshake["previous"] == "2026-11-23T12:00:01.000000Z"


def test_a_preshared_key_that_was_cleared(world: World, path: Path) -> None:
    world.put("wg0", peer(1, preshared_key=b"hash"))
    run = Run(world, path)
    run.poll()
    run.kill()
    world.put("wg0", peer(1))
    (event,) = Run(world, path).poll()
    assert (event["type"], event["previous"], event["current"]) == ("peer_preshared_key_changed", True, False)


def test_the_hash_of_another_process_is_no_change(world: World, path: Path) -> None:
    """What is compared within one process is worthless in the next: its random key is another one."""
    world.put("wg0", peer(1, preshared_key=b"hash"))
    run = Run(world, path)
    run.poll()
    run.kill()
    world.put("wg0", peer(1, preshared_key=b"the same key, hashed anew"))
    run = Run(world, path)
    assert run.poll() == []
    world.put("wg0", peer(1, preshared_key=b"another key"))
    assert short(run.poll()) == ["peer_preshared_key_changed wg0 1"]


def test_peers_and_interfaces_that_came_and_went(world: World, path: Path) -> None:
    world.put("wg0", peer(1, handshake=0), peer(2))
    world.put("wg1", peer(3, handshake=0))
    run = Run(world, path)
    run.poll()
    run.kill()
    world.put("wg0", peer(2), peer(4))
    world.drop("wg1")
    world.put("wg2", peer(5))
    events = Run(world, path).poll()
    assert short(events) == [
        "peer_added wg0 4",
        "peer_removed wg0 1",
        "peer_removed wg1 3",
        "interface_removed wg1",
        "interface_added wg2",
        "peer_added wg2 5",
    ]
    assert not any(event["initial"] for event in events)
    assert [event["peer"]["state"] for event in events if event["type"] == "peer_removed"] == ["up", "up"]


def test_an_interface_that_was_made_anew(world: World, path: Path) -> None:
    world.put("wg0", peer(1, handshake=0), ifindex=7, listen_port=1)
    run = Run(world, path)
    run.poll()
    run.kill()
    world.put("wg0", peer(1), ifindex=8, listen_port=2)
    assert short(Run(world, path).poll()) == [
        "interface_changed wg0",
        "interface_changed wg0",
        "peer_recreated wg0 1",
        "peer_state_changed wg0 1",
    ]


def test_a_state_that_changed(world: World, path: Path) -> None:
    world.put("wg0", peer(1, handshake=0, persistent_keepalive=25))
    run = Run(world, path)
    run.poll()
    run.kill()
    world.clock.sleep(1000)
    (event,) = Run(world, path).poll()
    assert (event["type"], event["previous"], event["current"]) == ("peer_state_changed", "up", "down")


def test_what_was_gone_and_cannot_be_read_at_restart_is_told_when_it_can(world: World, path: Path) -> None:
    world.put("wg0", peer(1), peer(2))
    run = Run(world, path)
    run.poll()
    run.kill()
    world.fail("wg0", Temporary("It is busy"))
    run = Run(world, path)
    assert short(run.poll()) == ["watch_degraded wg0"]
    world.put("wg0", peer(2))
    assert short(run.poll()) == ["watch_recovered wg0", "peer_removed wg0 1"]


def test_a_discovery_that_fails_at_restart_forgets_nothing(world: World, path: Path) -> None:
    world.put("wg0", peer(1))
    run = Run(world, path)
    run.poll()
    run.kill()
    world.finding = Temporary("The links can't be listed")
    world.drop("wg0")
    assert short(Run(world, path).poll()) == ["watch_degraded", "peer_removed wg0 1", "interface_removed wg0"]


def test_namespaces_are_kept_apart(world: World, path: Path) -> None:
    world.put("wg0", peer(1), netns="red")
    world.put("wg0", peer(1), netns="blue")
    run = Run(world, path, netns=["red", "blue"])
    run.poll()
    run.kill()
    world.drop("wg0", netns="red")
    events = Run(world, path, netns=["red", "blue"]).poll()
    assert [(event["type"], event["netns"]) for event in events] == [
        ("peer_removed", "red"),
        ("interface_removed", "red"),
    ]


def test_unwanted_types_are_remembered_so_that_they_are_no_news_after_the_restart(world: World, path: Path) -> None:
    wanted = frozenset(["peer_endpoint_changed"])
    world.put("wg0", peer(1, endpoint="192.0.2.1:1"))
    run = Run(world, path, types=wanted)
    assert run.poll() == []
    run.kill()
    world.put("wg0", peer(1, endpoint="192.0.2.2:1"))
    assert short(Run(world, path, types=wanted).poll()) == ["peer_endpoint_changed wg0 1"]


def test_death_in_the_middle_of_a_batch_tells_the_rest(world: World, path: Path) -> None:
    world.put("wg0", *(peer(number) for number in range(5)))
    run = Run(world, path)
    assert short(run.poll(delivered=3)) == ["interface_added wg0", "peer_added wg0 0", "peer_added wg0 1"]
    run.kill()
    # Nobody knows how much of the batch was heard, so all of it comes, and then nothing else.
    run = Run(world, path)
    assert short(run.poll()) == ["interface_added wg0", *(f"peer_added wg0 {number}" for number in range(5))]
    assert run.poll() == []


def test_what_was_told_at_the_end_and_undone_before_the_next_start_is_told_to_be_undone(
    world: World, path: Path
) -> None:
    world.put("wg0", peer(1))
    run = Run(world, path)
    run.poll()
    world.put("wg0", peer(1, persistent_keepalive=25), peer(2))
    assert short(run.poll(delivered=1)) == ["peer_added wg0 2"]
    run.kill()
    world.put("wg0", peer(1))
    run = Run(world, path)
    events = run.poll()
    assert short(events) == [
        "peer_added wg0 2",
        "peer_keepalive_changed wg0 1",
        "peer_removed wg0 2",
        "peer_keepalive_changed wg0 1",
    ]
    assert [event["current"] for event in events if event["type"] == "peer_keepalive_changed"] == [25, 0]
    run.kill()
    assert Run(world, path).poll() == []


@pytest.mark.parametrize("seed", range(12))
def test_all_that_was_told_over_many_lives_adds_up_to_what_is_there(world: World, path: Path, seed: int) -> None:
    """Random histories, deaths at random points: whoever got the events has the same picture as who looks now."""
    chance = random.Random(seed)
    mirror: dict[Any, Any] = {}
    run = Run(world, path)
    for _step in range(60):
        world.clock.sleep(chance.choice([1, 30]))
        interface = chance.choice(["wg0", "wg1"])
        if chance.random() < 0.1:
            world.there.pop((None, interface), None)
        elif chance.random() < 0.1:
            world.fail(interface, Temporary("It is busy"))
        else:
            world.put(interface, *random_peers(chance, world), listen_port=chance.choice([1, 2]))
        dies = chance.random() < 0.3
        for event in run.poll(delivered=chance.randrange(8) if dies else None):
            apply(mirror, event)
        if dies:
            run.kill()
            run = Run(world, path)
    for interface in ("wg0", "wg1"):
        world.put(interface, *random_peers(chance, world))
    for event in run.poll():
        apply(mirror, event)
    fresh: dict[Any, Any] = {}
    for event in poll(world.watcher("*"), links_changed=True):
        apply(fresh, event)
    # States depend on what was seen of a peer, and the fresh watcher has seen nothing.
    for entry in (*mirror.values(), *fresh.values()):
        for facts in entry["peers"].values():
            del facts["state"]
    assert mirror == fresh


def random_peers(chance: random.Random, world: World) -> list[Any]:
    peers = []
    for number in range(6):
        if chance.random() < 0.7:
            fields: dict[str, Any] = {"endpoint": chance.choice(["192.0.2.1:1", "192.0.2.2:1", None])}
            if chance.random() < 0.5:
                fields["handshake"] = world.clock.now / SECOND
            fields["allowed_ips"] = [f"10.0.0.{chance.randrange(3)}/32"]
            fields["persistent_keepalive"] = chance.choice([0, 25])
            fields["preshared_key"] = chance.choice([None, b"hash"])
            peers.append(peer(number, **fields))
    return peers

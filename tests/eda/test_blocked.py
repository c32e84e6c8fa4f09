# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rulebook that is busy while the network changes: it costs no memory, and afterwards the net changes come."""

from __future__ import annotations

import asyncio
import base64
import gc
import importlib.util
import itertools
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import apply
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher
from eda.rulebooks import fired, wait_for_rule, write_rulebook
from eda.test_rules import assert_chained, blocking_rule
from integration.source import SOURCE
from lab import Ansible, Network, wait_for, write_inventory
from lab.processes import resident
from unit.plugins.module_utils.test_stream import FakeTriggers
from unit.watching import World, peer, poll

SEED = 20261124
CHANGES = 10_000
SIMULATED = 600.0  # seconds in which they happen
MEMORY = 256 * 1024  # bytes; ten thousand events are some 15 MB


class Storm:
    """Random changes of forty peers on two interfaces, spread over simulated time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = random.Random(SEED)
        self._peers: dict[str, dict[int, dict[str, Any]]] = {
            name: {number: {} for number in range(1, 21)} for name in ("wg0", "wg1")
        }
        self._put("wg0")
        self._put("wg1")

    def change(self, count: int) -> None:
        for _number in range(count):
            self._world.clock.sleep(SIMULATED / CHANGES)
            interface = self._chance.choice(("wg0", "wg1"))
            peers, number = self._peers[interface], self._chance.randrange(1, 26)
            if number > 20 or number not in peers:
                # One goes, or one comes: every so often under a key that was there before.
                if peers.pop(number, None) is None:
                    peers[number] = {}
            else:
                at, port = self._world.clock.now / SECOND, self._chance.randrange(1, 65536)
                peers[number].update(
                    self._chance.choice(
                        (
                            {"endpoint": f"192.0.2.1:{port}"},
                            {"handshake": at},
                            {"allowed_ips": [f"10.0.{port >> 8}.{port & 255}/32"]},
                            {"persistent_keepalive": port},
                        )
                    )
                )
            self._put(interface)

    def _put(self, interface: str) -> None:
        self._world.put(interface, *(peer(number, **facts) for number, facts in self._peers[interface].items()))


def truth(world: World) -> dict[Any, Any]:
    """What somebody is told who looks for the first time now."""
    state: dict[Any, Any] = {}
    for event in poll(world.watcher("wg0", "wg1")):
        apply(state, event)
    return without_states(state)


def without_states(state: dict[Any, Any]) -> dict[Any, Any]:
    """States depend on what was seen of a peer, and who looks for the first time has seen nothing."""
    for entry in state.values():
        for facts in entry["peers"].values():
            facts.pop("state", None)
    return state


def position(event: dict[str, Any]) -> tuple[str, int]:
    """Where an event stands in the order of the contract, as far as additions and removals go."""
    order = {"peer_added": 0, "peer_removed": 1}
    return event["interface"], order.get(event["type"], 2)


def test_ten_thousand_changes_behind_a_full_queue_cost_no_memory_and_come_as_net_changes(
    import_folder: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    """The source itself, as the engine runs it, on simulated time: first nobody takes, then somebody is slow."""
    world = World()
    storm = Storm(world)
    spec = importlib.util.spec_from_file_location("wg_events", import_folder / SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def make_watcher(options: Any, told: Any = None) -> Watcher:
        return Watcher(options, clock=world.clock, told=told, make_reader=world.make_reader, find_interfaces=world.find)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "Watcher", make_watcher)
    monkeypatch.setattr(module, "Triggers", lambda namespaces: FakeTriggers(world, []))
    state: dict[Any, Any] = {}
    told: list[dict[str, Any]] = []

    def take(queue: asyncio.Queue[dict[str, Any]]) -> None:
        event = queue.get_nowait()["wireguard"]
        apply(state, event)
        told.append(event)

    async def take_until_true(queue: asyncio.Queue[dict[str, Any]]) -> None:
        wanted = truth(world)
        while without_states(state) != wanted:
            event = (await asyncio.wait_for(queue.get(), 10))["wireguard"]
            apply(state, event)
            told.append(event)

    async def scene() -> tuple[int, int]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(1)
        running = asyncio.ensure_future(module.main(queue, {"interfaces": ["wg0", "wg1"], "host": "gw1"}))
        await take_until_true(queue)
        inventory = len(told)
        storm.change(1)
        while not queue.full():
            await asyncio.sleep(0.001)

        # Nobody takes. The queue holds one event, and put() blocks.
        storm.change(CHANGES // 10)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _part in range(90):
            storm.change(CHANGES // 100)
            await asyncio.sleep(0.001)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        await take_until_true(queue)
        assert len(told) - inventory < CHANGES // 10, "each change was kept, and not the net of them"
        net = told[inventory:]
        for _moment, poll_of_it in itertools.groupby(net, key=lambda event: event["observed_at"]):
            places = [position(event) for event in poll_of_it]
            assert places == sorted(places), "not in the order of the contract"
        net_events = len(net)

        # Somebody takes one event for each hundred changes.
        for _part in range(100):
            storm.change(100)
            while queue.empty():
                await asyncio.sleep(0.001)
            take(queue)
        await take_until_true(queue)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return grown, net_events

    grown, net_events = asyncio.run(scene())
    assert grown < MEMORY
    assert [event["sequence"] for event in told] == list(range(1, len(told) + 1))
    figure(
        f"{CHANGES} changes in {SIMULATED:g} simulated seconds behind a full queue: {net_events} net events, memory grew by "
        f"{grown / 1024:.0f} KiB; the fold is the truth"
    )


# --- the real engine

MOVING = 100  # peers
ROUNDS = 30
ENGINE_GROWTH = 8 * 1024  # KiB of a process of some 150 MiB; three thousand events that are kept are more


def test_a_rulebook_that_is_busy_through_thousands_of_changes_gets_the_net_of_them(
    ansible: Ansible, network: Network, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    chance = random.Random(SEED)
    hub = network.host("hub").wireguard()
    keys = [base64.b64encode(chance.randbytes(32)).decode() for _number in range(MOVING)]
    victim = base64.b64encode(chance.randbytes(32)).decode()
    gate = tmp_path / "gate"

    def move(port: int) -> None:
        """All of them at once, by one command."""
        hub.set(*(word for key in keys for word in ("peer", key, "endpoint", f"192.0.2.7:{port}")))

    move(40_000)
    hub.set_peer(victim)
    types = ["peer_added", "peer_removed", "peer_endpoint_changed"]
    arguments = {"interfaces": [hub.name], "netns": [hub.host.namespace], "interval": 0.05, "types": types}
    arguments["hosts"] = ["hub"]
    rulebook = write_rulebook(tmp_path, arguments, blocking_rule(tmp_path, gate), types=types)
    with ansible.rulebook(rulebook, write_inventory(network)) as running:
        for key in (victim, *keys):
            wait_for_rule(running, "peer_added", public_key=key)
        hub.remove_peer(victim)
        running.wait_for_report("Wait to be released", "started")
        move(40_001)
        before = resident(running)
        for number in range(ROUNDS):
            move(41_000 + number)
        grown = resident(running) - before
        told = [one for one in fired(running) if one.type == "peer_endpoint_changed"]
        assert len(told) <= 2, "the engine is to be busy"
        gate.touch()

        def all_moved() -> bool:
            last = {one.public_key: one.current for one in fired(running) if one.type == "peer_endpoint_changed"}
            return last == dict.fromkeys(keys, f"192.0.2.7:{41_000 + ROUNDS - 1}")

        wait_for(all_moved, 60, "the net changes")
        moves = [one for one in fired(running) if one.type == "peer_endpoint_changed"]
    for key in keys:
        assert_chained([one for one in moves if one.public_key == key], "192.0.2.7:40000")
    changes = (ROUNDS + 1) * MOVING
    assert len(moves) <= 3 * MOVING, "each change was kept, and not the net of them"
    assert grown < ENGINE_GROWTH
    figure(
        f"a real rulebook, busy through {changes} changes: {len(moves)} net events, its memory grew by {grown / 1024:.1f} MiB"
    )

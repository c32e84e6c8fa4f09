# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tracker looks at few peers and tells what one tells that looks at all of them: random histories, poll by poll.

Each history is one number, from which all of it follows. A failure names it; WW_CASE=NUMBER runs that one alone.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable

from ansible_collections.wirewatch.wireguard.plugins.module_utils import _liveness
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import LivenessOptions, Timers
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND, Device, Peer
from ansible_collections.wirewatch.wireguard.plugins.module_utils._tracker import Changes, Tracker
from model.reference_tracker import ReferenceTracker
from unit.watching import START, key

HISTORIES = 3000
ALL_HISTORIES = 100_000
POLLS = 60
STEP = SECOND // 20  # what happens, happens on a grid: the rule's waits end a millisecond past a limit
BYTES = [32, 32, 32, 148, 148, 1000]
LONG = 3600  # seconds of silence


class World:
    """An interface whose peers live at random, and the clocks that it is looked at by."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.now, self.step = 0, 0
        self.device = Device("wg0", ifindex=7, has_private_key=True, up=True, peers={})
        # One history is busy, another almost silent: each state has its own pace.
        self.activity = chance.choice([0.05, 0.2, 0.6])
        self.intervals = chance.choice(
            [[1], [0.05, 1, 5], [1, 5, 20], [20, 60, 180, 600], [0.05, 1, 5, 20, 60, 180, 600]]
        )
        timers = Timers(slack=chance.choice([0.0, 2.5]))
        if chance.random() < 0.2:
            timers = Timers(30.0, 2.0, 50.0, 20.0, chance.choice([5.0, 15.0]), 1.0)
        self.options = LivenessOptions(chance.choice([0, 0, 25]), {key(1): chance.choice([0, 10, 60])}, timers)
        self.debounce = chance.choice([0.0, 0.0, 2.0, 30.0])
        for number in range(1, chance.randrange(2, 5)):
            self.add(number)

    @property
    def wall(self) -> int:
        return START + self.now + self.step

    def add(self, number: int) -> None:
        handshake = self.chance.choice([0, self.wall, self.wall - self.chance.randrange(300 * 20) * STEP])
        counters = self.chance.choice([0, 1000]), self.chance.choice([0, 1000])
        self.put(Peer(key(number), None, None, (), self.chance.choice([0, 0, 25]), handshake, *counters))

    def put(self, peer: Peer) -> None:
        if self.device.peers.get(peer.public_key) != peer:
            self.device = self.device._replace(peers={**self.device.peers, peer.public_key: peer})

    def drop(self, peer: Peer) -> None:
        rest = {one: other for one, other in self.device.peers.items() if one != peer.public_key}
        self.device = self.device._replace(peers=rest)

    def happen(self) -> None:
        """Up to the next poll, at `now`, whose interval has passed."""
        chance = self.chance
        since = round(chance.choice(self.intervals) * SECOND)
        if len(self.intervals) > 1:
            since = max(STEP, since - chance.randrange(since // STEP + 1) // 2 * STEP)
        self.now += since
        for peer in list(self.device.peers.values()):
            if chance.random() > self.activity:
                continue
            what = chance.random()
            if what < 0.4:
                peer = peer._replace(tx_bytes=peer.tx_bytes + chance.choice(BYTES))
            elif what < 0.6:
                peer = peer._replace(rx_bytes=peer.rx_bytes + chance.choice(BYTES))
            elif what < 0.85:
                at = self.wall - chance.randrange(since // STEP + 1) * STEP
                peer = peer._replace(last_handshake_ns=at, rx_bytes=peer.rx_bytes + 92, tx_bytes=peer.tx_bytes + 148)
            elif what < 0.9:
                peer = peer._replace(persistent_keepalive=chance.choice([0, 10, 25]))
            elif what < 0.95:
                peer = Peer(peer.public_key, tx_bytes=chance.choice([0, 148]))  # made anew
            else:
                self.drop(peer)
                continue
            self.put(peer)
        if chance.random() < 0.03:
            self.add(chance.randrange(1, 5))
        if chance.random() < 0.04 or not self.device.up:
            self.device = self.device._replace(up=chance.random() < 0.3)
        if chance.random() < 0.02 or not self.device.has_private_key:
            self.device = self.device._replace(has_private_key=chance.random() < 0.3)
        if chance.random() < 0.01:
            self.device = self.device._replace(ifindex=chance.choice([None, 8, 9]))
        if chance.random() < 0.03:
            self.step += chance.choice([1, 100, 86400]) * SECOND


def both(world: World) -> tuple[Tracker, ReferenceTracker]:
    tracker = Tracker(world.options, world.debounce)
    reference = ReferenceTracker(world.options, world.debounce)
    if world.chance.random() < 0.3:
        states = {key(number): world.chance.choice(_liveness.STATES) for number in range(1, 4)}
        tracker.restore(states)
        reference.restore(states)
    return tracker, reference


def play(world: World, counted: Counter[str]) -> tuple[Tracker, ReferenceTracker]:
    """Poll by poll the same changes; some polls come at the very moment that the tracker asks for."""
    tracker, reference = both(world)
    for _number in range(POLLS):
        told = tracker.update(world.device, world.wall, world.now)
        assert told == reference.update(world.device, world.wall, world.now)
        counted["polls"] += 1
        for _before, state in told.values():
            counted[state or "gone"] += 1
        world.happen()
    return tracker, reference


def count_of(full: bool) -> list[int]:
    alone = os.environ.get("WW_CASE")
    return [int(alone)] if alone else list(range(ALL_HISTORIES if full else HISTORIES))


def test_who_looks_at_few_peers_tells_what_one_tells_that_looks_at_all(
    full: bool, figure: Callable[[str], None]
) -> None:
    counted: Counter[str] = Counter()
    numbers = count_of(full)
    for number in numbers:
        try:
            play(World(random.Random(number)), counted)
        except Exception as error:
            error.add_note(f"History {number}; WW_CASE={number} runs it alone.")
            raise
    figure(
        f"{len(numbers):,} random histories, {counted['polls']:,} polls: the tracker and one that judges every peer at "
        f"every poll told the same {counted.total() - counted['polls']:,} states"
    )
    assert {*_liveness.STATES, "gone"} <= counted.keys() or len(numbers) == 1


def test_nothing_changes_by_silence_before_the_moment_that_is_announced_and_all_of_it_at_it(
    full: bool, figure: Callable[[str], None]
) -> None:
    told = looks = 0
    numbers = count_of(full)[::10]  # an hour is looked at second by second, which takes longer
    for number in numbers:
        try:
            world = World(random.Random(f"silence {number}"))
            tracker, reference = play(world, Counter())

            def look(now: int, world: World = world, by: Callable = reference.update) -> Changes:
                return by(world.device, START + world.step + now, now)

            assert look(world.now, by=tracker.update) == look(world.now)
            for second in range(world.now + SECOND, world.now + LONG * SECOND, SECOND):
                while (due := tracker.next_due()) is not None and due <= second:
                    changes = look(due, by=tracker.update)
                    assert changes == look(due)
                    told, looks = told + len(changes), looks + 1
                assert look(second) == {}, "which nobody announced"
        except Exception as error:
            error.add_note(f"History {number}; WW_CASE={number} runs it alone.")
            raise
    figure(
        f"{len(numbers):,} hours of silence: {told:,} states changed, each at one of {looks:,} announced moments, and none "
        "in looks at each second between them"
    )
    assert told > 0 or len(numbers) == 1

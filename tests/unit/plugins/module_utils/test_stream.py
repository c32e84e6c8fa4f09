# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the stream polls: the grid, signs, heartbeats, the end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND
from ansible_collections.wirewatch.wireguard.plugins.module_utils._stream import GAP, Stream
from ansible_collections.wirewatch.wireguard.plugins.module_utils._trigger import Triggers
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Batch
from unit.watching import World, peer, short


class FakeTriggers:
    """Time passes only while somebody waits; signs come at the seconds given."""

    def __init__(self, world: World, signs: list[float]) -> None:
        self._clock = world.clock
        self._signs = signs
        self.waits = 0

    def wait(self, seconds: float) -> bool:
        self.waits += 1
        end = self._clock.now + round(seconds * SECOND)
        if self._signs and round(self._signs[0] * SECOND) <= end:
            self._clock.now = max(self._clock.now, round(self._signs.pop(0) * SECOND))
            return True
        self._clock.now = end
        return False

    def wake(self) -> None:
        pass

    def close(self) -> None:
        pass


class Recorder:
    """A stream on a world in which every poll finds something, so that each one is seen. Notes when they happened."""

    def __init__(
        self, signs: list[float] | None = None, durations: dict[int, float] | None = None, **options: float
    ) -> None:
        self.world = World()
        watcher = self.world.watcher("wg0", **options)
        self.polls: list[tuple[float, bool]] = []
        poll = watcher.poll

        def recorded(links_changed: bool = False) -> Batch:
            self.polls.append((self.world.clock.now / SECOND, links_changed))
            self.world.put("wg0", listen_port=len(self.polls))
            self.world.clock.sleep((durations or {}).get(len(self.polls), 0))
            return poll(links_changed)

        watcher.poll = recorded  # type: ignore[method-assign]
        self.watcher = watcher
        self.triggers = FakeTriggers(self.world, list(signs or []))
        self.stream = Stream(watcher, self.triggers, self.world.clock)  # type: ignore[arg-type]

    def run(self, polls: int, delivery: dict[int, float] | None = None) -> list[float]:
        """The times of so many polls; `delivery`: seconds that delivering the batch of the nth took."""
        while len(self.polls) < polls:
            assert self.stream.next() is not None
            self.world.clock.sleep((delivery or {}).get(len(self.polls), 0))
            self.watcher.confirm()
        return [round(at, 6) for at, _sign in self.polls]


def test_polls_are_on_a_grid_that_does_not_drift() -> None:
    durations = dict.fromkeys(range(1, 200), 0.3)
    assert Recorder(durations=durations, interval=1.0).run(101) == [float(second) for second in range(101)]


def test_a_long_poll_skips_points_of_the_grid_and_does_not_shift_it() -> None:
    assert Recorder(durations={3: 2.4}, interval=1.0).run(6) == [0, 1, 2, 5, 6, 7]


def test_polls_that_always_take_too_long_leave_others_time() -> None:
    """They hold the RTNL lock: one after the other without a pause would block the host."""
    durations = dict.fromkeys(range(1, 20), 1.5)
    assert Recorder(durations=durations, interval=1.0).run(5) == [0, 2, 4, 6, 8]


def test_after_a_long_delivery_it_polls_at_once_and_goes_on_with_the_grid() -> None:
    assert Recorder(interval=1.0).run(6, delivery={3: 3600.4}) == [0, 1, 2, 3602.4, 3603, 3604]


def test_a_sign_polls_at_once_and_the_grid_stays() -> None:
    recorder = Recorder(signs=[1.25], interval=1.0)
    assert recorder.run(5) == [0, 1, 1.25, 2, 3]
    assert [sign for _at, sign in recorder.polls] == [True, False, True, False, False]


def test_signs_cause_a_poll_each_gap_at_most() -> None:
    """A host that starts a hundred containers tells of a thousand links."""
    signs = [0.5 + number / 1000 for number in range(1000)]
    times = Recorder(signs=signs, interval=100.0).run(20)
    assert min(after - before for before, after in zip(times, times[1:])) >= GAP - 1e-9
    assert times[:3] == [0, 0.5, 0.5 + GAP]


def test_signs_that_came_during_a_long_delivery_are_seen() -> None:
    """Else a slow rulebook would not learn of new interfaces until the next discovery."""
    recorder = Recorder(signs=[1.5], interval=1.0)
    recorder.run(3, delivery={2: 5})
    assert recorder.polls[2] == (6.0, True)


def test_an_interval_of_weeks_still_sees_signs() -> None:
    assert Recorder(signs=[1e6], interval=1e7).run(2) == [0, 1e6]


def test_a_heartbeat_has_a_poll_of_its_own() -> None:
    assert Recorder(interval=30.0, heartbeat=12.0).run(6) == [0, 12, 24, 30, 36, 48]


def test_quiet_polls_yield_nothing() -> None:
    world = World()
    world.put("wg0")
    watcher = world.watcher("wg0")
    triggers = FakeTriggers(world, [])
    stream = Stream(watcher, triggers, world.clock)  # type: ignore[arg-type]
    assert stream.next() is not None
    watcher.confirm()
    reader = world.readers[0]
    read, looks = reader.read, []

    def seventh_differs() -> object:
        looks.append(world.clock.now)
        if len(looks) == 7:
            world.put("wg0", peer(1))
        return read()

    reader.read = seventh_differs  # type: ignore[method-assign,assignment]
    batch = stream.next()
    assert batch is not None
    assert short([event for event, _wanted in batch]) == ["peer_added wg0 1"]
    assert len(looks) == 7


@pytest.mark.parametrize("interval", [0.05, 3600.0])
def test_stop_ends_a_wait_promptly(interval: float, tmp_path: Path) -> None:
    world = World()
    world.put("wg0")
    watcher = world.watcher("wg0", interval=interval)
    stream = Stream(watcher, Triggers([], str(tmp_path)))
    first = stream.next()
    assert first is not None
    watcher.confirm()
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(stream.next()))
    thread.start()
    stream.stop()
    thread.join(5)
    assert answers == [None]
    assert stream.next() is None
    stream.close()
    stream.stop()  # from another thread it may come late


def test_who_hurries_gets_the_next_poll_at_once_and_the_grid_stays() -> None:
    recorder = Recorder(interval=60.0)
    recorder.run(2)
    recorder.stream.hurry()
    assert recorder.run(4) == [0, 60, 60, 120]


def test_a_heartbeat_that_nobody_confirms_is_no_reason_to_poll() -> None:
    recorder = Recorder(interval=60.0, heartbeat=90.0)
    for _poll in range(6):
        recorder.stream.next(or_empty=True)
    assert [at for at, _sign in recorder.polls] == [0, 60, 90, 120, 180, 240]
    recorder.watcher.confirm()
    assert recorder.run(8)[6:] == [270, 300]

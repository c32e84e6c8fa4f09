# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Liveness followed over time: what was measured on pairs of wireguard-go, played on a clock that stands still."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _tracker
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import LivenessOptions
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND, Device, Peer
from ansible_collections.wirewatch.wireguard.plugins.module_utils._tracker import Tracker
from unit.watching import START, key, peer

INITIATION, RESPONSE, KEEPALIVE, PING = 148, 92, 32, 128  # bytes on the wire


class Line:
    """One peer, looked at every second. Times are seconds since the first look, at which it has just shaken hands."""

    def __init__(self, keepalive: int = 0, handshake: float | None = 0.0, **options: Any) -> None:
        self.tracker = Tracker(**options)
        self.now = -1
        self.step = 0.0  # how far the wall clock was stepped
        self.link: dict[str, Any] = {"ifindex": 7, "up": True, "has_private_key": True}
        self.peer: Peer | None = peer(1, persistent_keepalive=keepalive)
        if handshake is not None:
            self.shake_hands(handshake)
        self.told: list[tuple[int, str | None]] = []

    @property
    def wall_ns(self) -> int:
        return START + round((self.now + self.step) * SECOND)

    def shake_hands(self, at: float) -> None:
        """At this time, as the wall clock shows it."""
        assert self.peer is not None
        self.peer = self.peer._replace(last_handshake_ns=START + round((at + self.step) * SECOND))

    def count(self, tx: int = 0, rx: int = 0) -> None:
        assert self.peer is not None
        self.peer = self.peer._replace(tx_bytes=self.peer.tx_bytes + tx, rx_bytes=self.peer.rx_bytes + rx)

    def look(self) -> None:
        peers = {} if self.peer is None else {self.peer.public_key: self.peer}
        device = Device("wg0", peers=peers, **self.link)
        for _before, state in self.tracker.update(device, self.wall_ns, self.now * SECOND).values():
            self.told.append((self.now, state))

    def run(self, until: int, *traffic: tuple[float, dict[str, Any]]) -> list[tuple[int, str | None]]:
        """Looks each second until then; `traffic` happens at its times, in between. What was told since the last run."""
        due = sorted(traffic, key=lambda happening: happening[0])
        while self.now < until:
            self.now += 1
            while due and due[0][0] <= self.now:
                at, what = due.pop(0)
                if what.get("handshake"):
                    self.shake_hands(at)
                self.count(what.get("tx", 0), what.get("rx", 0))
            self.look()
        told, self.told = self.told, []
        return told


def every(interval: float, first: float, last: float, **what: Any) -> list[tuple[float, dict[str, Any]]]:
    return [(first + number * interval, what) for number in range(int((last - first) / interval) + 1)]


def handshake_begun_by_us(at: float) -> list[tuple[float, dict[str, Any]]]:
    """With a look in between: the answer is on its way for 0.4 s."""
    return [
        (at - 0.2, {"tx": INITIATION}),
        (at + 0.2, {"rx": RESPONSE, "handshake": True}),
        (at + 0.21, {"tx": KEEPALIVE}),
    ]


def handshake_begun_by_them(at: float) -> list[tuple[float, dict[str, Any]]]:
    return [(at - 0.2, {"rx": INITIATION, "tx": RESPONSE}), (at + 0.2, {"handshake": True, "rx": KEEPALIVE})]


def together(*parts: list[tuple[float, dict[str, Any]]]) -> list[tuple[float, dict[str, Any]]]:
    return [one for part in parts for one in part]


# --- what is healthy


def test_an_initiator_with_keepalive_that_renews_is_up_all_the_time() -> None:
    """Renewed at 125 to 135 s, by a handshake that a look catches half-way, on top of keepalives that nobody answers."""
    renewals = [handshake_begun_by_us(at) for at in (125, 260, 385, 515, 640)]
    assert Line(25).run(700, *together(every(25, 25.5, 700, tx=KEEPALIVE), *renewals)) == [(0, "up")]


def test_a_responder_with_keepalive_that_first_renews_at_185_s_is_up_all_the_time() -> None:
    renewals = [handshake_begun_by_us(at) for at in (185, 310, 435)]
    assert Line(25).run(500, *together(every(25, 25.5, 500, tx=KEEPALIVE), *renewals)) == [(0, "up")]


def test_the_other_side_of_those_is_up_all_the_time() -> None:
    """It sends nothing of its own and knows of no keepalive, yet receives them."""
    renewals = [handshake_begun_by_them(at) for at in (185, 310, 435)]
    assert Line().run(500, *together(every(25, 25.5, 500, rx=KEEPALIVE), *renewals)) == [(0, "up")]


def test_traffic_both_ways_is_up_all_the_time() -> None:
    pings = together(every(1, 1.4, 400, tx=PING), every(1, 1.6, 400, rx=PING))
    assert Line().run(
        400, *pings, *handshake_begun_by_us(120), *handshake_begun_by_us(240), *handshake_begun_by_us(360)
    ) == [(0, "up")]


def test_two_healthy_peers_with_nothing_to_say_are_idle_and_not_down() -> None:
    assert Line().run(600) == [(0, "up"), (181, "idle")]


def test_a_single_initiation_after_hours_of_silence_may_just_be_on_its_way() -> None:
    line = Line()
    line.run(7200)
    assert line.run(7300, *handshake_begun_by_us(7210)) == [(7211, "up")]


# --- what is not


def test_a_peer_with_keepalive_that_was_killed() -> None:
    """Looks healthy to 136 s; then an initiation each 5 s, the first of them unanswered for 15 s."""
    line = Line(25)
    traffic = together(every(25, 25.5, 125.5, tx=KEEPALIVE), every(5, 135.5, 400, tx=INITIATION))
    assert line.run(400, *traffic) == [(0, "up"), (151, "unresponsive"), (181, "down")]


def test_a_peer_that_was_pinged_each_second_when_it_was_killed() -> None:
    line = Line()
    killed = 60
    alive = together(every(1, 1.4, killed, tx=PING), every(1, 1.6, killed, rx=PING))
    dead = together(every(1, killed + 0.4, 200, tx=PING), every(5, killed + 15.5, 290, tx=INITIATION))
    assert line.run(300, *alive, *dead) == [(0, "up"), (killed + 16, "unresponsive"), (181, "down")]
    # The traffic ended and so did the attempts: by its counters it is idle, and nobody heard of it since.
    assert line.run(3900) == []


def test_a_declared_keepalive_of_the_remote_side_tells_that_it_fell_silent() -> None:
    assert Line(options=LivenessOptions(25)).run(400, *every(25, 10.5, 100, rx=KEEPALIVE)) == [(0, "up"), (211, "down")]


def test_traffic_into_an_expired_session_that_nobody_answers() -> None:
    line = Line()
    line.run(7200)
    assert line.run(7300, *every(5, 7209.5, 7300, tx=INITIATION)) == [(7225, "down")]


def test_they_reach_us_and_no_session_completes() -> None:
    """Our answers are lost on the way."""
    line = Line()
    line.run(600)
    assert line.run(720, *every(5, 609.5, 630, rx=INITIATION, tx=RESPONSE)) == [(610, "half_open"), (691, "idle")]


# --- down is latched


@pytest.fixture
def dead() -> Line:
    line = Line()
    assert line.run(300, *every(5, 9.5, 250, tx=INITIATION))[-1] == (181, "down")
    return line


@pytest.mark.parametrize(
    ("happening", "state"),
    [
        ({"rx": INITIATION, "tx": RESPONSE}, "half_open"),
        ({"rx": RESPONSE, "handshake": True}, "up"),
    ],
)
def test_down_ends_when_something_is_received_or_hands_were_shaken(
    dead: Line, happening: dict[str, Any], state: str
) -> None:
    assert dead.run(310, (305.5, happening)) == [(306, state)]


@pytest.mark.parametrize("step", [0, -3600, -250, -150, 150, 3600])
def test_neither_what_is_sent_nor_a_clock_step_raises_the_dead(dead: Line, step: int) -> None:
    dead.step = step
    assert dead.run(4000, *every(7, 305.5, 800, tx=KEEPALIVE)) == []


def test_a_clock_step_does_not_raise_who_had_nothing_to_send() -> None:
    """By the smaller age alone it would be up again, as soon as anything of it changes."""
    line = Line(25)
    assert line.run(300) == [(0, "up"), (211, "down")]
    line.step = -250
    assert line.run(310, (305.5, {"tx": KEEPALIVE})) == []


def test_a_peer_made_anew_is_not_the_dead_one(dead: Line) -> None:
    dead.peer = peer(1)
    assert dead.run(301) == [(301, "never")]


# --- the wall clock


@pytest.mark.parametrize("step", [-86400, -100, 100, 86400, 10**8])
def test_a_clock_step_makes_nobody_stale(step: int) -> None:
    line = Line(25)
    assert line.run(50) == [(0, "up")]
    line.step = step
    assert line.run(124, *every(25, 75.5, 125, tx=KEEPALIVE)) == []
    assert (
        line.run(300, *handshake_begun_by_us(125), *every(25, 150.5, 240, tx=KEEPALIVE), *handshake_begun_by_us(250))
        == []
    )
    line.step = 0
    assert line.run(370) == []


def test_a_step_forward_does_not_hide_a_silence() -> None:
    line = Line(25)
    line.run(50)
    line.step = 86400
    assert line.run(400) == [(211, "down")]


def test_a_handshake_just_before_a_step_forward_is_as_fresh_as_the_look_before_it() -> None:
    line = Line(25)
    line.run(130)
    line.shake_hands(130.5)
    line.count(tx=INITIATION, rx=RESPONSE)
    line.step = 3600
    assert line.run(300) == []


@pytest.mark.parametrize(("keepalive", "state"), [(0, "idle"), (25, "down")])
def test_a_host_that_slept_says_once_that_the_session_is_dead_and_then_that_there_is_another(
    keepalive: int, state: str
) -> None:
    """Both clocks went on, as after a pause of a virtual machine. Of a sleep that the monotonic one does not count, above."""
    line = Line(keepalive)
    assert line.run(50) == [(0, "up")]
    line.now += 3600
    assert line.run(3660) == [(3651, state)]
    assert line.run(3700, *handshake_begun_by_us(3665)) == [(3666, "up")]


def test_the_age_is_the_smaller_one_by_either_clock() -> None:
    line = Line(handshake=-30.0)
    line.run(10)

    def age() -> float | None:
        return line.tracker.age(key(1), line.wall_ns, line.now * SECOND)

    assert age() == 40.0
    line.step = 3600
    assert age() == 40.0
    line.step = -5
    assert age() == 35.0
    line.step = -3600  # the handshake is in the future
    assert age() == 40.0


def test_never_has_no_age() -> None:
    line = Line(handshake=None)
    assert line.run(5) == [(0, "never")]
    assert line.tracker.age(key(1), line.wall_ns, 0) is None
    assert line.tracker.age(key(2), line.wall_ns, 0) is None


# --- debounce


def test_a_state_counts_after_it_held_for_the_debounce_time() -> None:
    assert Line(debounce=10).run(300) == [(0, "up"), (191, "idle")]  # idle since 181


def test_a_state_that_did_not_hold_is_never_told() -> None:
    line = Line(debounce=10)
    line.run(300)
    flapping = together(*(handshake_begun_by_us(at) for at in (300, 600)))
    assert [state for _at, state in line.run(900, *flapping)] == ["up", "idle", "up", "idle"]
    line = Line(25, debounce=200)
    assert line.run(1000, *together(*(handshake_begun_by_us(at) for at in (300, 600, 900)))) == [(0, "up")]


def test_the_first_state_is_told_at_once() -> None:
    line = Line(debounce=3600)
    assert line.run(5) == [(0, "up")]


# --- the link


def test_without_a_link_that_is_up_nobody_is_connected_and_after_it_all_is_as_before() -> None:
    line = Line()
    line.run(10)
    line.link = {**line.link, "up": False}
    assert line.run(20) == [(11, "inactive")]
    line.link = {**line.link, "up": True}
    assert line.run(30) == [(21, "up")]
    line.link = {**line.link, "has_private_key": False}
    assert line.run(40) == [(31, "inactive")]


def test_a_dead_peer_is_still_dead_after_the_link_was_down(dead: Line) -> None:
    dead.link = {**dead.link, "up": False}
    assert dead.run(310) == [(301, "inactive")]
    dead.link = {**dead.link, "up": True}
    assert dead.run(320) == [(311, "down")]


@pytest.mark.parametrize(("ifindex", "told"), [(8, [(301, "idle")]), (None, [])])
def test_another_interface_has_other_peers_and_one_of_unknown_index_has_not(
    dead: Line, ifindex: int | None, told: list[Any]
) -> None:
    dead.link = {**dead.link, "ifindex": ifindex}
    assert dead.run(310) == told


def test_peers_come_and_go() -> None:
    line = Line()
    line.run(1)
    line.peer = None
    assert line.run(2) == [(2, None)]
    assert line.tracker.state(key(1)) == "never"
    line.peer = peer(1)
    assert line.run(3) == [(3, "never")]


# --- quiet peers cost nothing

MANY = 2000


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows with each peer that is judged."""
    calls: list[object] = []
    rule = _tracker.rule

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return rule(*arguments)

    monkeypatch.setattr(_tracker, "rule", counted)
    return calls


def test_only_peers_that_changed_or_whose_moment_has_come_are_judged(judged: list[object]) -> None:
    tracker = Tracker()
    peers = {key(number): peer(number, handshake=-number / MANY * 100) for number in range(MANY)}
    device = Device("wg0", peers=peers)

    def look(device: Device, second: int) -> tuple[int, int]:
        judged.clear()
        changed = tracker.update(device, START + second * SECOND, second * SECOND)
        return len(judged), len(changed)

    assert look(device, 0) == (MANY, MANY)
    assert look(device, 1) == (0, 0)
    busy = device._replace(peers={**peers, key(7): peers[key(7)]._replace(rx_bytes=1, last_handshake_ns=START)})
    assert look(busy, 2) == (1, 0)
    due = tracker.next_due()
    assert due is not None
    assert 80 * SECOND < due < 81 * SECOND  # the oldest handshake is of almost 100 s ago
    assert look(busy, 80) == (0, 0)
    assert look(busy, 170)[1] > 1700
    look(busy, 200)
    assert look(busy, 201) == look(busy, 10**6) == (0, 0)  # all idle: there is nothing to wait for
    assert tracker.next_due() is None


def test_a_busy_peer_waits_for_one_moment_and_not_for_one_for_each_look() -> None:
    line = Line()
    line.run(10_000, *together(every(1, 1.5, 10_000, tx=PING, rx=PING), every(120, 120, 10_000, handshake=True)))
    assert len(line.tracker._due) < 10


# --- restored from a state file


@pytest.mark.parametrize(
    ("told", "age", "now"),
    [
        ("up", 10, "up"),
        ("up", 7200, "idle"),
        ("idle", 10, "up"),
        ("down", 7200, "down"),  # nothing that could have lifted it was seen
        ("down", 181, "down"),
        ("down", 180, "up"),  # it has shaken hands since
        ("unresponsive", 10, "up"),
    ],
)
def test_what_an_earlier_run_told_is_what_changes_are_counted_from(told: str, age: int, now: str) -> None:
    line = Line(handshake=-age)
    line.now = 0
    assert line.peer is not None
    device = Device("wg0", peers={key(1): line.peer}, **line.link)
    line.tracker.restore({key(1): told, key(2): "up"})
    assert line.tracker.state(key(1)) == told
    assert line.tracker.update(device, START, 0) == {key(1): (told, now), key(2): ("up", None)}
    assert line.tracker.state(key(1)) == now


def test_a_restored_down_is_latched_as_any_other() -> None:
    line = Line(handshake=-7200.0)
    line.tracker.restore({key(1): "down"})
    assert line.run(300) == [(0, "down")]
    assert line.run(310, (305.5, {"rx": INITIATION})) == [(306, "half_open")]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting: when is looked, what counts, how it ends. Time stands still but for the sleeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._clock import probes
from ansible_collections.wirewatch.wireguard.plugins.module_utils._condition import Expected
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import (
    InterfaceGone,
    MalformedReply,
    NoPrivilege,
    Temporary,
    Unreadable,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND, Device
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._wait import EVENTS_KEPT, Outcome, Wait, WaitOptions
from unit.watching import FakeClock, FakeReader, World, key, peer, short, text

KEYS = ["interface", "netns", "condition", "satisfied", "peers", "events", "elapsed", "polls"]
BUSY = Temporary("The kernel is busy")


class Story:
    """A world in which things happen at seconds after the start; they are seen by the first look after that."""

    def __init__(self, *peers: Any, **fields: Any) -> None:
        self.world = World()
        self.world.put("wg0", *peers, **fields)
        self.happenings: list[tuple[float, Callable[[], None]]] = []
        self.looks: list[float] = []

    def at(self, second: float, *peers: Any, **fields: Any) -> Story:
        self.happenings.append((second, lambda: self.world.put("wg0", *peers, **fields)))
        return self

    def gone_at(self, second: float) -> Story:
        self.happenings.append((second, lambda: self.world.drop("wg0")))
        return self

    def fails_at(self, second: float, error: Exception) -> Story:
        self.happenings.append((second, lambda: self.world.fail("wg0", error)))
        return self

    def now(self) -> Device:
        device = self.world.there[None, "wg0"]
        assert isinstance(device, Device)
        return device

    def wait(self, condition: str, baseline: Device | None = None, **options: Any) -> Outcome:
        story, reader = self, self.world.make_reader(Namespace(None), "wg0")

        class Reader(FakeReader):
            def read(self) -> Device:
                second = story.world.clock.now / SECOND
                story.looks.append(round(second, 6))
                while story.happenings and story.happenings[0][0] <= second:
                    story.happenings.pop(0)[1]()
                return reader.read()

        looking = Reader(self.world, reader.namespace, "wg0")
        chosen = WaitOptions(condition, **{"host": "gw1", "timeout": 10.0, **options})
        return Wait(looking, chosen, baseline, self.world.clock).run()  # type: ignore[arg-type]


# --- when is looked


@pytest.mark.parametrize(
    ("timeout", "delay", "interval", "looks"),
    [
        (0, 0, 1, [0]),
        (3, 0, 1, [0, 1, 2, 3]),
        (2.5, 0, 1, [0, 1, 2, 2.5]),  # the last sleep is cut short: there is always a look at the deadline
        (1, 0, 5, [0, 1]),
        (0.3, 0, 0.125, [0, 0.125, 0.25, 0.3]),
        (3, 2, 1, [2, 3]),  # the delay is a part of the time-out
        (3, 3, 1, [3]),
        (3, 60, 1, [3]),
        (0, 60, 1, [0]),
    ],
)
def test_looks_from_the_start_to_the_deadline(
    timeout: float, delay: float, interval: float, looks: list[float]
) -> None:
    clock = FakeClock()
    seen = [(clock.now / SECOND, left) for left in probes(clock, timeout, delay, interval)]
    assert [round(at, 6) for at, _left in seen] == looks
    assert [round(at + left, 6) for at, left in seen] == [max(timeout, 0)] * len(seen)
    assert seen[-1][1] == 0
    story = Story()
    outcome = story.wait("present", timeout=timeout, delay=delay, interval=interval)
    assert story.looks == looks
    assert (outcome.result["polls"], outcome.result["elapsed"]) == (len(looks), looks[-1])


def test_looks_that_take_long_do_not_go_on_beyond_the_one_at_the_deadline() -> None:
    clock = FakeClock()
    starts = []
    for _left in probes(clock, 10, 0, 1):
        starts.append(clock.now / SECOND)
        clock.sleep(4)
    assert starts == [0, 5, 10]


def test_the_wall_clock_is_of_no_account() -> None:
    clock = FakeClock()
    starts = []
    for _left in probes(clock, 3, 0, 1):
        starts.append(clock.now / SECOND)
        clock.step += 86400 * SECOND
    assert starts == [0, 1, 2, 3]


def test_a_condition_that_holds_ends_the_wait_at_once() -> None:
    story = Story(peer(1)).at(3, peer(1, handshake=3))
    outcome = story.wait("first_handshake", timeout=300)
    assert outcome.satisfied
    assert outcome.reason == ""
    assert story.looks == [0, 1, 2, 3]


def test_the_look_at_the_deadline_counts() -> None:
    assert Story(peer(1)).at(2.5, peer(1, handshake=2)).wait("first_handshake", timeout=2.5).satisfied


# --- the result


def test_the_result_has_the_same_keys_however_it_ends() -> None:
    ended = [
        Story(peer(1, handshake=0)).wait("up"),
        Story(peer(1)).wait("up"),
        Story(peer(1)).at(1).wait("up"),
        Story(peer(1)).gone_at(1).wait("traffic"),
        Story(peer(1)).fails_at(0, BUSY).wait("up"),
        Story().wait("present"),
    ]
    assert [outcome.satisfied for outcome in ended] == [True] + [False] * 5
    for outcome in ended:
        assert list(outcome.result) == KEYS
        assert bool(outcome.reason) != outcome.satisfied
        for one in outcome.result["peers"]:
            assert list(one) == ["public_key", "name", "satisfied", "before", "after"]


def test_what_a_result_shows() -> None:
    story = Story(peer(1), peer(2)).at(2, peer(1, handshake=2, endpoint="192.0.2.7:1"), peer(2))
    result = story.wait("first_handshake", match_all=False, names={key(1): "office"}).result
    assert (result["interface"], result["netns"], result["condition"]) == ("wg0", None, "first_handshake")
    assert (result["satisfied"], result["elapsed"], result["polls"]) == (True, 2.0, 3)
    one, two = result["peers"]
    assert [(each["public_key"], each["name"], each["satisfied"]) for each in (one, two)] == [
        (text(1), "office", True),
        (text(2), None, False),
    ]
    assert [one["before"]["last_handshake"], one["after"]["last_handshake"]] == [None, "2026-11-23T12:00:02.000000Z"]
    assert [one["before"]["state"], one["after"]["state"]] == [None, "up"]
    assert short(result["events"]) == [
        "peer_endpoint_changed wg0 1",
        "peer_handshake_refreshed wg0 1",
        "peer_state_changed wg0 1",
    ]
    assert [event["sequence"] for event in result["events"]] == [1, 2, 3]


def test_events_are_of_the_peers_asked_for_and_a_removed_one_is_shown_as_last_seen() -> None:
    story = Story(peer(1, handshake=0), peer(2)).at(1)
    result = story.wait("absent", peers=(key(1),)).result
    (removed,) = result["events"]
    assert short([removed]) == ["peer_removed wg0 1"]
    assert (removed["peer"]["state"], removed["peer"]["last_handshake_age"]) == ("up", 1.0)


def test_only_the_latest_events_are_kept() -> None:
    story = Story(peer(1))
    for second in range(1, EVENTS_KEPT + 50):
        story.at(second, peer(1, endpoint=f"192.0.2.1:{second}"))
    events = story.wait("down", timeout=EVENTS_KEPT + 50).result["events"]
    assert len(events) == EVENTS_KEPT
    assert events[-1]["current"] == f"192.0.2.1:{EVENTS_KEPT + 49}"


# --- the baseline


@pytest.mark.parametrize(
    ("condition", "before", "after"),
    [
        ("handshake", {"handshake": 0}, {"handshake": 5}),
        ("endpoint_changed", {"endpoint": "192.0.2.7:1"}, {"endpoint": "192.0.2.8:1"}),
        ("allowed_ips_changed", {}, {"allowed_ips": ["::/0"]}),
        ("recreated", {"handshake": 0}, {}),
        ("traffic", {"rx_bytes": 1}, {"rx_bytes": 2}),
    ],
)
def test_a_baseline_catches_what_happened_between_two_tasks(condition: str, before: Any, after: Any) -> None:
    baseline = Story(peer(1, **before)).now()
    assert Story(peer(1, **after)).wait(condition, baseline, timeout=0).satisfied
    assert not Story(peer(1, **before)).wait(condition, baseline, timeout=0).satisfied
    assert not Story(peer(1, **after)).wait(condition, None, timeout=0).satisfied  # the first look is the baseline


def test_a_peer_that_came_after_the_baseline_or_went_is_waited_for_too() -> None:
    baseline = Story(peer(1)).now()
    result = Story(peer(2, handshake=0)).wait("present", baseline, timeout=0).result
    assert [(one["public_key"], one["satisfied"]) for one in result["peers"]] == [(text(1), False), (text(2), True)]


def test_an_interface_made_anew_since_the_baseline_recreated_its_peers() -> None:
    baseline = Story(peer(1), ifindex=7).now()
    assert Story(peer(1), ifindex=8).wait("recreated", baseline, timeout=0).satisfied


@pytest.mark.parametrize("way", ["peer", "interface"])
def test_removed_and_put_back_in_full_view_is_recreated(way: str) -> None:
    story = Story(peer(1))
    gone = story.at(2) if way == "peer" else story.gone_at(2)
    outcome = gone.at(5, peer(1)).wait("recreated")
    assert outcome.satisfied
    assert story.looks[-1] == 5


# --- which peers


@pytest.mark.parametrize(
    ("match_all", "peers", "holds"),
    [
        (True, None, False),
        (False, None, True),
        (True, (1,), True),
        (True, (2,), False),
        (True, (1, 3), False),
        (False, (3, 1), True),
        (False, (2, 3), False),
    ],
)
def test_all_or_any_of_the_peers_asked_for(match_all: bool, peers: tuple[int, ...] | None, holds: bool) -> None:
    """1 is up, 2 never was, 3 is not configured."""
    keys = None if peers is None else tuple(map(key, peers))
    outcome = Story(peer(1, handshake=0), peer(2)).wait("up", timeout=0, match_all=match_all, peers=keys)
    assert outcome.satisfied is holds
    asked = peers if peers is not None else (1, 2)
    assert [one["public_key"] for one in outcome.result["peers"]] == [text(number) for number in asked]


def test_all_must_hold_at_one_moment() -> None:
    story = Story(peer(1), peer(2)).at(1, peer(1)).at(2, peer(2)).at(3)
    outcome = story.wait("absent", peers=(key(1), key(2)))
    assert outcome.satisfied
    assert story.looks[-1] == 3


@pytest.mark.parametrize("condition", ["present", "absent", "up", "recreated"])
def test_without_any_peer_only_absent_holds(condition: str) -> None:
    outcome = Story().wait(condition, timeout=0)
    assert outcome.satisfied is (condition == "absent")
    assert outcome.reason.endswith("the interface has no peers") is not outcome.satisfied


# --- what can no longer come true


@pytest.mark.parametrize("condition", ["first_handshake", "handshake", "endpoint_changed", "up", "down", "traffic"])
def test_a_peer_that_was_removed_comes_to_nothing_any_more(condition: str) -> None:
    story = Story(peer(1)).at(2)
    outcome = story.wait(condition, timeout=300)
    assert story.looks == [0, 1, 2, 3]  # gone for two looks: a restart takes peers away for a moment
    assert outcome.reason == (
        f"The condition {condition} can no longer come true on wg0: peer {text(1)} was removed while waiting for it"
    )


def test_a_peer_that_is_gone_for_a_moment_is_waited_for() -> None:
    assert Story(peer(1)).at(2).at(3, peer(1, handshake=3)).wait("first_handshake").satisfied


def test_an_interface_that_goes_in_the_middle_ends_the_wait_unless_it_comes_back_at_once() -> None:
    story = Story(peer(1)).gone_at(2)
    outcome = story.wait("up", timeout=300, names={key(1): "office"})
    assert story.looks == [0, 1, 2, 3]
    assert outcome.reason == (
        "The condition up can no longer come true on wg0: interface wg0 is gone; "
        f"peer {text(1)} (office) was removed while waiting for it"
    )
    assert short(outcome.result["events"]) == ["peer_removed wg0 1", "interface_removed wg0"]
    assert Story(peer(1)).gone_at(2).at(3, peer(1, handshake=3), ifindex=8).wait("up").satisfied


def test_an_interface_that_goes_makes_its_peers_absent() -> None:
    assert Story(peer(1)).gone_at(2).wait("absent", peers=(key(1),)).satisfied


def test_any_goes_on_while_one_is_left() -> None:
    story = Story(peer(1), peer(2)).at(1, peer(2)).at(5, peer(2, handshake=5))
    assert story.wait("up", match_all=False).satisfied
    assert not Story(peer(1), peer(2)).at(1, peer(2)).at(5, peer(2, handshake=5)).wait("up").satisfied
    none_left = Story(peer(1), peer(2)).at(1, peer(2)).at(2)
    assert "can no longer come true" in none_left.wait("up", match_all=False).reason
    assert none_left.looks[-1] == 3


@pytest.mark.parametrize("condition", ["up", "present", "recreated"])
def test_the_interfaces_own_key_is_no_peer_and_never_will_be(condition: str) -> None:
    story = Story(peer(1), public_key=key(9))
    outcome = story.wait(condition, peers=(key(9),), timeout=300)
    assert story.looks == [0]
    assert outcome.reason.endswith(
        f"peer {text(9)} is the interface's own public key, and no interface is its own peer"
    )


def test_a_peer_that_is_yet_to_be_configured_is_waited_for() -> None:
    assert Story().at(5, peer(1, handshake=5)).wait("first_handshake", peers=(key(1),)).satisfied


# --- errors


@pytest.mark.parametrize("error", [BUSY, MalformedReply("The kernel's answer ends in mid-header, at offset 4")])
def test_what_may_heal_is_survived_from_the_first_look_on(error: Exception) -> None:
    story = Story().fails_at(0, error).at(3, peer(1, handshake=0))
    assert story.wait("up").satisfied
    story = Story(peer(1)).fails_at(2, error)
    outcome = story.wait("up")
    assert (outcome.satisfied, outcome.reason, story.looks[-1]) == (False, str(error), 10)


@pytest.mark.parametrize(
    "error", [NoPrivilege("It needs CAP_NET_ADMIN"), Unreadable("errno 22"), InterfaceGone("No wg0")]
)
def test_what_waiting_would_not_mend_is_raised_by_the_first_look(error: Exception) -> None:
    story = Story().fails_at(0, error)
    with pytest.raises(type(error), match=str(error)):
        story.wait("up")
    assert story.looks == [0]


def test_but_not_once_the_interface_was_seen() -> None:
    story = Story(peer(1)).fails_at(2, NoPrivilege("It needs CAP_NET_ADMIN")).at(5, peer(1, handshake=5))
    assert story.wait("up").satisfied


def test_nobody_is_removed_by_an_error() -> None:
    story = Story(peer(1)).fails_at(1, BUSY).at(8, peer(1, handshake=8))
    outcome = story.wait("up")
    assert short(outcome.result["events"]) == ["peer_handshake_refreshed wg0 1", "peer_state_changed wg0 1"]


def test_a_time_out_after_errors_that_healed_explains_what_is_seen_now() -> None:
    reason = Story(peer(1)).fails_at(2, BUSY).at(4, peer(1)).wait("up").reason
    assert reason.startswith("Timed out after 10.0 s waiting for up on wg0 (0 of 1 peers satisfied). peer ")


def test_an_expected_value_is_waited_for() -> None:
    story = Story(peer(1, endpoint="192.0.2.7:1"))
    story.at(2, peer(1, endpoint="192.0.2.8:1")).at(4, peer(1, endpoint="192.0.2.9:1"))
    assert story.wait("endpoint_changed", expected=Expected("192.0.2.9")).satisfied
    assert story.looks[-1] == 4


def test_events_come_in_the_order_of_the_contract_states_included() -> None:
    story = Story(peer(1), peer(2)).at(1, peer(1, handshake=1), peer(2, handshake=1))
    outcome = story.wait("up")
    assert short(outcome.result["events"]) == [
        "peer_handshake_refreshed wg0 1",
        "peer_state_changed wg0 1",
        "peer_handshake_refreshed wg0 2",
        "peer_state_changed wg0 2",
    ]

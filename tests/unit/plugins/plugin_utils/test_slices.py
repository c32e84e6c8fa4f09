# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop on the controller: what is handed on, what is said, how it ends when the host is not reached."""

from __future__ import annotations

from typing import Any, Callable, Dict

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND
from ansible_collections.wirewatch.wireguard.plugins.plugin_utils._slices import (
    FIRST_GRACE,
    GRACE,
    SLICE,
    Lost,
    SlicedWait,
)
from unit.watching import FakeClock

Answer = Callable[[Dict[str, Any]], Dict[str, Any]]


def unfinished(number: int, seen: str = "tx +148 B, nothing back", due: float = 0.5, **more: Any) -> dict[str, Any]:
    handed_on = {"state": f"state {number}", "due": due, "seen": seen}
    peers = [{"satisfied": True}, {"satisfied": False}]
    return {"satisfied": False, "peers": peers, "events": [number], "elapsed": 1.0, "_slice": handed_on, **more}


DONE = {"satisfied": True, "peers": [{"satisfied": True}], "events": [99], "elapsed": 9.0}


class Host:
    """Answers in turn; a slice takes the seconds asked for, a lost one its limit."""

    def __init__(self, *answers: Any, timeout: float = 60.0) -> None:
        self.clock = FakeClock()
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.limits: list[float] = []
        self.said: list[str] = []
        self.wait = SlicedWait(self.run, self.said.append, self.clock, timeout, "up on wg0").wait

    def run(self, asked: dict[str, Any], limit: float) -> dict[str, Any]:
        self.asked.append(asked)
        self.limits.append(limit)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Lost):
            self.clock.sleep(limit if answer.overdue else 3)
            raise answer
        self.clock.sleep(asked["seconds"])
        return dict(answer)


def test_what_holds_at_once_costs_one_look_and_no_word() -> None:
    host = Host(DONE)
    assert host.wait() == DONE
    assert host.asked == [{"seconds": 0, "elapsed": 0, "state": None}]
    assert host.said == []


def test_each_slice_goes_on_from_the_one_before_and_the_events_are_those_of_all() -> None:
    host = Host(unfinished(1), unfinished(2), DONE)
    assert host.wait()["events"] == [1, 2, 99]
    assert [one["state"] for one in host.asked] == [None, "state 1", "state 2"]
    assert [one["seconds"] for one in host.asked] == [0, SLICE, SLICE]
    assert [one["elapsed"] for one in host.asked] == [0, 0, SLICE]
    assert host.said == [
        "up on wg0, 1 of 2 peers satisfied, 60 s left: tx +148 B, nothing back",
        "up on wg0, 1 of 2 peers satisfied, 52 s left: tx +148 B, nothing back",
    ]


def test_a_lost_slice_is_asked_for_again_from_the_same_state() -> None:
    host = Host(unfinished(1), Lost("Broken pipe"), Lost("Timed out"), DONE)
    assert host.wait()["events"] == [1, 99]
    assert [one["state"] for one in host.asked] == [None, "state 1", "state 1", "state 1"]
    assert host.said[1:] == [
        "up on wg0, 57 s left: not reached for 3 s, trying again",
        "up on wg0, 53 s left: not reached for 7 s, trying again",
    ]


def test_a_host_that_stays_lost_is_given_up_at_the_deadline_with_what_was_seen_last() -> None:
    host = Host(unfinished(1), Lost("Broken pipe"), timeout=20)
    result = host.wait()
    assert (result["failed"], result["satisfied"], result["events"]) == (True, False, [1])
    assert result["msg"] == result["reason"]
    assert result["reason"] == (
        "Timed out after 23.0 s waiting for up on wg0: the host was not reached for the last 23 s (Broken pipe). "
        "Before that: 1 of 2 peers satisfied; tx +148 B, nothing back"
    )
    assert "_slice" not in result


def test_a_host_that_was_never_reached_is_lost_in_the_end() -> None:
    host = Host(Lost("No route to host"), timeout=20)
    with pytest.raises(Lost, match="No route to host"):
        host.wait()
    assert host.clock.now >= 20 * SECOND
    assert [one["state"] for one in host.asked] == [None] * len(host.asked)


def test_a_slow_host_gets_more_time_each_time_that_its_answer_was_late() -> None:
    late = Lost("no answer", overdue=True)
    host = Host(unfinished(1), late, late, DONE, timeout=600)
    host.wait()
    assert host.limits == [FIRST_GRACE, SLICE + GRACE, SLICE + 2 * GRACE, SLICE + 4 * GRACE]


def test_a_look_that_is_far_away_is_waited_for_here_with_a_word_now_and_then() -> None:
    host = Host(unfinished(1, due=30), DONE, timeout=300)
    host.wait()
    assert len(host.said) == 1 + 3
    assert 30 - SLICE <= host.asked[1]["elapsed"] <= 30


@pytest.mark.parametrize("handed_on", [{}, 5, {"state": "x", "seen": "y", "due": "soon"}])
def test_an_answer_that_is_no_slice_of_ours_is_a_sentence(handed_on: Any) -> None:
    assert "another version" in Host(unfinished(1, _slice=handed_on)).wait()["msg"]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule of liveness, row by row of the table in docs/liveness.md, with both sides of each bound."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import (
    DOWN,
    HALF_OPEN,
    IDLE,
    INACTIVE,
    NEVER,
    STATES,
    UNRESPONSIVE,
    UP,
    LivenessOptions,
    Sight,
    Timers,
    more_than_keepalives,
    rule,
    snapshot_state,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Device
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.watching import key, peer

LITTLE = 0.002  # seconds; more than the millisecond by which a state outlives its bound
NOTHING: dict[str, Any] = {
    "has_handshake": True,
    "age": 0.0,
    "keepalive": 0,
    "rx_quiet": None,
    "tx_unanswered": 0,
    "tx_excess_for": None,
    "quiet": 0.0,
}
SILENCE = {"tx_unanswered": 148, "tx_excess_for": 15.0, "quiet": 20.0}  # a handshake too many, for long enough


def sight(**fields: Any) -> Sight:
    return Sight(**{**NOTHING, **fields})


ROWS: list[tuple[dict[str, Any], str, float | None]] = [
    # never
    ({"has_handshake": False}, NEVER, None),
    ({"has_handshake": False, "keepalive": 25, "rx_quiet": 0.0, **SILENCE}, NEVER, None),
    # up: a session may be alive
    ({}, UP, 180.001),
    ({"age": 180.0}, UP, 0.001),
    ({"age": 180.0, "rx_quiet": 0.0}, UP, 0.001),
    # up: with a keepalive it is renewed at 180 + K + 5 s at the latest
    ({"age": 180 + LITTLE, "keepalive": 25}, UP, 30 - LITTLE + 0.001),
    ({"age": 210.0, "keepalive": 25}, UP, 0.001),
    ({"age": 186.0, "keepalive": 1}, UP, 0.001),
    ({"age": 65720.0, "keepalive": 65535}, UP, 0.001),
    # up: the other side keeps the session, and is about to renew it
    ({"age": 185.0, "rx_quiet": 10.0}, UP, 50.001),
    ({"age": 185.0, "rx_quiet": 60.0}, UP, 0.001),
    ({"age": 240.0, "rx_quiet": 0.0}, UP, 0.001),
    ({"age": 235.0, "rx_quiet": 57.0, "keepalive": 25}, UP, 3.001),
    # unresponsive: more than keepalives was sent for 15 s, and nothing came
    ({"age": 60.0, **SILENCE}, UNRESPONSIVE, 120.001),
    ({"age": 180.0, **SILENCE}, UNRESPONSIVE, 0.001),
    ({"age": 60.0, **SILENCE, "tx_excess_for": 15 - LITTLE}, UP, LITTLE),
    ({"age": 60.0, **SILENCE, "tx_unanswered": 65}, UNRESPONSIVE, 120.001),
    ({"age": 60.0, **SILENCE, "tx_unanswered": 64}, UP, 120.001),
    ({"age": 60.0, **SILENCE, "keepalive": 25, "quiet": 50.0, "tx_unanswered": 129}, UNRESPONSIVE, 25.0),
    ({"age": 60.0, **SILENCE, "keepalive": 25, "quiet": 50.0, "tx_unanswered": 128}, UP, 120.001),
    ({"age": 60.0, **SILENCE, "keepalive": 25, "quiet": 50 - LITTLE, "tx_unanswered": 97}, UNRESPONSIVE, LITTLE),
    ({"age": 60.0, **SILENCE, "keepalive": 25, "quiet": 50 - LITTLE, "tx_unanswered": 96}, UP, 120.001),
    # down: with a keepalive it should have renewed
    ({"age": 210 + LITTLE, "keepalive": 25}, DOWN, None),
    ({"age": 186 + LITTLE, "keepalive": 1}, DOWN, None),
    ({"age": 241.0, "keepalive": 25, "rx_quiet": 60 + LITTLE}, DOWN, None),
    # down: no session, and what is sent stays unanswered
    ({"age": 180 + LITTLE, **SILENCE}, DOWN, None),
    ({"age": 180 + LITTLE, **SILENCE, "keepalive": 25}, DOWN, None),
    ({"age": 7200.0, **SILENCE, "rx_quiet": 20.0}, DOWN, None),
    # latched
    ({"age": 181.0, "latched": True}, DOWN, None),
    ({"age": 185.0, "keepalive": 25, "latched": True}, DOWN, None),
    ({"age": 5.0, "latched": True}, DOWN, None),  # the wall clock was stepped back
    # half open: they reach us, no session completes
    ({"age": 240 + LITTLE, "rx_quiet": 0.0}, HALF_OPEN, 60.001),
    ({"age": 240 + LITTLE, "rx_quiet": 60.0}, HALF_OPEN, 0.001),
    ({"age": 7200.0, "rx_quiet": 10.0, "keepalive": 25}, HALF_OPEN, 50.001),
    ({"age": 7200.0, "rx_quiet": 10.0, **SILENCE, "tx_excess_for": 5.0}, HALF_OPEN, 10.0),
    # idle: only traffic could tell
    ({"age": 180 + LITTLE}, IDLE, None),
    ({"age": 589.0}, IDLE, None),
    ({"age": 185.0, "rx_quiet": 60 + LITTLE}, IDLE, None),
    ({"age": 241.0, "rx_quiet": 60 + LITTLE}, IDLE, None),
    ({"age": 7200.0, **SILENCE, "tx_excess_for": 0.0}, IDLE, 15.0),  # a single initiation may just be on its way
    ({"age": 7200.0, **SILENCE, "tx_unanswered": 64}, IDLE, None),
]


@pytest.mark.parametrize(("fields", "state", "wait"), ROWS, ids=[f"{state} {fields}" for fields, state, _wait in ROWS])
def test_the_rule(fields: dict[str, Any], state: str, wait: float | None) -> None:
    found, found_wait = rule(sight(**fields))
    assert found == state
    assert found_wait == (None if wait is None else pytest.approx(wait, abs=1e-6))


def test_the_rows_show_each_state_but_the_one_of_the_link() -> None:
    assert {state for _fields, state, _wait in ROWS} == set(STATES) - {INACTIVE}


@pytest.mark.parametrize(
    ("timers", "fields", "state"),
    [
        (Timers(slack=10), {"age": 190.0}, UP),
        (Timers(slack=10), {"age": 190 + LITTLE}, IDLE),
        (Timers(slack=10), {"age": 220.0, "keepalive": 25}, UP),
        (Timers(slack=10), {"age": 220 + LITTLE, "keepalive": 25}, DOWN),
        (Timers(reject_after=60), {"age": 60.0}, UP),
        (Timers(reject_after=60), {"age": 60 + LITTLE}, IDLE),
        (Timers(rekey_timeout=1), {"age": 206 + LITTLE, "keepalive": 25}, DOWN),
        (Timers(renewal=300), {"age": 300.0, "rx_quiet": 0.0}, UP),
        (Timers(traffic=5), {"age": 200.0, "rx_quiet": 5 + LITTLE}, IDLE),
        (Timers(silence=30), {"age": 60.0, **SILENCE}, UP),
    ],
)
def test_each_timer_is_an_option(timers: Timers, fields: dict[str, Any], state: str) -> None:
    assert rule(sight(**fields), timers)[0] == state


def test_the_timers_are_wireguards_own() -> None:
    assert Timers() == Timers(reject_after=180, rekey_timeout=5, renewal=240, traffic=60, silence=15, slack=0)


@pytest.mark.parametrize(
    ("quiet", "keepalive", "explained"),
    [
        (0.0, 0, 64),
        (3600.0, 0, 64),
        (0.0, 25, 64),
        (24.9, 25, 64),
        (25.0, 25, 96),
        (125.0, 25, 224),
        (3600.0, 25, 4672),
    ],
)
def test_keepalives_explain_32_bytes_for_each_interval_and_two_more(
    quiet: float, keepalive: int, explained: int
) -> None:
    assert not more_than_keepalives(explained, quiet, keepalive)
    assert more_than_keepalives(explained + 1, quiet, keepalive)


@pytest.mark.parametrize(("own", "declared", "used"), [(0, 0, 0), (25, 0, 25), (0, 25, 25), (10, 25, 10)])
def test_a_peers_own_keepalive_goes_before_the_declared_one(own: int, declared: int, used: int) -> None:
    assert LivenessOptions(declared).keepalive(peer(1, persistent_keepalive=own)) == used


SECONDS = st.floats(0, 400)
SIGHTS = st.builds(
    Sight,
    has_handshake=st.booleans(),
    age=SECONDS,
    keepalive=st.sampled_from([0, 1, 25, 100]),
    rx_quiet=st.none() | SECONDS,
    tx_unanswered=st.sampled_from([0, 32, 64, 65, 148, 296, 5000]),
    tx_excess_for=st.none() | st.floats(0, 30),
    quiet=SECONDS,
    latched=st.booleans(),
)


@settings(deadline=None, database=None, max_examples=500)
@given(SIGHTS, st.floats(0, 1))
def test_before_the_moment_that_the_rule_names_silence_changes_nothing(now: Sight, share: float) -> None:
    """That nobody looks at a quiet peer before then rests on it."""
    state, wait = rule(now)
    passed = share * (1000.0 if wait is None else max(0.0, wait - LITTLE))
    later = now._replace(
        age=now.age + passed,
        quiet=now.quiet + passed,
        rx_quiet=None if now.rx_quiet is None else now.rx_quiet + passed,
        tx_excess_for=None if now.tx_excess_for is None else now.tx_excess_for + passed,
        latched=state == DOWN,
    )
    assert rule(later)[0] == state


@settings(deadline=None, database=None)
@given(SIGHTS)
def test_the_moment_that_the_rule_names_is_yet_to_come(now: Sight) -> None:
    """Else a peer would be judged again and again without time going on."""
    _state, wait = rule(now)
    assert wait is None or wait > 0


# --- one look

FINE = {"up": True, "has_private_key": True}


@pytest.mark.parametrize(
    ("device", "age", "own", "declared", "state"),
    [
        (FINE, None, 0, 0, NEVER),
        (FINE, None, 25, 0, NEVER),
        (FINE, 0.0, 0, 0, UP),
        (FINE, 180.0, 0, 0, UP),
        (FINE, 180 + LITTLE, 0, 0, IDLE),
        (FINE, 589.0, 0, 0, IDLE),
        (FINE, 210.0, 25, 0, UP),
        (FINE, 210 + LITTLE, 25, 0, DOWN),
        (FINE, 210.0, 0, 25, UP),
        (FINE, 210 + LITTLE, 0, 25, DOWN),
        (FINE, 200.0, 10, 25, DOWN),
        ({**FINE, "up": False}, 0.0, 25, 0, INACTIVE),
        ({**FINE, "has_private_key": False}, 0.0, 25, 0, INACTIVE),
        ({**FINE, "up": False}, None, 0, 0, INACTIVE),
        ({"up": None, "has_private_key": None}, 0.0, 0, 0, UP),  # unknown is not down
    ],
)
def test_one_look(device: dict[str, Any], age: float | None, own: int, declared: int, state: str) -> None:
    one = peer(1, persistent_keepalive=own)
    assert snapshot_state(Device("wg0", peers={key(1): one}, **device), one, age, LivenessOptions(declared)) == state


@settings(deadline=None, database=None)
@given(
    st.builds(
        peer,
        st.just(1),
        persistent_keepalive=st.integers(0, 100),
        rx_bytes=st.integers(0, 10**9),
        tx_bytes=st.integers(0, 10**9),
    ),
    st.none() | st.floats(0, 10**6),
    st.integers(0, 100),
)
def test_one_look_never_claims_what_only_counters_over_time_could_tell(
    one: Any, age: float | None, declared: int
) -> None:
    state = snapshot_state(Device("wg0", **FINE), one, age, LivenessOptions(declared))
    assert state in {NEVER, UP, DOWN, IDLE}

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What wg_peer_watch can wait for: each condition with what makes it true and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._condition import (
    CONDITIONS,
    SURVIVE_REMOVAL,
    Expected,
    Seen,
    endpoint_fits,
    satisfied,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import STATES
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Peer, pack_endpoint, parse_allowed_ip
from unit.watching import peer

HERE, THERE = {"endpoint": "192.0.2.7:1"}, {"endpoint": "198.51.100.4:2"}
ONE, TWO = {"allowed_ips": ["10.0.0.1/32"]}, {"allowed_ips": ["10.0.0.1/32", "10.0.0.2/32"]}
SHAKEN, AGAIN, EARLIER = {"handshake": 0}, {"handshake": 120}, {"handshake": -3480}


def seen(
    before: dict[str, Any] | None,
    now: dict[str, Any] | None,
    state: str | None = "never",
    recreated: bool = False,
    **first: Any,
) -> Seen:
    """`first` stands for a peer that came after the baseline; else it is the baseline's."""

    def made(fields: dict[str, Any] | None) -> Peer | None:
        return None if fields is None else peer(1, **fields)

    return Seen(made(before), made(first or before), made(now), state if now is not None else None, recreated)


CASES: list[tuple[str, Seen, bool]] = [
    ("first_handshake", seen({}, SHAKEN), True),
    ("first_handshake", seen(SHAKEN, SHAKEN), True),  # has completed, be it before
    ("first_handshake", seen(None, SHAKEN), True),
    ("first_handshake", seen({}, {}), False),
    ("first_handshake", seen(SHAKEN, {}, recreated=True), False),
    ("first_handshake", seen(SHAKEN, None), False),
    ("handshake", seen(SHAKEN, AGAIN), True),
    ("handshake", seen(SHAKEN, EARLIER), True),  # the clock was stepped back
    ("handshake", seen({}, SHAKEN), True),
    ("handshake", seen(None, SHAKEN), True),
    ("handshake", seen(SHAKEN, SHAKEN), False),
    ("handshake", seen(SHAKEN, {}, recreated=True), False),
    ("handshake", seen({}, {}), False),
    ("handshake", seen(None, {}), False),
    ("handshake", seen(SHAKEN, None), False),
    ("endpoint_changed", seen(HERE, THERE), True),
    ("endpoint_changed", seen({}, HERE), True),
    ("endpoint_changed", seen(HERE, {}), True),
    ("endpoint_changed", seen(None, THERE, **HERE), True),
    ("endpoint_changed", seen(HERE, HERE), False),
    ("endpoint_changed", seen(None, HERE, **HERE), False),
    ("endpoint_changed", seen(None, None), False),
    ("endpoint_changed", seen(HERE, None), False),
    ("allowed_ips_changed", seen(ONE, TWO), True),
    ("allowed_ips_changed", seen(TWO, {}), True),
    ("allowed_ips_changed", seen(None, TWO, **ONE), True),
    ("allowed_ips_changed", seen(TWO, {"allowed_ips": TWO["allowed_ips"][::-1]}), False),
    ("allowed_ips_changed", seen(None, ONE, **ONE), False),
    ("allowed_ips_changed", seen(ONE, None), False),
    ("present", seen(None, {}), True),
    ("present", seen({}, {}), True),
    ("present", seen({}, None), False),
    ("absent", seen({}, None), True),
    ("absent", seen(None, None), True),
    ("absent", seen({}, {}), False),
    ("recreated", seen({}, {}, recreated=True), True),
    ("recreated", seen({}, {}), False),
    ("recreated", seen({}, None, recreated=True), False),
    *[("up", seen(SHAKEN, SHAKEN, state), state == "up") for state in STATES],
    *[("down", seen(SHAKEN, SHAKEN, state), state == "down") for state in STATES],
    ("up", seen(SHAKEN, None), False),
    ("down", seen(SHAKEN, None), False),
    ("traffic", seen({"rx_bytes": 5}, {"rx_bytes": 6}), True),
    ("traffic", seen({}, {"rx_bytes": 1}), True),
    ("traffic", seen(None, {"rx_bytes": 1}), True),
    ("traffic", seen({"rx_bytes": 5}, {"rx_bytes": 1}, recreated=True), True),
    ("traffic", seen({"rx_bytes": 5}, {"rx_bytes": 5}), False),
    ("traffic", seen({"rx_bytes": 5}, {"rx_bytes": 5, "tx_bytes": 9}), False),
    ("traffic", seen({"rx_bytes": 5}, {}, recreated=True), False),
    ("traffic", seen(None, {}), False),
    ("traffic", seen({"rx_bytes": 5}, None), False),
]


@pytest.mark.parametrize(("condition", "what", "holds"), CASES)
def test_a_condition(condition: str, what: Seen, holds: bool) -> None:
    assert CONDITIONS[condition](what) is holds
    assert satisfied(condition, Expected(), what) is holds


def test_each_condition_is_shown_true_and_false() -> None:
    shown = {(condition, holds) for condition, _what, holds in CASES}
    assert shown == {(condition, holds) for condition in CONDITIONS for holds in (True, False)}


def test_the_conditions_are_those_of_the_design() -> None:
    assert list(CONDITIONS) == [
        "first_handshake",
        "handshake",
        "endpoint_changed",
        "allowed_ips_changed",
        "present",
        "absent",
        "recreated",
        "up",
        "down",
        "traffic",
    ]
    assert {"present", "absent", "recreated"} == SURVIVE_REMOVAL


# --- expected values

V6 = pack_endpoint("2001:db8::7", 1)


@pytest.mark.parametrize(
    ("host", "port", "endpoint", "fits"),
    [
        (None, None, None, True),
        (None, None, V6, True),
        ("2001:db8::7", None, V6, True),
        ("2001:db8::7", 1, V6, True),
        ("2001:db8::7", 2, V6, False),
        ("2001:db8::8", None, V6, False),
        ("2001:db8::8", 1, V6, False),
        ("2001:db8::7", None, None, False),
        ("2001:db8::7", 0, pack_endpoint("2001:db8::7", 0), True),
        ("2001:db8::7", 0, V6, False),
    ],
)
def test_an_expected_endpoint_may_leave_the_port_open(
    host: str | None, port: int | None, endpoint: bytes | None, fits: bool
) -> None:
    assert endpoint_fits(Expected(host, port), endpoint) is fits


# What makes each condition true, so that only the expected value decides.
TRUE = {
    "first_handshake": seen({}, {**HERE, **ONE, **SHAKEN}),
    "handshake": seen(SHAKEN, {**HERE, **ONE, **AGAIN}),
    "endpoint_changed": seen(THERE, {**HERE, **ONE}),
    "allowed_ips_changed": seen(TWO, {**HERE, **ONE}),
    "present": seen({}, {**HERE, **ONE}),
    "recreated": seen({}, {**HERE, **ONE}, recreated=True),
    "up": seen({}, {**HERE, **ONE}, "up"),
    "down": seen({}, {**HERE, **ONE}, "down"),
    "traffic": seen({}, {**HERE, **ONE, "rx_bytes": 1}),
}


def ips(*texts: str) -> tuple[bytes, ...]:
    return tuple(sorted(map(parse_allowed_ip, texts)))


@pytest.mark.parametrize("condition", TRUE)
def test_an_expected_value_narrows_a_condition(condition: str) -> None:
    for expected, holds in [
        (Expected(), True),
        (Expected("192.0.2.7", 1, ips("10.0.0.1/32")), True),
        (Expected("192.0.2.7"), True),
        (Expected("192.0.2.8"), False),
        (Expected("192.0.2.7", 2), False),
        (Expected(None, None, ips("10.0.0.1/32", "10.0.0.2/32")), False),
        (Expected(None, None, ()), False),
        (Expected("192.0.2.7", 1, ips("10.0.0.9/32")), False),
    ]:
        assert satisfied(condition, expected, TRUE[condition]) is holds, expected


@pytest.mark.parametrize("condition", sorted(set(TRUE) - {"endpoint_changed", "allowed_ips_changed", "present"}))
def test_an_expected_value_alone_does_not_make_a_condition_true(condition: str) -> None:
    nothing_happened = seen({**HERE, **ONE}, {**HERE, **ONE})
    assert not satisfied(condition, Expected("192.0.2.7", 1, ips("10.0.0.1/32")), nothing_happened)


def test_changed_with_an_expected_value_means_has_come_to_it() -> None:
    """A change that was over before the first look counts: its outcome is there to see."""
    over = seen({**HERE, **ONE}, {**HERE, **ONE})
    assert satisfied("endpoint_changed", Expected("192.0.2.7"), over)
    assert satisfied("allowed_ips_changed", Expected(None, None, ips("10.0.0.1/32")), over)
    # The value of the other does not tell that this one changed.
    assert not satisfied("endpoint_changed", Expected(None, None, ips("10.0.0.1/32")), over)
    assert not satisfied("allowed_ips_changed", Expected("192.0.2.7"), over)


def test_a_peer_that_is_absent_has_no_values_to_narrow_by() -> None:
    assert satisfied("absent", Expected("192.0.2.7", 1, ips("10.0.0.1/32")), seen(HERE, None))
    assert not satisfied("absent", Expected("192.0.2.7"), seen(HERE, HERE))

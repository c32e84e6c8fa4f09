# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Liveness on what real pairs of wireguard-go showed, recorded in real time (tests/recordings)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from recordings.replay import check, load, names
from recordings.scenarios import SCENARIOS


def test_each_scenario_is_recorded() -> None:
    assert names() == sorted(scenario.name for scenario in SCENARIOS)


@pytest.mark.parametrize("name", names())
def test_no_healthy_peer_is_called_down_and_each_dead_one_is(name: str, figure: Callable[[str], None]) -> None:
    delays = [check(load(name), 1.0, phase) for phase in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)]
    delays.append(check(load(name), 0.5, 0.0))
    found = {state: max(one[state] for one in delays) for state in delays[0]}
    figure(", ".join(f"{state} {at:.0f} s after the death" for state, at in found.items()) or "healthy all along")


@pytest.mark.parametrize("interval", [2.0, 5.0, 10.0, 30.0])
def test_a_slow_watcher_calls_no_healthy_peer_down_either(interval: float) -> None:
    for name in names():
        if load(name)["dead_from"] is None:
            for phase in (0.0, 0.3 * interval, 0.7 * interval):
                check(load(name), interval, phase)

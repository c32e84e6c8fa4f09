# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What test_recordings.py of tests/unit plays back, lived through: pairs of wireguard-go for a quarter of an hour."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab import Network
from recordings.replay import check
from recordings.scenarios import SCENARIOS, record


@pytest.mark.only_full
def test_live_pairs_are_judged_as_the_recorded_ones(figure: Callable[[str], None]) -> None:
    with Network(backend="userspace") as network:
        recordings = record(network)
    assert len(recordings) == len(SCENARIOS)
    for recording in recordings:
        delays = check(recording)
        found = ", ".join(f"{state} {at:.0f} s after the death" for state, at in delays.items())
        figure(f"{recording['scenario']}: {found or 'healthy all along'}")

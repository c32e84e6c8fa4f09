# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time: the one place that reads clocks, so that tests can put another in its place."""

from __future__ import annotations

import time
from typing import Iterator

from ._model import SECOND


class Clock:
    """Nanoseconds, and sleeping. Durations are measured on the monotonic clock; the wall clock only dates."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def probes(clock: Clock, timeout: float, delay: float, interval: float) -> Iterator[float]:
    """Yields at each moment to probe, with the seconds left; at least once, and a last time at the deadline (0 left).

    Sleeps in between, first for ``delay``, never past the deadline. The time-out counts from the start, delay included.
    """
    start = clock.monotonic_ns()

    def left() -> float:
        return max(0.0, timeout - (clock.monotonic_ns() - start) / SECOND)

    if delay:
        clock.sleep(min(delay, left()))
    while True:
        remaining = left()
        yield remaining
        if not remaining:
            return
        clock.sleep(min(interval, left()))

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When to poll: on a monotonic grid, and at once when links or sockets change."""

from __future__ import annotations

import threading
from typing import Optional

from ._clock import Clock
from ._model import SECOND
from ._trigger import Triggers
from ._watch import Batch, Watcher

GAP = 0.05  # seconds at least between two polls that signs caused: a host that starts a hundred containers is no reason for more


class Stream:
    """Yields the batches of a watcher, forever. ``next`` blocks and belongs to one thread; ``stop`` may come from another."""

    def __init__(self, watcher: Watcher, triggers: Triggers, clock: Optional[Clock] = None) -> None:
        self._watcher = watcher
        self._triggers = triggers
        self._clock = clock or Clock()
        self._interval = int(watcher.options.interval * SECOND)
        self._start: Optional[int] = None
        self._looked_at = 0  # when the last poll began
        self._polled_at = 0  # when it ended
        self._hurried = False
        self._stopped = threading.Event()

    def next(self, or_empty: bool = False) -> Optional[Batch]:
        """The next batch that holds something; None once stopped. The batch before it is to be confirmed by then.

        ``or_empty``: that of the next poll, for who has something of his own to try again.
        """
        while not self._stopped.is_set():
            links_changed = self._pause()
            if self._stopped.is_set():
                break
            self._looked_at = self._clock.monotonic_ns()
            batch = self._watcher.poll(links_changed)
            self._polled_at = self._clock.monotonic_ns()
            if batch or or_empty:
                return batch
            self._watcher.confirm()
        return None

    def hurry(self) -> None:
        """Makes the next poll due now. May come from another thread."""
        self._hurried = True
        self._triggers.wake()

    def stop(self) -> None:
        self._stopped.set()
        self._triggers.wake()

    def close(self) -> None:
        """To be called by the thread of ``next``, as the last thing."""
        self._triggers.close()

    def _pause(self) -> bool:
        """Waits for the next moment to poll; True where links or sockets changed."""
        now = self._clock.monotonic_ns()
        if self._start is None:
            self._start = now
            # Opens what signs come through, so that what changes from here on is noticed.
            self._triggers.wait(0)
            return True
        # A poll that took longer than the interval skips points of the grid; it does not shift it, and the next one keeps
        # its distance: where polls are slow, they hold a lock that everybody needs.
        due = self._start + ((self._polled_at - self._start) // self._interval + 1) * self._interval
        heartbeat_at = self._watcher.heartbeat_at
        # One that the last poll found and nobody confirmed waits for the grid.
        if heartbeat_at is not None and heartbeat_at > self._looked_at:
            due = min(due, heartbeat_at)
        sign = False
        while not self._stopped.is_set():
            # Also where it is late, since signs may have come in the meantime.
            if self._triggers.wait(0 if self._hurried else max(0, due - now) / SECOND):
                sign = True
                due = min(due, self._polled_at + int(GAP * SECOND))
            now = self._clock.monotonic_ns()
            if now >= due or self._hurried:
                break
        self._hurried = False
        return sign

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One wait run as slices of the module: says what is seen, and outlives a connection that is lost meanwhile."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

from ansible_collections.wirewatch.wireguard.plugins.module_utils._clock import Clock
from ansible_collections.wirewatch.wireguard.plugins.module_utils._handover import ENTRY
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND
from ansible_collections.wirewatch.wireguard.plugins.module_utils._wait import EVENTS_KEPT

Result = Dict[str, Any]

SLICE = 8.0  # seconds: with the time that a module takes to start, a line comes about every ten
RETRY = 1.0  # seconds between two tries to reach the host, as ansible.builtin.wait_for_connection has it
GRACE = 12.0  # seconds that a slice may take on top of its own: to connect (10 by default) and to start
FIRST_GRACE = 36.0  # seconds: the first one also finds the interpreter and makes the folder for temporary files


class Lost(Exception):
    """The host was not reached, or gave no answer that can be read; the text says how it showed."""

    def __init__(self, text: str, overdue: bool = False) -> None:
        """``overdue``: no answer came in time."""
        super().__init__(text)
        self.overdue = overdue


class SlicedWait:
    """One wait on one host. ``timeout`` is its seconds."""

    def __init__(
        self,
        run: Callable[[Dict[str, Any], float], Result],
        say: Callable[[str], None],
        clock: Clock,
        timeout: float,
        what: str,
    ) -> None:
        """``run(slice, limit)`` gives the module's result or raises Lost within ``limit`` seconds; ``what`` is waited for."""
        self._run = run
        self._say = say
        self._clock = clock
        self._timeout = timeout
        self._what = what
        self._started = clock.monotonic_ns()
        self._state: Optional[str] = None
        self._last: Optional[Result] = None
        self._satisfied = 0
        self._seen = ""
        self._events: List[Dict[str, Any]] = []
        self._grace = FIRST_GRACE

    def wait(self) -> Result:
        """The result of the whole wait, as the module alone gives it. Lost where the host was never reached."""
        lost_at: Optional[float] = None
        while True:
            elapsed = self._elapsed()
            seconds = 0.0 if self._state is None else SLICE
            asked = {"seconds": seconds, "elapsed": elapsed, "state": self._state}
            try:
                result = self._run(asked, min(seconds, max(0.0, self._timeout - elapsed)) + self._grace)
            except Lost as error:
                if error.overdue:
                    self._grace *= 2  # a host that is merely slow gets through in the end
                lost_at = elapsed if lost_at is None else lost_at
                if self._elapsed() >= self._timeout:
                    return self._give_up(error, self._elapsed() - lost_at)
                since = self._elapsed() - lost_at
                self._say("%s, %s: not reached for %.0f s, trying again" % (self._what, self._left(), since))
                self._clock.sleep(min(RETRY, max(0.0, self._timeout - self._elapsed())))
                continue
            lost_at = None
            if self._state is None:
                self._grace = GRACE
            handed_on = result.pop(ENTRY, None)
            self._events = (self._events + list(result.get("events", ())))[-EVENTS_KEPT:]
            if handed_on is None:
                if "events" in result:
                    result["events"] = self._events
                return result
            if not self._take(result, handed_on):
                return {
                    "failed": True,
                    "msg": "The module wg_peer_watch answered with a slice that this action plugin can't go on with: another "
                    "version of it is in the way. Install the collection anew on the controller",
                }
            self._say(self._line())
            self._pause(float(handed_on["due"]))

    def _take(self, result: Result, handed_on: Any) -> bool:
        """Keeps what a slice handed on; False where it is not what one hands on."""
        try:
            state, seen, _due = str(handed_on["state"]), str(handed_on["seen"]), float(handed_on["due"])
            self._satisfied = sum(bool(peer["satisfied"]) for peer in result["peers"])
        except (KeyError, TypeError, ValueError):
            return False
        self._last, self._state, self._seen = result, state, seen
        return True

    def _give_up(self, error: Lost, lost_for: float) -> Result:
        if self._last is None:
            raise error
        elapsed = self._elapsed()
        reason = (
            "Timed out after %.1f s waiting for %s: the host was not reached for the last %.0f s (%s). Before that: %s"
            % (
                elapsed,
                self._what,
                lost_for,
                error,
                "%s satisfied; %s" % (self._count(), self._seen),
            )
        )
        return dict(self._last, failed=True, reason=reason, msg=reason, events=self._events, elapsed=round(elapsed, 3))

    def _pause(self, due: float) -> None:
        """Until the next look, where that is far: the slice would only sleep."""
        while due > SLICE:
            part = min(due, SLICE)
            self._clock.sleep(min(part, max(0.0, self._timeout - self._elapsed())))
            due -= part
            if self._elapsed() >= self._timeout:
                return
            self._say(self._line())

    def _elapsed(self) -> float:
        return (self._clock.monotonic_ns() - self._started) / SECOND

    def _left(self) -> str:
        return "%.0f s left" % max(0.0, self._timeout - self._elapsed())

    def _count(self) -> str:
        return "%d of %d peers" % (self._satisfied, len(self._last["peers"]) if self._last else 0)

    def _line(self) -> str:
        return "%s, %s satisfied, %s: %s" % (self._what, self._count(), self._left(), self._seen)

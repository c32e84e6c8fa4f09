# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends one part of events at a time, in a thread of its own, for as long as it takes: whoever watches can't wait for a broker."""

from __future__ import annotations

import random
import threading
import time
from queue import Empty, SimpleQueue
from typing import Callable, List, NamedTuple, Optional

from ._sinks import Envelope, Sink, SinkClosed, SinkError, SinkRefused, SinkTooLarge, is_shortened, shortened
from ._words import duration

FIRST_PAUSE = 0.5  # seconds; doubled at each failure
LONGEST_PAUSE = 60.0  # seconds
REFUSED_PAUSE = 60.0  # seconds between two tries where somebody has to act
REFUSED_TRIES = 10  # then it is said to be final


class Pauses(NamedTuple):
    """Seconds, and how often what was refused is tried in all."""

    first: float = FIRST_PAUSE
    longest: float = LONGEST_PAUSE
    refused: float = REFUSED_PAUSE
    refused_tries: int = REFUSED_TRIES


PAUSES = Pauses()


class Outcome(NamedTuple):
    """Of a part: delivered, or given up for good: for ``error``, None where nobody reads on or the sender was stopped."""

    delivered: bool
    error: Optional[SinkError] = None


class Sender:
    """``send`` a part, hear its outcome from ``outcomes``, send the next. ``ended`` is called from the thread at each outcome.

    A part is tried until all of it is confirmed; what was confirmed of it is not sent again. The pauses between are random
    up to a bound that doubles (full jitter), so that a fleet does not come back all at once. Where the sink refuses, the
    pauses are long, and their number is bounded. An event that is too large for it is sent without what makes it large, and
    that is said: it must not hold up all that come after it.
    """

    def __init__(
        self, sink: Sink, say: Callable[[str], None], ended: Callable[[], None], pauses: Pauses = PAUSES
    ) -> None:
        self.outcomes: SimpleQueue = SimpleQueue()
        self._sink = sink
        self._say = say
        self._ended = ended
        self._pauses = pauses
        self._parts: SimpleQueue = SimpleQueue()
        self._refused = 0  # how often since something was confirmed
        self._failed_since: Optional[float] = None
        self._said = ""
        # A daemon: the other side may hold it for longer than anybody wants to wait at the end.
        self._thread = threading.Thread(target=self._run, name="wirewatch-sender", daemon=True)
        self._thread.start()

    def send(self, part: List[Envelope]) -> None:
        self._parts.put(part)

    def stop(self, patience: float) -> bool:
        """Ends it. False where it still sends after so many seconds."""
        self._parts.put(None)
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            part = self._parts.get()
            if part is None:
                break
            outcome = self._deliver(part)
            self.outcomes.put(outcome)
            self._ended()
            if not outcome.delivered:
                break
        self._sink.close()

    def _deliver(self, part: List[Envelope]) -> Outcome:
        failures = 0
        at_once = len(part)
        while True:
            try:
                while part:
                    self._sink.send(part[:at_once])
                    part = part[at_once:]
            except SinkClosed:
                return Outcome(False)
            except SinkError as error:
                part = part[error.confirmed :]
                if error.confirmed:
                    failures = self._refused = 0
                if isinstance(error, SinkTooLarge):
                    # One event that is too large may be refused together with others, which are not.
                    if at_once > 1:
                        at_once = 1
                        continue
                    if not is_shortened(part[0]):
                        part = [self._shortened(part[0], error), *part[1:]]
                        continue
                failures += 1
                pause = self._after(error, failures)
                if pause is None:
                    return Outcome(False, error)
            except Exception as error:
                failures += 1
                # What was sent might be in its text.
                self._complain("Unexpected %s while sending; it is tried again" % type(error).__name__)
                pause = self._jitter(failures)
            else:
                self._recover()
                return Outcome(True)
            if self._is_stopped_within(pause):
                return Outcome(False)

    def _shortened(self, envelope: Envelope, error: SinkError) -> Envelope:
        short = shortened(envelope)
        event = short["wireguard"]
        self._say(
            "%s. The event %s of interface %s, peer %s, is sent without its allowed IPs"
            % (error, event["type"], event["interface"], event["public_key"])
        )
        return short

    def _after(self, error: SinkError, failures: int) -> Optional[float]:
        """How long to wait after this error; None where it was the last one."""
        self._complain(str(error))
        if not isinstance(error, SinkRefused):
            return max(error.pause or 0.0, self._jitter(failures))
        self._refused += 1
        if self._refused >= self._pauses.refused_tries:
            return None
        return self._pauses.refused

    def _jitter(self, failures: int) -> float:
        return random.uniform(0, min(self._pauses.longest, self._pauses.first * 2.0 ** min(failures - 1, 32)))

    def _complain(self, sentence: str) -> None:
        """Says each sentence once in a row."""
        if self._failed_since is None:
            self._failed_since = time.monotonic()
        if sentence != self._said:
            self._said = sentence
            self._say(sentence)

    def _recover(self) -> None:
        self._refused = 0
        if self._failed_since is not None:
            away = time.monotonic() - self._failed_since
            self._failed_since, self._said = None, ""
            self._say(
                "%s takes events again after %s" % (self._sink.name[:1].upper() + self._sink.name[1:], duration(away))
            )

    def _is_stopped_within(self, seconds: float) -> bool:
        try:
            # Nothing but the end comes while a part is under way.
            return self._parts.get(timeout=seconds) is None
        except Empty:
            return False

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing: what a watcher finds, told to a sink, at least once.

The contract:

- Events go to the sink in parts, one at a time; a part is confirmed as a whole, and the next one waits for that. What was handed
  over stays what it is, with its sequence numbers and uuids, and is tried until it is confirmed: nobody can know how
  much of it the other side has. That part is all that is ever held.
- All that was not handed over yet is never queued. While a part is under way the watcher polls on, and what it finds then is
  what changed, net, against what was handed over: who was added and vanished in an outage is never told, who was told to be
  added and vanished in it is told to be removed.
- So who folds what arrives has the truth, however often the sink failed, and wherever; sequence numbers have no gaps within
  a run; what arrives twice has the same uuid and is the same event, and two events never have the same.
- With a state file this holds from run to run, after SIGKILL too: a part is written down, with its uuids, before it is handed
  over, and its facts once it is confirmed. A run begins with the part that the run before has left, as it was.
- Without one, a run begins with what there is (``initial``), under uuids of its own.
"""

from __future__ import annotations

from itertools import islice
from queue import Empty
from typing import Callable, List, Optional, Tuple

from ._event import Event
from ._faults import Faults
from ._identity import Identity
from ._memory import PART, Memory
from ._sender import PAUSES, Pauses, Sender
from ._sinks import Envelope, Sink, SinkError
from ._state import StateFile
from ._stream import Stream
from ._watch import Batch, Watcher

PATIENCE = 1.0  # seconds that a part may take before the rest of its batch is left and found anew
GRACE = 1.5  # seconds that a part which is under way has at the end


class Publisher:
    """One run. ``run`` belongs to the thread that made it; ``stop`` may be called from a signal handler or another thread."""

    def __init__(
        self,
        watcher: Watcher,
        stream: Stream,
        sink: Sink,
        identity: Identity,
        say: Callable[[str], None],
        state: Optional[StateFile] = None,
        pauses: Pauses = PAUSES,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """``say`` takes sentences for a person; it is called from two threads. ``alive`` is called after each look."""
        self._watcher = watcher
        self._stream = stream
        self._sink = sink
        self._identity = identity
        self._alive = alive
        self._faults = Faults(watcher, say)
        self._memory = Memory(state, self._faults)
        self._sender = Sender(sink, say, self._part_ended, pauses)
        self._under_way = False  # whether a part is
        self._left = False  # whether nobody waits for it, so that it has to wake us
        self._over = False
        self._error: Optional[SinkError] = None

    def run(self) -> bool:
        """Until ``stop``, or until nobody reads on. SinkError where the sink refuses for good.

        False where the sender still holds its part at the end: what it does is not to be waited for.
        """
        try:
            self._tell_again()
            while not self._over:
                batch = self._look()
                if batch is None or self._sink.is_gone():
                    break
                self._faults.of_looking(None)
                self._settle(0)
                if self._over:
                    break
                if not self._under_way:
                    self._memory.write()
                    self._tell(batch)
                elif not batch:
                    self._watcher.confirm()
        finally:
            idle = self._end()
        if self._error is not None:
            raise self._error
        return idle

    def stop(self) -> None:
        if self._over:
            return
        self._over = True
        self._stream.stop()
        self._sender.outcomes.put(None)  # ends a wait; reentrant, unlike locks

    def _look(self) -> Optional[Batch]:
        while True:
            try:
                batch = self._stream.next(or_empty=True)
            except Exception as error:
                self._faults.of_looking(error)
                self._take(self._watcher.options.interval)
            else:
                self._alive()
                return batch

    def _tell_again(self) -> None:
        """The part that the run before was telling when it ended."""
        untold = self._memory.untold
        if not untold:
            return
        # One without was announced by the event source; its number may be one of this run, too.
        told = [(event, meta or Identity(event["host"]).meta(event)) for event, meta in untold]
        events = [event for event, _meta in told]
        if any(meta is None for _event, meta in untold):
            self._memory.announce(events, [meta for _event, meta in told])
        # The watcher compares with it from now on; it is written when it was confirmed.
        self._memory.note(events)
        types = self._watcher.options.types
        self._hand_over([{"meta": meta, "wireguard": event} for event, meta in told if event["type"] in types])
        self._settle(PATIENCE)

    def _tell(self, batch: Batch) -> None:
        found, count = iter(batch), 0
        while True:
            part = list(islice(found, PART))
            if not part:
                self._watcher.confirm()
                return
            count += len(part)
            self._prepare(part)
            self._settle(PATIENCE)
            if self._under_way or self._over:
                self._watcher.confirm_some(count)
                return

    def _prepare(self, part: List[Tuple[Event, bool]]) -> None:
        """Hands over the wanted ones, having written them down."""
        for event, _wanted in part:
            self._faults.say_reason(event)
        envelopes = [{"meta": self._identity.meta(event), "wireguard": event} for event, wanted in part if wanted]
        announced = [envelope["wireguard"] for envelope in envelopes]
        self._memory.announce(announced, [envelope["meta"] for envelope in envelopes])
        self._memory.note(event for event, _wanted in part)
        self._hand_over(envelopes)

    def _hand_over(self, envelopes: List[Envelope]) -> None:
        if envelopes:
            self._under_way = True
            self._sender.send(envelopes)
        else:
            self._memory.write()

    def _settle(self, patience: float) -> None:
        """Takes in what became of the part under way, waiting so many seconds for it."""
        if self._under_way:
            self._take(patience)
        if self._under_way and not self._left:
            self._left = True
            self._take(0)  # it may have ended before it knew that it is to wake us

    def _take(self, patience: float) -> None:
        try:
            outcome = self._sender.outcomes.get(patience > 0, patience)
        except Empty:
            return
        if outcome is None:
            return  # to stop
        self._under_way = self._left = False
        if outcome.delivered:
            self._memory.write()
        else:
            self._over = True
            self._error = outcome.error

    def _part_ended(self) -> None:
        if self._left:
            self._stream.hurry()

    def _end(self) -> bool:
        idle = self._sender.stop(GRACE)
        while self._under_way and not self._sender.outcomes.empty():
            self._take(0)
        self._stream.close()
        self._watcher.close()
        self._memory.close()
        return idle

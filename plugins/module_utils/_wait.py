# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until a condition holds for peers of one interface, or a time-out."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

from . import _event as event_types
from . import _handover
from ._clock import Clock, probes
from ._condition import SURVIVE_REMOVAL, Expected, Seen, satisfied
from ._diff import changes, with_states
from ._errors import InterfaceGone, MalformedReply, Temporary, Unreadable
from ._event import Change, Encoder
from ._explain import explain_peer, glimpse, list_some
from ._handover import Memory, Slice
from ._liveness import DEFAULTS, LivenessOptions
from ._model import SECOND, Device, Peer, encode_key
from ._reader import InterfaceReader
from ._record import peer_record, wall_age
from ._tracker import Changes, Tracker

EVENTS_KEPT = 1000  # the latest; a long wait on a busy hub sees one for each handshake
GONE_FOR = 2  # probes: an interface that is restarted loses its peers for a moment
NEWS_AFTER = 2  # seconds: a slice that is so old ends with the look that saw a change, so that it is told at once

# What happens all the time on a busy hub is no news.
_NO_NEWS = frozenset((event_types.PEER_HANDSHAKE_REFRESHED,))


class WaitOptions(NamedTuple):
    """What to wait for. Times are seconds; ``peers`` None is every peer of the interface."""

    condition: str
    expected: Expected = Expected()
    peers: Optional[Tuple[bytes, ...]] = None
    match_all: bool = True
    timeout: float = 300.0
    delay: float = 0.0
    interval: float = 1.0
    liveness: LivenessOptions = DEFAULTS
    host: str = ""
    names: Mapping[bytes, str] = {}


class Outcome(NamedTuple):
    """How a wait ended. ``reason`` is empty on success; ``result`` has the same keys either way.

    A slice after which the wait goes on has ``handed_on``: ``state`` for the slice that follows, ``due``, the seconds until
    that has something to do, and ``seen``, in a few words. Its events are those of this slice.
    """

    satisfied: bool
    reason: str
    result: Dict[str, Any]
    handed_on: Optional[Dict[str, Any]] = None


class Wait:
    """One wait. ``baseline`` is an earlier snapshot to compare with; None takes the first probe's."""

    def __init__(self, reader: InterfaceReader, options: WaitOptions, baseline: Optional[Device], clock: Clock) -> None:
        self._reader = reader
        self._options = options
        self._clock = clock
        self._baseline = baseline
        self._previous = baseline
        self._device: Optional[Device] = None
        self._seen_interface = False
        self._tracker = Tracker(options.liveness)
        self._encoder = Encoder(options.host, options.names)
        self._events: List[event_types.Event] = []
        self._first: Dict[bytes, Peer] = dict(baseline.peers.items()) if baseline else {}
        self._start: Dict[bytes, Peer] = {}  # as the first probe saw them: what a time-out's explanation counts from
        self._removed: Set[bytes] = set()
        self._recreated: Set[bytes] = set()
        self._gone_for: Dict[bytes, int] = {}
        self._started = 0
        self._polls = 0

    def run(self, part: Optional[Slice] = None) -> Outcome:
        """Probes until the end, or that of the slice. Raises what the first probe raises where waiting would not mend it."""
        begun = self._clock.monotonic_ns()
        self._started, due = begun, begun + int(self._options.delay * SECOND)
        if part is not None:
            self._started = begun - int(part.elapsed * SECOND)
            due = self._started + int(self._options.delay * SECOND)
            if part.state is not None:
                due = self._recall(_handover.unpack(part.state, _handover.boot_id(), begun))
        failure: Optional[Exception] = None
        reason = ""
        done = False
        known = self._satisfied_keys() if part is not None else set()
        left = max(0.0, self._options.timeout - self._elapsed())
        delay = max(0.0, (due - begun) / SECOND)
        if part is not None and min(delay, left) > part.seconds:
            return self._hand_on(due, None)
        for remaining in probes(self._clock, left, delay, self._options.interval):
            self._polls += 1
            try:
                self._look()
                failure = None
                done = self._holds()
                reason = "" if done else self._hopeless()
            except (Temporary, MalformedReply) as error:
                failure = error
            except Unreadable as error:
                if not self._seen_interface:
                    raise
                failure = error
            if failure is None and (done or reason):
                break
            if part is not None and remaining and self._is_over(part, begun, known):
                now = self._clock.monotonic_ns()
                return self._hand_on(now + int(self._options.interval * SECOND), failure)
        elapsed = self._elapsed()
        if not done and not reason:
            reason = str(failure) if failure is not None else self._explain(elapsed)
        return Outcome(done, reason, self._result(done, elapsed))

    def _elapsed(self) -> float:
        return (self._clock.monotonic_ns() - self._started) / SECOND

    def _is_over(self, part: Slice, begun: int, known: Set[bytes]) -> bool:
        """Whether the slice ends here: the sleep would lead beyond it, or there is news. ``known`` were satisfied before."""
        age = (self._clock.monotonic_ns() - begun) / SECOND
        left = max(0.0, self._options.timeout - self._elapsed())
        if age + min(self._options.interval, left) > part.seconds:
            return True
        if age < NEWS_AFTER:
            return False
        return any(event["type"] not in _NO_NEWS for event in self._events) or self._satisfied_keys() != known

    def _hand_on(self, due: int, failure: Optional[Exception]) -> Outcome:
        memory = Memory(
            self._started,
            due,
            self._polls,
            self._encoder.sequence,
            self._seen_interface,
            self._baseline,
            self._previous,
            self._device,
            self._first,
            self._start,
            self._removed,
            self._recreated,
            self._gone_for,
            *self._tracker.remember(),
        )
        handed_on = {
            "state": _handover.pack(memory, _handover.boot_id()),
            "due": max(0.0, (due - self._clock.monotonic_ns()) / SECOND),
            "seen": str(failure) if failure is not None else self._glimpse(),
        }
        return Outcome(False, "", self._result(False, self._elapsed()), handed_on)

    def _recall(self, memory: Memory) -> int:
        """Goes on where the slice before left off; the moment of the next look."""
        self._started = min(self._started, memory.started)
        self._polls = memory.polls
        self._encoder.sequence = memory.sequence
        self._seen_interface = memory.seen_interface
        self._baseline, self._previous, self._device = memory.baseline, memory.previous, memory.device
        self._first, self._start = memory.first, memory.start
        self._removed, self._recreated, self._gone_for = memory.removed, memory.recreated, memory.gone_for
        self._tracker.recall(memory.tracked, memory.tracked_at, memory.tracks)
        return memory.due

    def _look(self) -> None:
        try:
            device: Optional[Device] = self._reader.read()
            self._seen_interface = True
        except InterfaceGone:
            if not self._seen_interface:
                raise
            device = None
        wall, monotonic = self._clock.wall_ns(), self._clock.monotonic_ns()
        if self._baseline is None:
            self._baseline = self._previous = device
            self._first = dict(device.peers.items()) if device else {}
        if not self._start and device is not None:
            self._start = dict(device.peers.items())
        states = self._tracker.update(device, wall, monotonic) if device else {}
        for change in with_states(changes(self._previous, device), list(self._state_changes(device, states))):
            if change.type == event_types.PEER_REMOVED and change.peer is not None:
                change = change._replace(liveness=(states.get(change.peer.public_key, (None, None))[0], None))
            self._note(change, wall)
        self._previous = self._device = device
        for key in self._first:
            gone = device is None or key not in device.peers
            self._gone_for[key] = self._gone_for.get(key, 0) + 1 if gone else 0

    @staticmethod
    def _state_changes(device: Optional[Device], states: Changes) -> Iterator[Change]:
        """Of peers that were there before and are there now."""
        for key, (before, now) in states.items():
            if device is not None and before is not None and now is not None:
                yield Change(event_types.PEER_STATE_CHANGED, device, device.peers[key], before, now)

    def _note(self, change: Change, wall: int) -> None:
        """Remembers what a change means for the conditions, and the change itself where it is of a peer asked for."""
        if change.peer is None:
            self._keep(change, wall)
            return
        key = change.peer.public_key
        if change.type == event_types.PEER_REMOVED:
            self._removed.add(key)
        elif change.type == event_types.PEER_ADDED:
            self._first.setdefault(key, change.peer)
            if key in self._removed:
                self._recreated.add(key)
        elif change.type == event_types.PEER_RECREATED:
            self._recreated.add(key)
        if self._options.peers is None or key in self._options.peers:
            state = change.liveness[0] or self._tracker.state(key)  # the tracker has forgotten a removed one
            self._keep(change._replace(liveness=(state, wall_age(change.peer, wall))), wall)

    def _keep(self, change: Change, wall: int) -> None:
        self._events.append(self._encoder.encode(change, wall))
        del self._events[:-EVENTS_KEPT]

    def _keys(self) -> List[bytes]:
        """The peers it is about: those asked for in that order, else all that are or were there, sorted."""
        if self._options.peers is not None:
            return list(self._options.peers)
        keys = set(self._device.peers if self._device else ()) | set(self._baseline.peers if self._baseline else ())
        return sorted(keys, key=encode_key)

    def _seen(self, key: bytes) -> Seen:
        now = self._device.peers.get(key) if self._device else None
        return Seen(
            before=self._baseline.peers.get(key) if self._baseline else None,
            first=self._first.get(key),
            now=now,
            state=self._tracker.state(key) if now is not None else None,
            recreated=key in self._recreated,
        )

    def _satisfied_keys(self) -> Set[bytes]:
        return {key for key in self._keys() if self._satisfied(key)}

    def _satisfied(self, key: bytes) -> bool:
        return satisfied(self._options.condition, self._options.expected, self._seen(key))

    def _holds(self) -> bool:
        keys = self._keys()
        if not keys:
            return self._options.condition == "absent"
        return (all if self._options.match_all else any)(self._satisfied(key) for key in keys)

    def _hopeless(self) -> str:
        """Why the condition can no longer come true; empty while it can."""
        options, device = self._options, self._device
        doomed = {
            key: "was removed while waiting for it"
            for key in self._keys()
            if options.condition not in SURVIVE_REMOVAL and self._gone_for.get(key, 0) >= GONE_FOR
        }
        if device is not None and device.public_key is not None and device.public_key in self._keys():
            doomed[device.public_key] = "is the interface's own public key, and no interface is its own peer"
        if not doomed or (not options.match_all and len(doomed) < len(self._keys())):
            return ""
        sentences = ["peer %s %s" % (self._label(key), why) for key, why in doomed.items()]
        interface = "interface %s is gone; " % self._reader.interface if device is None else ""
        return "The condition %s can no longer come true on %s%s: %s%s" % (
            options.condition,
            self._reader.interface,
            self._reader.namespace,
            interface,
            list_some(sentences),
        )

    def _explain(self, elapsed: float) -> str:
        options = self._options
        keys = self._keys()
        missing = [key for key in keys if not self._satisfied(key)]
        sentences = [
            "peer %s: %s"
            % (
                self._label(key),
                explain_peer(options.condition, options.expected, self._seen(key), self._start.get(key), self._device),
            )
            for key in missing
        ]
        if self._device is None:
            sentences = ["the interface is gone"]
        elif not keys:
            sentences = ["the interface has no peers"]
        return "Timed out after %.1f s waiting for %s on %s%s (%d of %d peers satisfied). %s" % (
            elapsed,
            options.condition,
            self._reader.interface,
            self._reader.namespace,
            len(keys) - len(missing),
            len(keys),
            list_some(sentences),
        )

    def _glimpse(self) -> str:
        """What is seen of those that are waited for, in a few words."""
        keys = self._keys()
        missing = [key for key in keys if not self._satisfied(key)]
        if self._device is None:
            return "the interface is gone" if self._seen_interface else "not looked yet"
        said = [
            glimpse(self._options.condition, self._seen(key), self._start.get(key), self._device) for key in missing
        ]
        if len(keys) > 1:
            said = [
                "%s %s" % (self._options.names.get(key) or encode_key(key), what) for key, what in zip(missing, said)
            ]
        return list_some(said) or "the interface has no peers"

    def _label(self, key: bytes) -> str:
        name = self._options.names.get(key)
        return "%s (%s)" % (encode_key(key), name) if name else encode_key(key)

    def _result(self, done: bool, elapsed: float) -> Dict[str, Any]:
        wall = self._clock.wall_ns()
        peers = []
        for key in self._keys():
            seen = self._seen(key)
            peers.append(
                {
                    "public_key": encode_key(key),
                    "name": self._options.names.get(key),
                    "satisfied": satisfied(self._options.condition, self._options.expected, seen),
                    "before": self._record(seen.first, None, wall),
                    "after": self._record(seen.now, seen.state, wall),
                }
            )
        return {
            "interface": self._reader.interface,
            "netns": self._reader.namespace.netns,
            "condition": self._options.condition,
            "satisfied": done,
            "peers": peers,
            "events": self._events,
            "elapsed": round(elapsed, 3),
            "polls": self._polls,
        }

    def _record(self, peer: Optional[Peer], state: Optional[str], wall: int) -> Optional[Dict[str, Any]]:
        if peer is None:
            return None
        return peer_record(peer, state, wall_age(peer, wall), self._options.names.get(peer.public_key))

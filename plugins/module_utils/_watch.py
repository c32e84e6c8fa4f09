# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching interfaces: each poll looks at all of them and yields what is new since the last confirmation."""

from __future__ import annotations

from functools import partial
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from . import _event as event_types
from ._aside import Aside
from ._clock import Clock
from ._discovery import find, is_glob, match, nothing_found
from ._errors import WireGuardError
from ._event import Change, Encoder, Event
from ._following import FOLLOWING
from ._listening import ListeningNamespace
from ._liveness import DEFAULTS, LivenessOptions
from ._mirror import Place
from ._model import SECOND, Device
from ._netns import Namespace, require_pyroute2
from ._reader import InterfaceReader
from ._record import Record
from ._target import Complaint, Inventory, Target

PATIENCE = 0.5  # seconds that a poll waits for one daemon before it goes on to the others
REDISCOVERY = 30.0  # seconds: in case a notification of a new link was lost

EMIT, SKIP, RESUME = "emit", "skip", "resume"
INITIAL = (EMIT, SKIP, RESUME)

ABOUT_THE_WATCH = (event_types.WATCH_DEGRADED, event_types.WATCH_RECOVERED)


class WatchOptions(NamedTuple):
    """What to watch and what to tell. Times are seconds. ``peers`` None is all; ``netns`` None is the caller's own."""

    patterns: Sequence[str] = ("*",)
    netns: Sequence[Optional[str]] = (None,)
    interval: float = 1.0
    types: frozenset = frozenset(event_types.TYPES)
    peers: Optional[frozenset] = None
    names: Mapping[bytes, str] = {}
    initial: str = EMIT
    host: str = ""
    liveness: LivenessOptions = DEFAULTS
    debounce: float = 0.0
    heartbeat: float = 0.0  # 0 = none


WAYS = FOLLOWING._replace(aside=partial(Aside, patience=PATIENCE))


def make_reader(namespace: Namespace, interface: str) -> InterfaceReader:
    return InterfaceReader(namespace, interface, ways=WAYS)


Found = Tuple[Optional[Target], Change]


class Batch:
    """What one poll found to tell; false where that is nothing.

    Iterating makes the events, one at a time, each a fresh dict and whether it is wanted. Unwanted ones (of a type that was
    not asked for) are there for who keeps a mirror or a log, and carry no number. They are made a single time: to be told
    again, they are to be found again.
    """

    def __init__(self, found: Iterator[Found], options: WatchOptions, encoder: Encoder, now: int) -> None:
        self._next = next(found, None)
        self._found = found
        self._options = options
        self._encoder = encoder
        self._now = now

    def __bool__(self) -> bool:
        return self._next is not None

    def __iter__(self) -> Iterator[Tuple[Event, bool]]:
        while self._next is not None:
            target, change = self._next
            self._next = next(self._found, None)
            wanted = change.type in self._options.types
            if target is None:
                yield self._encoder.encode(change, self._now, wanted), wanted
            else:
                yield self._encoder.encode(target.finish(change), target.observed_ns, wanted), wanted


class Watcher:
    """Polls on demand. What a poll found and nobody confirmed is found again, as net changes.

    A batch that could be told only in part is left and its first events confirmed with ``confirm_some``: those are never
    found again, and all others are, as net changes against them.

    ``told`` is what an earlier run told (``StateFile.state``), for ``initial: resume``; with it, unwanted events come too.
    ``make_reader`` and ``find_interfaces`` are for tests.
    """

    def __init__(
        self,
        options: WatchOptions,
        clock: Optional[Clock] = None,
        told: Optional[Mapping[Place, Record]] = None,
        make_reader: Callable[[Namespace, str], InterfaceReader] = make_reader,
        find_interfaces: Callable[[Namespace], List[str]] = find,
    ) -> None:
        """MissingDependency where an option needs pyroute2 and it is not there."""
        self._globs = any(is_glob(pattern) for pattern in options.patterns)
        if any(netns is not None for netns in options.netns):
            require_pyroute2()
        self.options = options
        self.namespaces = [ListeningNamespace(netns) for netns in options.netns]
        self.trouble = Complaint()  # of the one who delivers
        self._clock = clock or Clock()
        self._make_reader = make_reader
        self._find = find_interfaces
        self._encoder = Encoder(options.host, options.names)
        self._told = told
        self._found: Dict[Optional[str], List[str]] = {}
        self._discovery_trouble = {netns: Complaint(Device("", netns)) for netns in options.netns}
        self._targets: Dict[Tuple[Optional[str], str], Target] = {}
        self._asked: List[Union[Complaint, Target]] = []  # who could tell something at the last poll, in order
        self._started = False
        self._discover_at = 0
        self._heartbeat = int(options.heartbeat * SECOND)
        self._heartbeat_at = self._clock.monotonic_ns() + self._heartbeat
        self._beats = False  # whether the last poll found the heartbeat due

    def complaint(self) -> Optional[str]:
        """After a poll: what to tell who watches nothing at all; None where there is something, or what is wrong is told anyway."""
        if self._targets or any(one.reason is not None for one in self._discovery_trouble.values()):
            return None
        return nothing_found(self.options.netns, self.options.patterns) + ". What appears is told"

    def poll(self, links_changed: bool = False) -> Batch:
        """Looks at everything, discovering first where that is due or ``links_changed``."""
        now = self._clock.monotonic_ns()
        if self._globs and (links_changed or now >= self._discover_at):
            complete = self._discover()
            self._discover_at = now + int(REDISCOVERY * SECOND) if complete else now
        self._asked = [self.trouble]
        for namespace in self.namespaces:
            self._asked.append(self._discovery_trouble[namespace.netns])
            for target in self._targets_in(namespace):
                target.look()
                self._asked.append(target)
        self._beats = bool(self._heartbeat) and now >= self._heartbeat_at
        self._started = True
        # Trouble is asked now: what comes up while this batch is told belongs to the next one.
        found = [(one if isinstance(one, Target) else None, one.changes()) for one in self._asked]
        if self._beats:
            found.append((None, iter([Change(event_types.WATCH_HEARTBEAT)])))
        told = ((target, change) for target, some in found for change in some if self._is_to_be_told(change))
        return Batch(told, self.options, self._encoder, self._clock.wall_ns())

    def confirm(self) -> None:
        """All that the last poll found was delivered."""
        for one in self._asked:
            one.confirm()
        self._forget_what_is_over()
        self._confirm_heartbeat()

    def confirm_some(self, count: int) -> None:
        """The first so many events that the last batch gave, unwanted ones counted, were delivered, and the others were not."""
        left = count
        for one in self._asked:
            told: List[Change] = []
            for change in one.changes():
                if self._is_to_be_told(change):
                    if not left:
                        one.confirm_some(told)
                        self._forget_what_is_over()
                        return
                    left -= 1
                told.append(change)
            one.confirm()
        self._forget_what_is_over()
        if left:
            self._confirm_heartbeat()

    def _forget_what_is_over(self) -> None:
        for key, target in list(self._targets.items()):
            if target.is_over and key[1] not in self.options.patterns:
                target.close()
                del self._targets[key]

    def _confirm_heartbeat(self) -> None:
        if self._beats:
            self._beats = False
            late = self._clock.monotonic_ns() - self._heartbeat_at
            self._heartbeat_at += (late // self._heartbeat + 1) * self._heartbeat

    @property
    def heartbeat_at(self) -> Optional[int]:
        """The monotonic time of the next heartbeat."""
        return self._heartbeat_at if self._heartbeat else None

    def close(self) -> None:
        for target in self._targets.values():
            target.close()
        for namespace in self.namespaces:
            namespace.close()

    def _discover(self) -> bool:
        """Finds the interfaces of all namespaces; False where that failed for one, which keeps those found before."""
        for namespace in self.namespaces:
            trouble = self._discovery_trouble[namespace.netns]
            try:
                self._found[namespace.netns] = self._find(namespace)
                trouble.reason = None
            except WireGuardError as error:
                trouble.reason = str(error)
        return all(trouble.reason is None for trouble in self._discovery_trouble.values())

    def _targets_in(self, namespace: Namespace) -> Iterator[Target]:
        """Targets of a namespace in the order of the contract, new ones made as they are found."""
        netns = namespace.netns
        known = [interface for place, interface in self._targets if place == netns]
        if not self._started:
            known += self._told_interfaces(netns)
        for interface in match(self.options.patterns, {*self._found.get(netns, ()), *known}):
            if (netns, interface) not in self._targets:
                self._targets[netns, interface] = self._make_target(namespace, interface)
            yield self._targets[netns, interface]

    def _told_interfaces(self, netns: Optional[str]) -> List[str]:
        return [interface for host, place, interface in self._told or () if (host, place) == (self.options.host, netns)]

    def _make_target(self, namespace: Namespace, interface: str) -> Target:
        at_start = not self._started
        target = Target(
            self._make_reader(namespace, interface),
            self._clock,
            # With something told before, what is found is no inventory: it came since.
            Inventory(initial=at_start and not self._told, told=not (at_start and self.options.initial == SKIP)),
            interface in self.options.patterns,
            self.options.liveness,
            self.options.debounce,
        )
        facts = (self._told or {}).get((self.options.host, namespace.netns, interface)) if at_start else None
        if facts is not None:
            target.restore(facts)
        return target

    def _is_to_be_told(self, change: Change) -> bool:
        if (
            self.options.peers is not None
            and change.peer is not None
            and change.peer.public_key not in self.options.peers
        ):
            return False
        if change.type in ABOUT_THE_WATCH:
            return True  # who did not ask for them still finds them in the log
        return self._told is not None or change.type in self.options.types

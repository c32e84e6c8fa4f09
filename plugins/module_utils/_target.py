# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One watched interface: what it is now, and what of it was told already. What is told is the difference of the two."""

from __future__ import annotations

from itertools import chain
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Set

from . import _event as event_types
from ._advance import advance
from ._clock import Clock
from ._diff import changes, is_new_object, with_states
from ._errors import InterfaceGone, NotWireGuard, Pending, WireGuardError
from ._event import Change
from ._liveness import DEFAULTS, LivenessOptions
from ._model import Device, encode_key
from ._reader import InterfaceReader
from ._record import Record, wall_age
from ._restored import device_from_record
from ._tracker import Tracker


class Trouble:
    """Whether something can be read or written; told once when it begins, and once when it is over."""

    def __init__(self) -> None:
        self.reason: Optional[str] = None
        self._told = False
        self._asked = False  # whether there was a reason when ``over`` and ``begun`` were last asked

    @property
    def is_clear(self) -> bool:
        """There is none, and nobody was told that there is."""
        return self.reason is None and not self._told

    def over(self, about: Optional[Device]) -> List[Change]:
        """watch_recovered, if that is to be told."""
        self._asked = self.reason is not None
        return [Change(event_types.WATCH_RECOVERED, about)] if self._told and self.reason is None else []

    def begun(self, about: Optional[Device]) -> List[Change]:
        """watch_degraded, if that is to be told."""
        self._asked = self.reason is not None
        if self._told or self.reason is None:
            return []
        return [Change(event_types.WATCH_DEGRADED, about, reason=self.reason)]

    def confirm(self) -> None:
        """What was asked for last was told. A reason that came since is still to be."""
        self._told = self._asked

    def confirm_some(self, told: Iterable[Change]) -> None:
        """Of what was asked for last these were told, if any is of here."""
        for change in told:
            if change.type == event_types.WATCH_RECOVERED:
                self._told = False
            elif change.type == event_types.WATCH_DEGRADED:
                self._told = True


class Complaint(Trouble):
    """Trouble that is not of one interface: of a namespace that ``about`` names, or, None, of the watch."""

    def __init__(self, about: Optional[Device] = None) -> None:
        super().__init__()
        self._about = about

    def changes(self) -> Iterator[Change]:
        return iter(self.over(self._about) + self.begun(self._about))


class Inventory(NamedTuple):
    """What the first successful look finds. ``told``: as events; ``initial``: as there at start, and not come since."""

    initial: bool = True
    told: bool = True


class Target:
    """Follows one interface. ``look`` reads it, ``changes`` compares with what was told, ``confirm`` says it was told.

    Between two confirmations any number of looks may lie: only the net difference is told. ``named``: the user wrote this
    very name, so its absence is worth a word.
    """

    def __init__(
        self,
        reader: InterfaceReader,
        clock: Clock,
        inventory: Inventory,
        named: bool,
        liveness: LivenessOptions = DEFAULTS,
        debounce: float = 0.0,
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._inventory = inventory
        self._named = named
        self._liveness = liveness
        self._debounce = debounce
        self._tracker = Tracker(liveness, debounce)
        self._current: Optional[Device] = None
        self._told: Optional[Device] = None
        self._told_states: Dict[
            bytes, str
        ] = {}  # of peers whose state changed, came or went since the last confirmation
        self._made_anew: Set[bytes] = (
            set()
        )  # peers yet to be told recreated, of an interface that was told to be another
        self._ever_read = False
        self._is_gone = False
        self._trouble = Trouble()
        self.observed_ns = 0  # wall clock of the last look
        self._monotonic_ns = 0

    def restore(self, facts: Record) -> None:
        """Begins with what an earlier run told (an entry of ``_mirror.apply``). ValueError, KeyError, TypeError if odd."""
        device = device_from_record(dict(facts["interface"], peers=list(facts["peers"].values())))
        self._told = self._current = device
        self._ever_read = True
        self._inventory = Inventory(initial=False)
        self._tracker.restore({peer: facts["peers"][encode_key(peer)]["state"] for peer in device.peers})

    def close(self) -> None:
        self._reader.close()

    @property
    def is_over(self) -> bool:
        """Gone and told to be gone."""
        return self._is_gone and self._told is None and self._trouble.is_clear

    def look(self) -> None:
        """Reads the interface. A failure leaves the last snapshot, and is remembered as trouble."""
        try:
            device = self._reader.read()
        except (InterfaceGone, NotWireGuard) as error:
            # Another kind of link under its name, or the link of a daemon whose socket is gone: as gone as can be.
            self._look_at_clock()
            self._gone()
            # A name that was never there may be a typing error; one that was and is gone is an event, not trouble.
            waits = self._named and not self._ever_read
            self._trouble.reason = "%s. It is watched for" % error if waits else None
            self._inventory = Inventory(initial=False)
            return
        except Pending:
            return  # neither news nor trouble: that stands as it was
        except WireGuardError as error:
            self._look_at_clock()
            self._trouble.reason = str(error)
            return
        except Exception as error:
            # A fault in reading one interface must not blind the watch to the others. Its text might hold what was read.
            self._look_at_clock()
            self._trouble.reason = "Interface %s%s can't be read: unexpected %s. It is tried again at each poll" % (
                self._reader.interface,
                self._reader.namespace,
                type(error).__name__,
            )
            return
        self._look_at_clock()
        self._trouble.reason = None
        if not self._ever_read and not self._inventory.told:
            self._told = device
            self._inventory = Inventory(initial=False)
        self._ever_read = True
        self._is_gone = False
        self._current = device
        for key, (before, _now) in self._tracker.update(device, self.observed_ns, self._monotonic_ns).items():
            if before is not None:
                self._told_states.setdefault(key, before)

    def changes(self) -> Iterator[Change]:
        """What is to be told, in the order of the contract: first that it can be read again, then the net differences.

        Each is made when it is its turn, from what is known now.
        """
        over, begun = self._trouble.over(self._stub()), self._trouble.begun(self._stub())
        if self._told is self._current and not self._told_states and not self._made_anew:
            return iter(over + begun)
        return chain(over, self._differences(), begun)

    def confirm(self) -> None:
        """All that ``changes`` gave was told."""
        self._told = self._current
        self._told_states.clear()
        self._made_anew.clear()
        self._trouble.confirm()
        if self._ever_read:
            self._inventory = Inventory(initial=False)

    def confirm_some(self, told: Iterable[Change]) -> None:
        """These, the first ones that ``changes`` gave, were told, and the others were not."""
        some = list(told)
        self._trouble.confirm_some(some)
        before, self._told = self._told, advance(self._told, some)
        for change in some:
            if change.field == "ifindex" and before is not None and self._current is not None:
                # That it changed is how the changes to come would be found.
                self._made_anew = before.peers.keys() & self._current.peers.keys()
            elif change.peer is not None and change.type == event_types.PEER_RECREATED:
                self._made_anew.discard(change.peer.public_key)
            elif change.peer is not None and change.type in _TELL_THE_STATE:
                self._told_states.pop(change.peer.public_key, None)

    def finish(self, change: Change) -> Change:
        """A change completed with its peer's state and age, just before it is told."""
        peer = change.peer
        if peer is None:
            return change
        key = peer.public_key
        if self._current is not None and key in self._current.peers:
            age = self._tracker.age(key, self.observed_ns, self._monotonic_ns)
            return change._replace(liveness=(self._tracker.state(key), age))
        return change._replace(liveness=(self._told_states.get(key), wall_age(peer, self.observed_ns)))

    def _differences(self) -> Iterable[Change]:
        found = changes(self._told, self._current, self._inventory.initial)
        if self._inventory.initial and self._told is not None:
            # The rest of an inventory of which a part was told.
            found = (one._replace(initial=one.type == event_types.PEER_ADDED) for one in found)
        return with_states(found, self._left_recreated() + self._state_changes())

    def _left_recreated(self) -> List[Change]:
        """Of peers that a diff does not find to be recreated any more."""
        told, now = self._told, self._current
        if told is None or now is None or told.ifindex != now.ifindex:
            return []
        return [
            Change(event_types.PEER_RECREATED, now, now.peers[key])
            for key in self._made_anew
            if key in told.peers and key in now.peers and not is_new_object(told.peers[key], now.peers[key])
        ]

    def _state_changes(self) -> List[Change]:
        """Of peers that were told of and still are there."""
        if self._told is None or self._current is None:
            return []
        changes = []
        for key, told in self._told_states.items():
            peer = self._current.peers.get(key)
            if peer is None or key not in self._told.peers:
                continue
            now = self._tracker.state(key)
            if now != told:
                changes.append(Change(event_types.PEER_STATE_CHANGED, self._current, peer, told, now))
        return changes

    def _look_at_clock(self) -> None:
        self.observed_ns, self._monotonic_ns = self._clock.wall_ns(), self._clock.monotonic_ns()

    def _gone(self) -> None:
        if self._current is not None:
            for key in self._current.peers:
                self._told_states.setdefault(key, self._tracker.state(key))
        self._current = None
        self._is_gone = True
        self._tracker = Tracker(self._liveness, self._debounce)

    def _stub(self) -> Device:
        """Names the interface in an event about the watch."""
        return self._current or Device(self._reader.interface, self._reader.namespace.netns)


_TELL_THE_STATE = frozenset((event_types.PEER_ADDED, event_types.PEER_REMOVED, event_types.PEER_STATE_CHANGED))

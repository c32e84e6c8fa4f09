# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the last dump of an interface and the one that comes in, within peers that are where they were.

Most often counters, handshakes and endpoints, at known places: only those are read (``_layout.py``). A field that has more is
decoded the plain way (``_wire.py``).
"""

from __future__ import annotations

from itertools import chain, compress
from operator import ne
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ._collector import Pause
from ._errors import MalformedReply
from ._layout import HEADER, Layout
from ._model import Peer
from ._page import Batch, Differences, Page
from ._pick import pick
from ._wire import PeerBytes, decode_peer, peer_key

AT_ONCE = 1024  # fields that are read together, some 200 bytes each


class _Waiting(NamedTuple):
    """Fields that are to be read: positions of their peers, and their bytes before and now."""

    positions: List[int]
    old: List[bytes]
    now: List[bytes]


class PageChanges:
    """Of one dump. Fields of one layout are read together, from many pages at once: it costs the same for ten as for a thousand."""

    def __init__(
        self,
        batches: Sequence[Optional[Batch]],
        peers: Sequence[Peer],
        scope_name: Callable[[int], str],
        pause: Pause,
    ) -> None:
        """Those of the last dump. Who gave the pause ends it."""
        self._batches = batches
        self._peers = peers
        self._scope_name = scope_name
        self._pause = pause
        self._waiting: Dict[Layout, _Waiting] = {}
        self._fields_waiting = 0
        self.batches: List[int] = []  # numbers of those that are not the last dump's any more
        # Of the peers that changed: their positions, as they were and as they are.
        self.positions: List[int] = []
        self.before: List[Peer] = []
        self.after: List[Peer] = []
        self.kinds: Set[str] = set()  # names of their values of which one may have changed
        self.fell = False  # whether a handshake or a counter of one did
        self.unread: List[int] = []  # positions of those that can't be read by themselves

    def add(self, batch: Batch, pages: Sequence[Page], buffer: bytearray) -> bool:
        """Takes in what differs of these pages of a batch, which that buffer has now. False where that is beyond their peers."""
        before = batch.buffer
        for page in pages:
            plan = page.plan
            found = plan.differences(before, buffer, page.start)
            if not plan.others.isdisjoint(found[0]):
                left = self._take_others(page, found)
                if left is None:
                    return False
                found = left
            if plan.usual is not None and found[0]:
                self._wait(plan.usual, page, *found)
            if self._fields_waiting > AT_ONCE:
                self._pause.begin()
                self.finish()
        return True

    def _take_others(self, page: Page, found: Differences) -> Optional[Differences]:
        """Those that have not the usual layout; what is left then. None where one is beyond its peer."""
        plan, numbers, old, now = page.plan, list(found[0]), list(found[1]), list(found[2])
        by_layout: Dict[Optional[Layout], List[Tuple[int, bytes, bytes]]] = {}
        for place in reversed([place for place, number in enumerate(numbers) if number in plan.others]):
            number = numbers.pop(place)
            by_layout.setdefault(plan.layouts[number], []).append((number, old.pop(place), now.pop(place)))
        for layout, some in by_layout.items():
            if layout is not None:
                self._wait(layout, page, *zip(*some))
            elif not self._take_decoded(page, some):
                return None
        return numbers, old, now

    def _wait(
        self, layout: Layout, page: Page, numbers: Sequence[int], old: Sequence[bytes], now: Sequence[bytes]
    ) -> None:
        """Until there are more of that layout."""
        waiting = self._waiting.get(layout)
        if waiting is None:
            waiting = self._waiting[layout] = _Waiting([], [], [])
        positions, olds, nows = waiting
        ordinals, first = page.plan.ordinals, page.first
        positions += [first + ordinals[number] for number in numbers]
        olds += old
        nows += now
        self._fields_waiting += len(numbers)

    def _take_decoded(self, page: Page, found: Sequence[Tuple[int, bytes, bytes]]) -> bool:
        """Fields, each with its bytes before and now."""
        try:
            decoded = [self._decoded(page, *difference) for difference in found]
        except MalformedReply:
            return False  # decoded the plain way, it says where
        after = [peer for peer in decoded if peer is not None]
        if len(after) < len(decoded):
            return False
        if after:
            positions = [page.first + page.plan.ordinals[number] for number, _old, _now in found]
            self._take(positions, [self._peers[position] for position in positions], after)
            self.kinds.update(Peer._fields)
            self.fell = True
        return True

    def finish(self) -> None:
        """Reads what is left to be read."""
        waiting, self._waiting, self._fields_waiting = self._waiting, {}, 0
        for layout, fields in waiting.items():
            self._read(layout, *fields)

    def _read(self, layout: Layout, positions: List[int], old: List[bytes], now: List[bytes]) -> None:
        peers = pick(positions)(self._peers)
        try:
            found = layout.patched(peers, old, now, self._scope_name)
        except MalformedReply:
            found = None
        if found is not None:
            self._take(positions, peers, found.peers, sure=found.kinds <= layout.exact)
            self.kinds |= found.kinds
            self.fell |= found.fell
        elif len(peers) > 1:
            # Something else changed in one of them.
            for position, before, after in zip(positions, old, now):
                self._read(layout, [position], [before], [after])
        else:
            page = self._page_of(positions[0])
            if not self._take_decoded(page, [(page.number_of(positions[0]), old[0], now[0])]):
                self.unread += positions

    def _page_of(self, position: int) -> Page:
        """In which the peer of that position begins."""
        batches = filter(None, reversed(self._batches))
        return next(page for batch in batches for page in reversed(batch.pages) if page.first <= position)

    def _take(self, positions: List[int], before: Sequence[Peer], after: Sequence[Peer], sure: bool = False) -> None:
        """``sure``: each is another than before."""
        if sure:
            self.positions += positions
            self.before += before
            self.after += after
            return
        differs = list(map(ne, before, after))
        self.positions += compress(positions, differs)
        self.before += compress(before, differs)
        self.after += compress(after, differs)

    def _decoded(self, page: Page, number: int, old: bytes, now: bytes) -> Optional[Peer]:
        """The peer that a field has now; None where it is not clear that this field alone has changed."""
        field = page.plan.fields[number]
        # Its header says that it is a peer of this length; within it anything may have changed.
        if field.places is None or field.goes_on or now[:HEADER] != old[:HEADER]:
            return None
        peer = self._peers[page.first + page.plan.ordinals[number]]
        block = (now, HEADER, len(now))
        if peer_key(*block) != peer.public_key:
            return None
        after, places = decode_peer(PeerBytes(peer.public_key, [block]), self._scope_name)
        if places != field.places or after.preshared_key is not None:
            return None
        # What it was, as all secrets of the page are: they were taken out of it.
        return after._replace(preshared_key=peer.preshared_key)

    def touched(self) -> Set[int]:
        """Positions of the peers whose bytes are not the last dump's any more."""
        return {*self.positions, *self.unread, *chain.from_iterable([fields[0] for fields in self._waiting.values()])}

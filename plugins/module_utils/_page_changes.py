# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the last dump of an interface and the one that comes in, within peers that are where they were.

Most often counters, handshakes and endpoints, at known places: only those are read (``_layout.py``). A field that has more is
decoded the plain way (``_wire.py``).
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, compress, repeat
from operator import ne
from typing import Callable, DefaultDict, Iterable, List, Optional, Sequence, Set, Tuple

from . import _collector
from ._errors import MalformedReply
from ._layout import HEADER, Layout
from ._model import Peer
from ._page import Differences, Page
from ._wire import PeerBytes, decode_peer, peer_key

AT_ONCE = 1024  # fields that are read together, some 200 bytes each

_Waiting = DefaultDict[Layout, Tuple[List[int], List[bytes], List[bytes]]]


def _no_fields() -> Tuple[List[int], List[bytes], List[bytes]]:
    return [], [], []


class PageChanges:
    """Of one dump. Fields of one layout are read together, from many pages at once: it costs the same for ten as for a thousand."""

    def __init__(
        self, pages: Sequence[Optional[Page]], peers: Sequence[Peer], scope_name: Callable[[int], str]
    ) -> None:
        """Those of the last dump."""
        self._pages = pages
        self._peers = peers
        self._scope_name = scope_name
        # Fields that are still to be read: positions of their peers, and their bytes before and now.
        self._waiting: _Waiting = defaultdict(_no_fields)
        self._fields_waiting = 0
        self.pages: List[int] = []  # numbers of those that are not the last dump's any more
        # Of the peers that changed: their positions, as they were and as they are.
        self.positions: List[int] = []
        self.before: List[Peer] = []
        self.after: List[Peer] = []
        self.kinds: Set[str] = set()  # names of their values of which one may have changed
        self.unread: List[int] = []  # positions of those that can't be read by themselves

    def add(self, page: Page, found: Differences) -> bool:
        """Takes in what differs of a page. False, and nothing is taken in, where that is beyond its peers."""
        plan = page.plan
        if not plan.others.isdisjoint(found.numbers):
            others = [number in plan.others for number in found.numbers]
            if not self._add_others(page, found.those(others)):
                return False
            found = found.those([not other for other in others])
        if plan.usual is not None:
            self._wait(plan.usual, page, found)
        if self._fields_waiting > AT_ONCE:
            self.finish()
        return True

    def _add_others(self, page: Page, found: Differences) -> bool:
        """Those that have another layout than most, or none."""
        layouts = [page.plan.layouts[number] for number in found.numbers]
        for layout in sorted(set(layouts), key=bool):
            some = found.those([one is layout for one in layouts])
            if layout is not None:
                self._wait(layout, page, some)
            elif not self._take_decoded(page, some):
                return False
        return True

    def _wait(self, layout: Layout, page: Page, found: Differences) -> None:
        """Until there are more of that layout."""
        positions, old, now = self._waiting[layout]
        ordinals, first = page.plan.ordinals, page.first
        positions += [first + ordinals[number] for number in found.numbers]
        old += found.old
        now += found.now
        self._fields_waiting += len(found.now)

    def _take_decoded(self, page: Page, found: Differences) -> bool:
        try:
            decoded = [self._decoded(page, number, old, now) for number, old, now in zip(*found)]
        except MalformedReply:
            return False  # decoded the plain way, it says where
        after = [peer for peer in decoded if peer is not None]
        if len(after) < len(decoded):
            return False
        positions = [page.first + page.plan.ordinals[number] for number in found.numbers]
        self._take(positions, [self._peers[position] for position in positions], after)
        self.kinds.update(Peer._fields)
        return True

    def finish(self) -> None:
        """Reads what is left to be read."""
        waiting, self._waiting, self._fields_waiting = self._waiting, defaultdict(_no_fields), 0
        with _collector.paused():
            for layout, fields in waiting.items():
                self._read(layout, *fields)

    def _read(self, layout: Layout, positions: List[int], old: List[bytes], now: List[bytes]) -> None:
        peers = list(map(self._peers.__getitem__, positions))
        try:
            found = layout.patched(peers, old, now, self._scope_name)
        except MalformedReply:
            found = None
        if found is not None:
            self._take(positions, peers, found.peers, sure=found.kinds <= layout.exact)
            self.kinds |= found.kinds
        elif len(peers) > 1:
            # Something else changed in one of them.
            for position, before, after in zip(positions, old, now):
                self._read(layout, [position], [before], [after])
        else:
            page = next(one for one in reversed(self._pages) if one is not None and one.first <= positions[0])
            field = Differences([page.number_of(positions[0])], old, now)
            if not self._take_decoded(page, field):
                self.unread += positions

    def _take(self, positions: List[int], before: List[Peer], after: List[Peer], sure: bool = False) -> None:
        """``sure``: each is another than before."""
        differs: Iterable[bool] = repeat(True) if sure else list(map(ne, before, after))
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

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which peers came, went or changed between two snapshots. Rests on an unchanged peer being the same object."""

from __future__ import annotations

from array import array
from binascii import b2a_base64
from collections import deque
from itertools import compress
from operator import is_, is_not, itemgetter
from typing import (
    AbstractSet,
    Callable,
    Dict,
    ItemsView,
    Iterator,
    KeysView,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    ValuesView,
)
from weakref import ref

from ._model import Peer

Peers = Mapping[bytes, Peer]

_key = itemgetter(0)


class Order:
    """The order of some peers' keys as text, found when it is first asked for. For all snapshots that follow each other.

    Texts of 50,000 keys take longer to make than all else that a poll does.
    """

    def __init__(self, peers: Sequence[Peer]) -> None:
        """Their keys stay what they are."""
        self._peers = peers
        self._ranks: Sequence[int] = ()

    @property
    def ranks(self) -> Sequence[int]:
        """Of each peer."""
        if not self._ranks:
            texts = list(map(b2a_base64, map(_key, self._peers)))
            order = sorted(range(len(texts)), key=texts.__getitem__)
            self._ranks = ranks = array("L", bytes(array("L").itemsize * len(order)))
            for rank, position in enumerate(order):
                ranks[position] = rank
        return self._ranks


class Delta(NamedTuple):
    """Public keys, and the peers that are there in both and not the same object, as they were and as they are, in no order."""

    added: List[bytes]
    removed: List[bytes]
    before: List[Peer]
    after: List[Peer]
    kinds: AbstractSet[str] = frozenset(Peer._fields)  # names of the values of those of which one may have changed
    positions: Sequence[int] = ()  # in ``order``, where there is one
    order: Optional[Order] = None

    def those(self, selectors: Sequence[object]) -> Delta:
        """The peers that are selected."""
        before, after = list(compress(self.before, selectors)), list(compress(self.after, selectors))
        return self._replace(before=before, after=after, positions=list(compress(self.positions, selectors)))

    def in_order(self) -> Tuple[List[Peer], List[Peer]]:
        """The peers as they were and as they are, in the order of their keys as text."""
        numbers = range(len(self.after))
        order: Sequence[int]
        if self.order is None:
            texts = list(map(b2a_base64, map(_key, self.after)))
            order = sorted(numbers, key=texts.__getitem__)
        else:
            all_ranks = self.order.ranks
            ranks = list(map(all_ranks.__getitem__, self.positions))
            if len(ranks) * SHARE < len(all_ranks):
                order = sorted(numbers, key=ranks.__getitem__)
            else:
                by_rank: List[Optional[int]] = [None] * len(all_ranks)
                deque(map(by_rank.__setitem__, ranks, numbers), maxlen=0)
                order = [number for number in by_rank if number is not None]
        return list(map(self.before.__getitem__, order)), list(map(self.after.__getitem__, order))


SHARE = 4  # of so many peers one changed, and putting each in its place among all is quicker than to sort those


class FollowedPeers(Mapping[bytes, Peer]):
    """Peers of a snapshot by public key, that know what changed to the next one.

    Of thousands of peers, a poll is to touch those that changed alone. So there is one table, which the last snapshot has. The one
    before it has what changed, and makes a table of its own when it is asked for a peer, or is kept while more snapshots follow.
    """

    __slots__ = ("_table", "_after", "_changed", "_before", "__weakref__")

    def __init__(self, table: Dict[bytes, Peer]) -> None:
        """``table`` is not to be written to any more."""
        self._table: Optional[Dict[bytes, Peer]] = table
        self._after: Optional[FollowedPeers] = None
        self._changed = Delta([], [], [], [])
        self._before: Callable[[], Optional[FollowedPeers]] = lambda: None

    @property
    def table(self) -> Dict[bytes, Peer]:
        """Not to be written to, nor to be kept."""
        if self._table is None:
            after = self._after.table if self._after is not None else {}
            self._table = {**after, **{peer[0]: peer for peer in self._changed.before}}
        return self._table

    def followed_by(self, changed: Delta) -> FollowedPeers:
        """The next snapshot, where no peer came or went."""
        before = self._before()
        if before is not None:
            before._stay()
        self._after = after = FollowedPeers(self.table)
        after._before = ref(self)
        self._table, self._changed = None, changed
        after.table.update(zip(map(_key, changed.after), changed.after))
        return after

    def _stay(self) -> None:
        """Somebody keeps it, and would keep all that follow, which each lead to the next."""
        self._table, self._after = self.table, None

    def changed_to(self, after: Peers) -> Optional[Delta]:
        """What changed to the snapshot that follows; None where that is another one."""
        return self._changed if self._after is after else None

    def __getitem__(self, key: bytes) -> Peer:
        return self.table[key]

    def __contains__(self, key: object) -> bool:
        return key in self.table

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def keys(self) -> KeysView[bytes]:
        return self.table.keys()

    def values(self) -> ValuesView[Peer]:
        return self.table.values()

    def items(self) -> ItemsView[bytes, Peer]:
        return self.table.items()

    def __repr__(self) -> str:
        return repr(self.table)


def delta(before: Peers, after: Peers) -> Delta:
    """Looks at each peer of the two for some 30 ns, but for those that know what changed; at none where they are the same."""
    if before is after:
        return Delta([], [], [], [])
    known = before.changed_to(after) if isinstance(before, FollowedPeers) else None
    if known is not None:
        return known
    # A poll that found changed peers only has the very keys of the one before, in their order.
    if len(before) == len(after) and all(map(is_, before, after)):
        differs = list(map(is_not, before.values(), after.values()))
        return Delta([], [], list(compress(before.values(), differs)), list(compress(after.values(), differs)))
    added, removed = after.keys() - before.keys(), before.keys() - after.keys()
    changed = [peer for key, peer in after.items() if before.get(key, peer) is not peer]
    return Delta(list(added), list(removed), [before[peer.public_key] for peer in changed], changed)

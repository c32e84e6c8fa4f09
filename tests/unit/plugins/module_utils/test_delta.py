# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots that follow each other share one table, and nobody sees that."""

from __future__ import annotations

import gc
import random
from weakref import ref

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._delta import (
    SHARE,
    Delta,
    FollowedPeers,
    delta,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Peer
from unit.watching import key

COUNT = 30


class Snapshots:
    """Of peers of which some have other counters in each."""

    def __init__(self) -> None:
        self.chance = random.Random(1)
        self.in_order = [Peer(key(number)) for number in range(COUNT)]
        self.last = FollowedPeers.of({peer.public_key: peer for peer in self.in_order})

    def take(self, count: int = 5) -> FollowedPeers:
        positions = self.chance.sample(range(COUNT), count)
        before = [self.in_order[position] for position in positions]
        after = [peer._replace(rx_bytes=peer.rx_bytes + 1) for peer in before]
        for position, peer in zip(positions, after):
            self.in_order[position] = peer
        self.last = self.last.followed_by(Delta([], [], before, after, {"rx_bytes"}, positions, self.last.order))
        return self.last


@pytest.fixture
def snapshots() -> Snapshots:
    return Snapshots()


def plain(found: Delta) -> list[list]:
    return [sorted(some) for some in found[:4]]


def test_a_snapshot_stays_what_it_was_whenever_it_is_asked(snapshots: Snapshots) -> None:
    kept, meant = [snapshots.last], [dict(snapshots.last)]
    for _poll in range(8):
        kept.append(snapshots.take())
        meant.append(dict(zip(map(key, range(COUNT)), snapshots.in_order)))
    for number in snapshots.chance.sample(range(len(kept)), len(kept)):
        snapshot = kept[number]
        assert (dict(snapshot), dict(snapshot.items())) == (meant[number], meant[number])
        assert (list(snapshot), list(snapshot.values())) == (list(meant[number]), list(meant[number].values()))
        assert (len(snapshot), key(3) in snapshot, key(COUNT) in snapshot) == (COUNT, True, False)
        assert (snapshot[key(3)], snapshot.get(key(COUNT))) == (meant[number][key(3)], None)


def test_what_changed_is_the_same_whether_it_is_known_or_looked_for(snapshots: Snapshots) -> None:
    kept = [snapshots.last] + [snapshots.take() for _poll in range(4)]
    for before, after in zip(kept, kept[1:]):
        assert plain(delta(before, after)) == plain(delta(dict(before), dict(after)))
    first, last = kept[0], kept[-1]
    assert plain(delta(first, last)) == plain(delta(dict(first), dict(last)))


@pytest.mark.parametrize("count", [1, COUNT // SHARE, COUNT])
def test_the_order_is_that_of_the_keys_as_text_either_way(snapshots: Snapshots, count: int) -> None:
    before, after = snapshots.last, snapshots.take(count)
    known, found = delta(before, after), delta(dict(before), dict(after))
    assert known.order is not None
    assert [known.after[number] for number in known.in_order()] == [found.after[number] for number in found.in_order()]


def test_who_keeps_a_snapshot_keeps_none_of_those_that_follow(snapshots: Snapshots) -> None:
    first = snapshots.last
    second = ref(snapshots.take())
    gc.disable()
    try:
        for _poll in range(2):
            snapshots.take()
        assert second() is None
    finally:
        gc.enable()
    assert first[key(1)].rx_bytes == 0


def test_a_snapshot_that_came_to_nothing_is_followed_by_another(snapshots: Snapshots) -> None:
    """As after a link that was gone when it was asked for: the poll is tried again."""
    first = snapshots.last
    for _try in range(3):
        changed = first[key(2)]._replace(tx_bytes=9)
        after = first.followed_by(Delta([], [], [first[key(2)]], [changed], {"tx_bytes"}, [2], first.order))
        assert delta(first, after).after == [changed]
        assert (first[key(2)].tx_bytes, after[key(2)].tx_bytes) == (0, 9)

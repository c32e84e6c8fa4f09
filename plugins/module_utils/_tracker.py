# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the liveness of one interface's peers from poll to poll.

Looks only at peers that changed and at those for which silence alone is due to change something: quiet peers cost
nothing, however many there are.
"""

from __future__ import annotations

import heapq
from functools import lru_cache
from typing import Any, Dict, List, Optional, Tuple

from ._delta import delta
from ._liveness import (
    DEFAULTS,
    DOWN,
    INACTIVE,
    NEVER,
    LivenessOptions,
    Sight,
    is_inactive,
    more_than_keepalives,
    rule,
)
from ._model import SECOND, Device, Peer

Changes = Dict[bytes, Tuple[Optional[str], Optional[str]]]
Track = List[Any]  # what is remembered of one peer, in plain values: fields of _Track, ``_KEPT``

_pair = lru_cache(maxsize=64)(lambda before, now: (before, now))  # a state each: few, for all of thousands of peers


class _Track:
    """What is remembered of one peer. Moments are monotonic nanoseconds."""

    __slots__ = (
        "peer",
        "handshake_at",
        "since",
        "rx_grew_at",
        "tx_at_rx",
        "excess_at",
        "latched",
        "state",
        "candidate",
        "due",
    )

    def __init__(self, peer: Peer, handshake_at: int, now: int, state: str) -> None:
        self.peer = peer
        self.handshake_at = handshake_at
        self.since = now  # when rx last grew, or the first look
        self.rx_grew_at: Optional[int] = None
        self.tx_at_rx = peer.tx_bytes
        self.excess_at: Optional[int] = None  # since when more was sent than keepalives explain
        self.latched = False
        self.state = state  # the reported one: it held for the debounce time
        self.candidate: Optional[Tuple[str, int]] = None  # a state that does not count yet, and since when it holds
        self.due: Optional[int] = None


# All but the peer itself, which is in the last snapshot, and the candidate, which there is only while one debounces.
_KEPT = ("handshake_at", "since", "rx_grew_at", "tx_at_rx", "excess_at", "latched", "state", "due")


def _is_another(before: Device, device: Device) -> bool:
    """The interface was deleted and made again; where an index is not known, it was not."""
    return None not in (before.ifindex, device.ifindex) and before.ifindex != device.ifindex


class Tracker:
    """States of one interface's peers. ``debounce`` is in seconds: so long a change must hold before it counts."""

    def __init__(self, options: LivenessOptions = DEFAULTS, debounce: float = 0.0) -> None:
        self._options = options
        self._debounce = int(debounce * SECOND)
        self._tracks: Dict[bytes, _Track] = {}
        self._device: Optional[Device] = None
        self._seen_at = 0  # monotonic time of the last snapshot
        self._due: List[Tuple[int, bytes]] = []
        self._restored: Dict[bytes, str] = {}

    def restore(self, states: Dict[bytes, str]) -> None:
        """States reported by an earlier run: what differs now is a change, and not an inventory."""
        self._restored = dict(states)

    def remember(self) -> Tuple[Optional[Device], int, Dict[bytes, Track]]:
        """The last snapshot, its monotonic time and what is known of each peer: for ``recall``. Without debounce only."""
        tracks = {key: [getattr(track, name) for name in _KEPT] for key, track in self._tracks.items()}
        return self._device, self._seen_at, tracks

    def recall(self, device: Optional[Device], seen_at: int, tracks: Dict[bytes, Track]) -> None:
        """Goes on where another tracker left off, in the same boot of the host."""
        self._device, self._seen_at = device, seen_at
        for key, peer in device.peers.items() if device is not None else ():
            track = self._tracks[key] = _Track(peer, 0, 0, NEVER)
            for name, value in zip(_KEPT, tracks[key]):
                setattr(track, name, value)
            if track.due is not None:
                heapq.heappush(self._due, (track.due, key))

    def update(self, device: Device, wall_ns: int, monotonic_ns: int) -> Changes:
        """Takes in a snapshot; (before, now) of each state that changed, None where the peer came or went."""
        before = self._device
        changed: Changes = {}
        self._device = device
        if device is not before:
            made_anew = before is not None and _is_another(before, device)
            judge_all = before is None or made_anew or is_inactive(before) != is_inactive(device)
            found = delta(before.peers if before is not None else {}, device.peers)
            for key in found.removed:
                changed[key] = (self._tracks.pop(key).state, None)
            for key in self._restored.keys() - device.peers.keys() if self._restored else ():
                changed[key] = (self._restored.pop(key), None)
            for key in found.added:
                self._start(device, device.peers[key], wall_ns, monotonic_ns, changed)
            stayed = found.after
            if judge_all:
                stayed = [device.peers[key] for key in self._tracks.keys() - set(found.added)]
            for peer in stayed:
                self._observe(self._tracks[peer.public_key], peer, made_anew, wall_ns, monotonic_ns)
                self._judge(device, self._tracks[peer.public_key], wall_ns, monotonic_ns, changed)
        while self._due and self._due[0][0] <= monotonic_ns:
            due, key = heapq.heappop(self._due)
            track = self._tracks.get(key)
            if track is not None and track.due == due:
                track.due = None
                self._judge(device, track, wall_ns, monotonic_ns, changed)
        self._seen_at = monotonic_ns
        return changed

    def state(self, key: bytes) -> str:
        """The reported state of a peer of the last snapshot."""
        track = self._tracks.get(key)
        return track.state if track is not None else self._restored.get(key, NEVER)

    def age(self, key: bytes, wall_ns: int, monotonic_ns: int) -> Optional[float]:
        """Seconds since the last handshake of a peer of the last snapshot; None for never."""
        track = self._tracks.get(key)
        if track is None or not track.peer.last_handshake_ns:
            return None
        return self._age(track, wall_ns, monotonic_ns)

    def next_due(self) -> Optional[int]:
        """The monotonic time at which silence alone may change a state."""
        return self._due[0][0] if self._due else None

    def _start(self, device: Device, peer: Peer, wall_ns: int, now: int, changed: Changes) -> None:
        at = now - max(0, wall_ns - peer.last_handshake_ns) if peer.last_handshake_ns else 0
        track = _Track(peer, at, now, NEVER)
        self._tracks[peer.public_key] = track
        restored = self._restored.pop(peer.public_key, None)
        # Nothing was seen yet that could have lifted it, unless it has shaken hands since.
        expiry = self._options.timers.reject_after + self._options.timers.slack
        track.latched = restored == DOWN and self._age(track, wall_ns, now) > expiry
        track.state, wait = self._state(device, track, wall_ns, now)
        self._schedule(track, wait, now)
        changed[peer.public_key] = _pair(restored, track.state)

    def _observe(self, track: _Track, peer: Peer, made_anew: bool, wall_ns: int, now: int) -> None:
        """Takes in what changed of a peer. ``made_anew``: the interface under it is another one than before."""
        before, track.peer = track.peer, peer
        # What was more than keepalives explain may have been explained by time since, at a look that passed the peer over.
        quiet = (self._seen_at - track.since) / SECOND
        if not more_than_keepalives(before.tx_bytes - track.tx_at_rx, quiet, self._options.keepalive(before)):
            track.excess_at = None
        if peer.last_handshake_ns != before.last_handshake_ns:
            # The wall clock says when, unless it was stepped: it was not before the last poll.
            track.handshake_at = max(self._seen_at, now - max(0, wall_ns - peer.last_handshake_ns))
            track.latched = False
        made_anew = made_anew or peer.rx_bytes < before.rx_bytes or peer.tx_bytes < before.tx_bytes
        if peer.rx_bytes > before.rx_bytes or made_anew:
            track.rx_grew_at = None if made_anew and not peer.rx_bytes else now
            track.since = now
            track.tx_at_rx = 0 if made_anew else peer.tx_bytes
            track.excess_at = None
            track.latched = False

    def _age(self, track: _Track, wall_ns: int, now: int) -> float:
        """The smaller of the age by the wall clock and the age by the monotonic one, so that no clock step makes stale.

        A handshake in the future of the wall clock (it was set back) has no age by it.
        """
        wall = wall_ns - track.peer.last_handshake_ns
        monotonic = now - track.handshake_at
        return (monotonic if wall < 0 else min(wall, monotonic)) / SECOND

    def _state(self, device: Device, track: _Track, wall_ns: int, now: int) -> Tuple[str, Optional[float]]:
        if is_inactive(device):
            track.excess_at = None  # nobody can have answered: the time for it begins when the link is back
            return INACTIVE, None
        peer = track.peer
        keepalive = self._options.keepalive(peer)
        unanswered, quiet = peer.tx_bytes - track.tx_at_rx, (now - track.since) / SECOND
        if not more_than_keepalives(unanswered, quiet, keepalive):
            track.excess_at = None
        elif track.excess_at is None:
            track.excess_at = now
        sight = Sight(
            has_handshake=peer.last_handshake_ns != 0,
            age=self._age(track, wall_ns, now),
            keepalive=keepalive,
            rx_quiet=None if track.rx_grew_at is None else (now - track.rx_grew_at) / SECOND,
            tx_unanswered=unanswered,
            tx_excess_for=None if track.excess_at is None else (now - track.excess_at) / SECOND,
            quiet=quiet,
            latched=track.latched,
        )
        state, wait = rule(sight, self._options.timers)
        track.latched = state == DOWN
        return state, wait

    def _judge(self, device: Device, track: _Track, wall_ns: int, now: int, changed: Changes) -> None:
        state, wait = self._state(device, track, wall_ns, now)
        if state == track.state:
            track.candidate = None
        else:
            if track.candidate is None or track.candidate[0] != state:
                track.candidate = (state, now)
            held = now - track.candidate[1]
            if held >= self._debounce:
                changed[track.peer.public_key] = (track.state, state)
                track.state, track.candidate = state, None
            else:
                left = (self._debounce - held) / SECOND
                wait = left if wait is None else min(wait, left)
        self._schedule(track, wait, now)

    def _schedule(self, track: _Track, wait: Optional[float], now: int) -> None:
        if wait is None:
            return
        due = now + max(1, round(wait * SECOND))
        # An earlier moment that stands already is kept: the peer is judged again then. So a busy peer has one entry, and
        # not one for each poll.
        if track.due is None or due < track.due:
            track.due = due
            heapq.heappush(self._due, (due, track.peer.public_key))

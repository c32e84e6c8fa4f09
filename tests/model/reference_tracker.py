# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Liveness over time without any thrift: every peer is judged at every poll (docs/liveness.md).

It shares the rule with the collection's tracker, and nothing of how that one knows when to look.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import (
    DOWN,
    INACTIVE,
    KEEPALIVE_BYTES,
    LivenessOptions,
    Sight,
    rule,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND, Device, Peer

Changes = dict[bytes, tuple["str | None", "str | None"]]


@dataclass
class Look:
    now: int
    wall: int
    device: Device


@dataclass
class Seen:
    """What the looks at one peer add up to. Moments are monotonic nanoseconds."""

    peer: Peer
    shaken: int  # when the last handshake was
    silent_since: int  # when something was received last, or the first look
    sent_before: int = 0  # tx as it was then
    received: int | None = None  # when rx grew, None for never
    excess_since: int | None = None
    down: bool = False
    told: str | None = None
    other: str | None = None  # a state that differs from what was told
    other_since: int = 0


class ReferenceTracker:
    def __init__(self, options: LivenessOptions, debounce: float) -> None:
        self._options = options
        self._debounce = debounce
        self._seen: dict[bytes, Seen] = {}
        self._last: Look | None = None
        self._restored: dict[bytes, str] = {}

    def restore(self, states: dict[bytes, str]) -> None:
        self._restored = dict(states)

    def update(self, device: Device, wall: int, now: int) -> Changes:
        look, last = Look(now, wall, device), self._last
        told: Changes = {}
        for key in [key for key in self._seen if key not in device.peers]:
            told[key] = (self._seen.pop(key).told, None)
        for key in [key for key in self._restored if key not in device.peers]:
            told[key] = (self._restored.pop(key), None)
        indices = {last.device.ifindex if last else None, device.ifindex}
        another = len(indices) == 2 and None not in indices
        for key, peer in device.peers.items():
            seen = self._seen.get(key)
            if seen is None or last is None:
                self._seen[key] = seen = self._first(peer, look)
                seen.told = self._state(seen, look)
                told[key] = (self._restored.pop(key, None), seen.told)
                continue
            self._take_in(seen, peer, another, look, last)
            state = self._state(seen, look)
            if state == seen.told:
                seen.other = None
                continue
            if state != seen.other:
                seen.other, seen.other_since = state, now
            if (now - seen.other_since) / SECOND >= self._debounce:
                told[key] = (seen.told, state)
                seen.told, seen.other = state, None
        self._last = look
        return told

    def _first(self, peer: Peer, look: Look) -> Seen:
        seen = Seen(peer, look.now - max(0, look.wall - peer.last_handshake_ns), look.now, peer.tx_bytes)
        timers = self._options.timers
        if self._restored.get(peer.public_key) == DOWN:
            seen.down = self._age(seen, look) > timers.reject_after + timers.slack
        return seen

    def _take_in(self, seen: Seen, peer: Peer, another: bool, look: Look, last: Look) -> None:
        before, seen.peer = seen.peer, peer
        if peer.last_handshake_ns != before.last_handshake_ns:
            seen.down = False
            seen.shaken = max(last.now, look.now - max(0, look.wall - peer.last_handshake_ns))
        new_object = another or peer.rx_bytes < before.rx_bytes or peer.tx_bytes < before.tx_bytes
        if new_object or peer.rx_bytes > before.rx_bytes:
            seen.down, seen.excess_since, seen.silent_since = False, None, look.now
            seen.received = look.now if peer.rx_bytes else None
            seen.sent_before = 0 if new_object else peer.tx_bytes

    def _state(self, seen: Seen, look: Look) -> str:
        peer, options = seen.peer, self._options
        keepalive = peer.persistent_keepalive or options.expected_keepalive_of.get(
            peer.public_key, options.expected_keepalive
        )
        sent, silent = peer.tx_bytes - seen.sent_before, (look.now - seen.silent_since) / SECOND
        due = 2 + (int(silent // keepalive) if keepalive else 0)
        inactive = look.device.up is False or look.device.has_private_key is False
        if inactive or sent <= KEEPALIVE_BYTES * due:
            seen.excess_since = None
        elif seen.excess_since is None:
            seen.excess_since = look.now
        if inactive:
            return INACTIVE

        def ago(moment: int | None) -> float | None:
            return None if moment is None else (look.now - moment) / SECOND

        state, _wait = rule(
            Sight(
                has_handshake=bool(peer.last_handshake_ns),
                age=self._age(seen, look),
                keepalive=keepalive,
                rx_quiet=ago(seen.received),
                tx_unanswered=sent,
                tx_excess_for=ago(seen.excess_since),
                quiet=silent,
                latched=seen.down,
            ),
            options.timers,
        )
        seen.down = state == DOWN
        return state

    def _age(self, seen: Seen, look: Look) -> float:
        by_wall = look.wall - seen.peer.last_handshake_ns
        by_monotonic = look.now - seen.shaken
        return (by_monotonic if by_wall < 0 else min(by_wall, by_monotonic)) / SECOND

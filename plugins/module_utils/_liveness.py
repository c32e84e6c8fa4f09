# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a peer connected? WireGuard has no connection state; this is the rule that stands in for it (docs/liveness.md).

``snapshot_state`` judges by one look. ``rule`` judges by what was seen over time; ``_tracker.py`` does the seeing.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple, Optional, Tuple

from ._model import Device, Peer

NEVER = "never"  # no handshake since the peer object exists
UP = "up"  # a session is alive, as far as can be seen
UNRESPONSIVE = "unresponsive"  # we send and nothing comes back
DOWN = "down"  # it should have renewed its session, or answered, and did not
HALF_OPEN = "half_open"  # they reach us, no session completes
IDLE = "idle"  # no session and no traffic: only traffic could tell
INACTIVE = "inactive"  # the link is down, or there is no private key
STATES = (NEVER, UP, UNRESPONSIVE, DOWN, HALF_OPEN, IDLE, INACTIVE)

KEEPALIVE_BYTES = 32  # an empty data message (whitepaper section 5.4.6)


class Timers(NamedTuple):
    """Seconds. The defaults are WireGuard's own; other implementations configure them. Users set them as ``timers``."""

    reject_after: float = 180.0  # REJECT_AFTER_TIME, whitepaper section 6.1: no session outlives it
    rekey_timeout: float = 5.0  # REKEY_TIMEOUT, section 6.1: a handshake unanswered for so long is sent again
    renewal: float = 240.0  # a responder with keepalive renews late: seen at 185 s (reject_after + 25 + 10, rounded up)
    traffic: float = 60.0  # rx that grew within this time is traffic; two keepalives of 25 s fit in
    silence: float = 15.0  # KEEPALIVE_TIMEOUT + REKEY_TIMEOUT, section 6.5: who got data has answered by then
    slack: float = 0.0  # added where a deadline is judged, for slow links and coarse polling


class LivenessOptions(NamedTuple):
    """What users declare. Keepalives, in seconds, are those that the other side of a peer uses, 0 = unknown.

    ``expected_keepalive_of`` is by public key and comes before ``expected_keepalive``, which is for all others.
    """

    expected_keepalive: int = 0
    expected_keepalive_of: Mapping[bytes, int] = {}
    timers: Timers = Timers()

    def keepalive(self, peer: Peer) -> int:
        """The interval that is known of a session: the peer's own where it is set, else the declared one."""
        return peer.persistent_keepalive or self.expected_keepalive_of.get(peer.public_key, self.expected_keepalive)


DEFAULTS = LivenessOptions()


class Sight(NamedTuple):
    """What is known of one peer at one moment. Times are seconds; None stands for "not within what was seen"."""

    has_handshake: bool
    age: float  # since the handshake
    keepalive: int  # the peer's own, or the declared one; 0 = unknown
    rx_quiet: Optional[float]  # since rx last grew
    tx_unanswered: int  # bytes sent since rx last grew (or since the first look)
    tx_excess_for: Optional[float]  # seconds since those are more than keepalives explain
    quiet: float  # seconds since rx last grew, or since the first look
    latched: bool = False  # it was down, and neither has rx grown nor the handshake changed since


def is_inactive(device: Device) -> bool:
    return device.up is False or device.has_private_key is False


def snapshot_state(device: Device, peer: Peer, age: Optional[float], options: LivenessOptions = DEFAULTS) -> str:
    """The state as far as one look tells: counters count as flat."""
    if is_inactive(device):
        return INACTIVE
    sight = Sight(age is not None, age or 0.0, options.keepalive(peer), None, 0, None, 0.0)
    return rule(sight, options.timers)[0]


def rule(sight: Sight, timers: Timers = DEFAULTS.timers) -> Tuple[str, Optional[float]]:
    """(state, seconds from now at which silence alone would change it; None where it never would)."""
    if not sight.has_handshake:
        return NEVER, None
    if sight.latched:
        return DOWN, None
    unanswered, unanswered_in = _unanswered(sight, timers)
    expiry = timers.reject_after + timers.slack
    if sight.age <= expiry:
        if unanswered:
            return UNRESPONSIVE, _sooner(_after(expiry, sight.age), _explained_in(sight))
        return UP, _sooner(_after(expiry, sight.age), unanswered_in)
    if unanswered:
        return DOWN, None
    traffic = sight.rx_quiet is not None and sight.rx_quiet <= timers.traffic
    traffic_ends = _after(timers.traffic, sight.rx_quiet) if traffic and sight.rx_quiet is not None else None
    if traffic and sight.age <= timers.renewal:
        return UP, _sooner(_sooner(traffic_ends, _after(timers.renewal, sight.age)), unanswered_in)
    if sight.keepalive:
        renewed_by = timers.reject_after + sight.keepalive + timers.rekey_timeout + timers.slack
        if sight.age <= renewed_by:
            return UP, _sooner(_after(renewed_by, sight.age), unanswered_in)
        if not traffic:
            return DOWN, None
    if traffic:
        return HALF_OPEN, _sooner(traffic_ends, unanswered_in)
    return IDLE, unanswered_in


def more_than_keepalives(tx_unanswered: int, quiet: float, keepalive: int) -> bool:
    """Whether so many bytes in so many seconds are more than keepalives explain.

    One interval of tolerance, since keepalives jitter against the poll grid.
    """
    intervals = int(quiet // keepalive) if keepalive else 0
    return tx_unanswered > KEEPALIVE_BYTES * (intervals + 2)


def _explained_in(sight: Sight) -> Optional[float]:
    """Seconds until keepalives explain all that was sent, if no more is; None where they never do."""
    if not sight.keepalive:
        return None
    intervals = -(-sight.tx_unanswered // KEEPALIVE_BYTES) - 2
    return intervals * sight.keepalive - sight.quiet


def _unanswered(sight: Sight, timers: Timers) -> Tuple[bool, Optional[float]]:
    """Whether more was sent into silence than keepalives explain, and long enough ago; else the time until it may be so.

    Counted from when it became more: on top of the keepalives of minutes a single handshake initiation is more, and its
    answer may just be on its way. Time raises what keepalives explain, so where the bytes do not suffice now, silence
    alone never makes them.
    """
    if sight.tx_excess_for is None or not more_than_keepalives(sight.tx_unanswered, sight.quiet, sight.keepalive):
        return False, None
    if sight.tx_excess_for < timers.silence:
        return False, timers.silence - sight.tx_excess_for
    return True, None


def _after(limit: float, now: float) -> float:
    """Just past the moment at which ``now`` exceeds ``limit``."""
    return limit - now + 0.001


def _sooner(one: Optional[float], other: Optional[float]) -> Optional[float]:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)

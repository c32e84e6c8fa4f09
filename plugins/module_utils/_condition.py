# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What wg_peer_watch can wait for. Pure predicates on what was seen of one peer."""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple, Optional, Tuple

from ._liveness import DOWN, UP
from ._model import Peer, unpack_endpoint


class Seen(NamedTuple):
    """One peer over the time of a wait; None where it is not there."""

    before: Optional[Peer]  # at the baseline
    first: Optional[Peer]  # at the baseline, or when it was first seen after it
    now: Optional[Peer]
    state: Optional[str]
    recreated: bool = False


class Expected(NamedTuple):
    """Values that narrow a condition; None leaves it open. An endpoint's port may be open too."""

    endpoint_host: Optional[str] = None
    endpoint_port: Optional[int] = None
    allowed_ips: Optional[Tuple[bytes, ...]] = None


def first_handshake(seen: Seen) -> bool:
    """A handshake has completed since the peer object exists."""
    return seen.now is not None and seen.now.last_handshake_ns != 0


def handshake(seen: Seen) -> bool:
    """A handshake that is not the one of the baseline; any, of a peer that was not there."""
    if seen.now is None or not seen.now.last_handshake_ns:
        return False
    return seen.before is None or seen.now.last_handshake_ns != seen.before.last_handshake_ns


def endpoint_changed(seen: Seen) -> bool:
    """Another endpoint than at first, to and from none included."""
    return seen.now is not None and seen.first is not None and seen.now.endpoint != seen.first.endpoint


def allowed_ips_changed(seen: Seen) -> bool:
    """Another set of allowed IPs than at first."""
    return seen.now is not None and seen.first is not None and seen.now.allowed_ips != seen.first.allowed_ips


def present(seen: Seen) -> bool:
    """The peer is configured."""
    return seen.now is not None


def absent(seen: Seen) -> bool:
    """The peer is not configured."""
    return seen.now is None


def recreated(seen: Seen) -> bool:
    """Removed and put back since the baseline, or the interface under it."""
    return seen.now is not None and seen.recreated


def up(seen: Seen) -> bool:
    """Liveness state ``up``."""
    return seen.state == UP


def down(seen: Seen) -> bool:
    """Liveness state ``down``."""
    return seen.state == DOWN


def traffic(seen: Seen) -> bool:
    """More was received than at the baseline."""
    if seen.now is None:
        return False
    start = 0 if seen.before is None or seen.recreated else seen.before.rx_bytes
    return seen.now.rx_bytes > start


CONDITIONS: Dict[str, Callable[[Seen], bool]] = {
    predicate.__name__: predicate
    for predicate in (
        first_handshake,
        handshake,
        endpoint_changed,
        allowed_ips_changed,
        present,
        absent,
        recreated,
        up,
        down,
        traffic,
    )
}

# A peer that is removed while one waits comes to none of the others any more.
SURVIVE_REMOVAL = frozenset(("present", "absent", "recreated"))


def satisfied(condition: str, expected: Expected, seen: Seen) -> bool:
    """Whether the condition holds and the peer has the expected values.

    ``endpoint_changed`` and ``allowed_ips_changed`` with an expected value mean "has come to this value": a change that was
    over before the first look counts, since its outcome is there to see.
    """
    if seen.now is None:
        return condition == "absent"
    if not endpoint_fits(expected, seen.now.endpoint):
        return False
    if expected.allowed_ips is not None and seen.now.allowed_ips != expected.allowed_ips:
        return False
    if condition == "endpoint_changed" and expected.endpoint_host is not None:
        return True
    if condition == "allowed_ips_changed" and expected.allowed_ips is not None:
        return True
    return CONDITIONS[condition](seen)


def endpoint_fits(expected: Expected, endpoint: Optional[bytes]) -> bool:
    """Whether a peer's endpoint is the expected one, as far as one is expected."""
    if expected.endpoint_host is None:
        return True
    if endpoint is None:
        return False
    host, port = unpack_endpoint(endpoint)
    return host == expected.endpoint_host and expected.endpoint_port in (None, port)

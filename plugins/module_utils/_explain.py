# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a wait timed out, as far as it can be seen from this side."""

from __future__ import annotations

from typing import List, Optional

from ._condition import Expected, Seen, endpoint_fits
from ._liveness import is_inactive
from ._model import Device, Peer, unpack_allowed_ip
from ._record import endpoint_text, handshake_text

HANDSHAKE_INITIATION = 148  # bytes on the wire (whitepaper section 5.4.2), sent again after REKEY_TIMEOUT, 5 s
SENTENCES = 5  # more peers than that are counted, not listed


def explain_peer(
    condition: str, expected: Expected, seen: Seen, start: Optional[Peer], device: Optional[Device]
) -> str:
    """A clause on one unsatisfied peer. ``start`` is the peer as the first probe saw it."""
    now = seen.now
    if now is None or device is None:
        return "it is not configured on the interface"
    if condition == "absent":
        return "it is still configured"
    if expected.allowed_ips is not None and now.allowed_ips != expected.allowed_ips:
        return "its allowed IPs are %s, not the expected %s" % (_ips(now.allowed_ips), _ips(expected.allowed_ips))
    if not endpoint_fits(expected, now.endpoint):
        return "its endpoint is %s, not the expected one; %s" % (
            endpoint_text(now.endpoint) or "not set",
            _traffic(now, start, device),
        )
    if condition == "endpoint_changed":
        return "its endpoint is still %s; %s" % (endpoint_text(now.endpoint) or "not set", _traffic(now, start, device))
    if condition == "allowed_ips_changed":
        return "its allowed IPs are still %s" % _ips(now.allowed_ips)
    if condition == "recreated":
        return "it is still the same peer object"
    if condition == "down":
        return "its state is %s, last handshake %s" % (seen.state, handshake_text(now.last_handshake_ns) or "never")
    if condition in ("handshake", "up") and now.last_handshake_ns:
        return "its last handshake is still that of %s (state %s); %s" % (
            handshake_text(now.last_handshake_ns),
            seen.state,
            _traffic(now, start, device),
        )
    return _traffic(now, start, device)


def _traffic(now: Peer, start: Optional[Peer], device: Device) -> str:
    """What the counters say about the way between the two."""
    if is_inactive(device):
        return "the interface is down" if device.up is False else "the interface has no private key"
    sent = now.tx_bytes - (start.tx_bytes if start else 0)
    received = now.rx_bytes - (start.rx_bytes if start else 0)
    if received > 0:
        if now.last_handshake_ns:
            return "%d bytes were received from it" % received
        return (
            "%d bytes were received from it, yet no handshake completed: check both public keys and the preshared key"
            % received
        )
    if now.endpoint is None:
        return "no endpoint and nothing received: the other side must start"
    if sent >= HANDSHAKE_INITIATION and not sent % HANDSHAKE_INITIATION:
        return (
            "%d bytes sent every 5 s (%d handshake initiations) and nothing back: %s is unreachable, or one side has a "
            "wrong key" % (HANDSHAKE_INITIATION, sent // HANDSHAKE_INITIATION, endpoint_text(now.endpoint))
        )
    if sent > 0:
        return "%d bytes sent to %s and nothing back: unreachable, or one side has a wrong key" % (
            sent,
            endpoint_text(now.endpoint),
        )
    if now.persistent_keepalive:
        return "nothing sent and nothing received"
    return (
        "nothing sent and nothing received: WireGuard shakes hands only when there is something to send. Send a packet "
        "into the tunnel, or set a persistent keepalive"
    )


def glimpse(condition: str, seen: Seen, start: Optional[Peer], device: Device) -> str:
    """One unsatisfied peer in a few words, for a line while the wait goes on."""
    now = seen.now
    if now is None:
        return "not configured"
    if is_inactive(device):
        return "interface down" if device.up is False else "no private key"
    sent = now.tx_bytes - (start.tx_bytes if start else 0)
    received = now.rx_bytes - (start.rx_bytes if start else 0)
    said = ["state %s" % seen.state] if condition in ("up", "down") else []
    if sent > 0:
        said.append("tx +%d B" % sent)
    if received > 0:
        said.append("rx +%d B" % received)
    elif sent > 0:
        said.append("nothing back")
    else:
        said.append("no traffic" if now.endpoint is not None else "no endpoint and nothing received")
    return ", ".join(said)


def _ips(packed: tuple) -> str:
    return list_some([unpack_allowed_ip(ip) for ip in packed], ", ") or "none"


def list_some(parts: List[str], separator: str = "; ") -> str:
    """The first few, and how many more there are."""
    more = len(parts) - SENTENCES
    return separator.join(parts[:SENTENCES]) + (separator + "and %d more" % more if more > 0 else "")

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event types and their JSON contract (docs/events.md), schema 1."""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from ._errors import InvalidArgument
from ._model import Device, Peer, encode_key, unpack_allowed_ip
from ._record import endpoint_text, epoch_time, handshake_text, interface_record, iso_time, peer_record

SCHEMA = 1

PEER_ADDED = "peer_added"
PEER_REMOVED = "peer_removed"
PEER_ENDPOINT_CHANGED = "peer_endpoint_changed"
PEER_HANDSHAKE_REFRESHED = "peer_handshake_refreshed"
PEER_ALLOWED_IPS_CHANGED = "peer_allowed_ips_changed"
PEER_RECREATED = "peer_recreated"
PEER_KEEPALIVE_CHANGED = "peer_keepalive_changed"
PEER_PRESHARED_KEY_CHANGED = "peer_preshared_key_changed"
PEER_STATE_CHANGED = "peer_state_changed"
INTERFACE_ADDED = "interface_added"
INTERFACE_REMOVED = "interface_removed"
INTERFACE_CHANGED = "interface_changed"
WATCH_HEARTBEAT = "watch_heartbeat"
WATCH_DEGRADED = "watch_degraded"
WATCH_RECOVERED = "watch_recovered"

TYPES = (
    PEER_ADDED,
    PEER_REMOVED,
    PEER_ENDPOINT_CHANGED,
    PEER_HANDSHAKE_REFRESHED,
    PEER_ALLOWED_IPS_CHANGED,
    PEER_RECREATED,
    PEER_KEEPALIVE_CHANGED,
    PEER_PRESHARED_KEY_CHANGED,
    PEER_STATE_CHANGED,
    INTERFACE_ADDED,
    INTERFACE_REMOVED,
    INTERFACE_CHANGED,
    WATCH_HEARTBEAT,
    WATCH_DEGRADED,
    WATCH_RECOVERED,
)

Event = Dict[str, Any]  # what stands under "wireguard"


class Change(NamedTuple):
    """One changed fact, before it becomes JSON. ``previous`` and ``current`` are values of the model.

    ``peer`` is the peer as it is now, for ``peer_removed`` as it was last seen; None where the fact is of the interface
    or of the watch. ``device`` likewise; for a watch event it is a stub that names the interface, or None for all.
    ``liveness`` is the peer's state and the seconds since its handshake, filled in by whoever follows it.
    """

    type: str
    device: Optional[Device] = None
    peer: Optional[Peer] = None
    previous: Any = None
    current: Any = None
    field: Optional[str] = None
    reason: Optional[str] = None
    initial: bool = False
    liveness: Tuple[Optional[str], Optional[float]] = (None, None)


def check_types(types: Optional[Sequence[str]]) -> frozenset:
    """The types asked for, all for None. InvalidArgument names one that does not exist, and those that do."""
    if types is None:
        return frozenset(TYPES)
    if not types:
        raise InvalidArgument("types is an empty list, so no event would ever come: name some, or leave the option out")
    for kind in types:
        if kind not in TYPES:
            raise InvalidArgument("types has %r, which is no event type. There are: %s" % (kind, ", ".join(TYPES)))
    return frozenset(types)


class Encoder:
    """Turns changes into events: a fresh dict each time, JSON types only, always the same keys. Numbers them."""

    def __init__(self, host: str, names: Mapping[bytes, str]) -> None:
        self._host = host
        self._names = names
        self.sequence = 0  # of the last one

    def encode(self, change: Change, observed_ns: int, numbered: bool = True) -> Event:
        """The event of a change seen at ``observed_ns`` of the wall clock; an unnumbered one has sequence None."""
        device, peer = change.device, change.peer
        if numbered:
            self.sequence += 1
        name = self._names.get(peer.public_key) if peer is not None else None
        previous, current = _value(change, change.previous), _value(change, change.current)
        event: Event = {
            "schema": SCHEMA,
            "type": change.type,
            "initial": change.initial,
            "sequence": self.sequence if numbered else None,
            "observed_at": iso_time(observed_ns),
            "observed_at_epoch": epoch_time(observed_ns),
            "host": self._host,
            "netns": device.netns if device is not None else None,
            "interface": device.interface or None if device is not None else None,
            "ifindex": device.ifindex if device is not None else None,
            "public_key": encode_key(peer.public_key) if peer is not None else None,
            "name": name,
            "field": change.field,
            "previous": previous,
            "current": current,
            "first": None,
            "added": None,
            "removed": None,
            "reason": change.reason,
            "device": None,
            "peer": None,
        }
        if change.type == PEER_HANDSHAKE_REFRESHED:
            event["first"] = previous is None
        elif change.type == PEER_ALLOWED_IPS_CHANGED:
            before, after = set(previous), set(current)
            event["added"] = [ip for ip in current if ip not in before]
            event["removed"] = [ip for ip in previous if ip not in after]
        if peer is not None:
            event["peer"] = peer_record(peer, *change.liveness, name)
        elif change.type in _ABOUT_INTERFACES and device is not None:
            event["device"] = interface_record(device)
        return event


_ABOUT_INTERFACES = frozenset((INTERFACE_ADDED, INTERFACE_REMOVED, INTERFACE_CHANGED))


def _value(change: Change, value: Any) -> Any:
    """A previous or current value as the contract shows it."""
    if change.type == PEER_ENDPOINT_CHANGED:
        return endpoint_text(value)
    if change.type == PEER_HANDSHAKE_REFRESHED:
        return handshake_text(value)
    if change.type == PEER_ALLOWED_IPS_CHANGED:
        return [unpack_allowed_ip(packed) for packed in value]
    if change.field == "public_key" and value is not None:
        return encode_key(value)
    return value

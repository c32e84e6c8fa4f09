# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folding events onto a state: with it anybody who gets the events can keep a mirror of what they describe."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from . import _event as event_types
from ._record import Record

Place = Tuple[str, Optional[str], str]  # host, netns, interface

# What a peer's events tell, so what a mirror can know. Counters and ages move without an event.
PEER_FACTS = (
    "public_key",
    "name",
    "has_preshared_key",
    "endpoint",
    "endpoint_host",
    "endpoint_port",
    "allowed_ips",
    "persistent_keepalive",
    "last_handshake",
    "last_handshake_epoch",
    "state",
)

# The facts of a peer that an event is about. An event carries the whole peer, and only these count: the others may
# have changed too, with an event of their own still to come.
_FACTS_OF = {
    event_types.PEER_ENDPOINT_CHANGED: ("endpoint", "endpoint_host", "endpoint_port"),
    event_types.PEER_HANDSHAKE_REFRESHED: ("last_handshake", "last_handshake_epoch"),
    event_types.PEER_ALLOWED_IPS_CHANGED: ("allowed_ips",),
    event_types.PEER_RECREATED: ("last_handshake", "last_handshake_epoch"),
    event_types.PEER_KEEPALIVE_CHANGED: ("persistent_keepalive",),
    event_types.PEER_PRESHARED_KEY_CHANGED: ("has_preshared_key",),
    event_types.PEER_STATE_CHANGED: ("state",),
}


def apply(state: Dict[Place, Record], event: event_types.Event) -> Optional[Place]:
    """Applies one event (what stands under ``wireguard``) to ``state``, in place; the place it was about, if any.

    ``state`` starts empty and maps (host, netns, interface) to ``{"interface": {…}, "peers": {public key: {…}}}``, where
    a peer has the keys of ``PEER_FACTS``. Applying an event twice changes nothing more.
    """
    kind = event["type"]
    if event["interface"] is None:
        return None
    place = (event["host"], event["netns"], event["interface"])
    if kind == event_types.INTERFACE_REMOVED:
        state.pop(place, None)
    elif kind in (event_types.INTERFACE_ADDED, event_types.INTERFACE_CHANGED):
        entry = _entry(state, place)
        if kind == event_types.INTERFACE_ADDED:
            entry["interface"] = dict(event["device"])
        else:
            entry["interface"][event["field"]] = event["current"]
    elif event["public_key"] is not None:
        _apply_to_peer(_entry(state, place)["peers"], event)
    return place


def _entry(state: Dict[Place, Record], place: Place) -> Record:
    return state.setdefault(place, {"interface": {}, "peers": {}})


def _apply_to_peer(peers: Dict[str, Dict[str, Any]], event: event_types.Event) -> None:
    key, kind = event["public_key"], event["type"]
    if kind == event_types.PEER_REMOVED:
        peers.pop(key, None)
    elif kind == event_types.PEER_ADDED:
        peers[key] = {fact: event["peer"][fact] for fact in PEER_FACTS}
    elif key in peers:
        peers[key].update({fact: event["peer"][fact] for fact in _FACTS_OF[kind]})

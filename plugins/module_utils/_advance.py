# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known to who heard only the first of the changes between two snapshots. The inverse of ``_diff.py``, in part."""

from __future__ import annotations

from typing import Dict, Iterable, Optional, Tuple

from . import _event as event_types
from ._event import Change
from ._model import Device, Peer

# The fields of a peer that each type of change tells. A recreated one has new counters, which is how it was noticed.
_FIELDS: Dict[str, Tuple[str, ...]] = {
    event_types.PEER_ENDPOINT_CHANGED: ("endpoint",),
    event_types.PEER_HANDSHAKE_REFRESHED: ("last_handshake_ns",),
    event_types.PEER_ALLOWED_IPS_CHANGED: ("allowed_ips",),
    event_types.PEER_RECREATED: ("last_handshake_ns", "rx_bytes", "tx_bytes"),
    event_types.PEER_KEEPALIVE_CHANGED: ("persistent_keepalive",),
    event_types.PEER_PRESHARED_KEY_CHANGED: ("preshared_key",),
}


def advance(told: Optional[Device], changes: Iterable[Change]) -> Optional[Device]:
    """``told`` with these changes, which are the first ones that ``_diff.changes`` gives. What they say nothing of stays.

    So a diff of the result gives the changes that are left, and of a snapshot that came since the net ones.
    """
    device = told
    peers: Dict[bytes, Peer] = dict(told.peers.items()) if told is not None else {}
    for change in changes:
        if change.type == event_types.INTERFACE_ADDED:
            device = change.device
        elif change.type == event_types.INTERFACE_REMOVED:
            device = None
        elif change.type == event_types.INTERFACE_CHANGED and device is not None and change.field is not None:
            device = device._replace(**{change.field: change.current})
        elif change.peer is None:
            continue
        elif change.type == event_types.PEER_ADDED:
            peers[change.peer.public_key] = change.peer
        elif change.type == event_types.PEER_REMOVED:
            peers.pop(change.peer.public_key, None)
        else:
            fields = {field: getattr(change.peer, field) for field in _FIELDS.get(change.type, ())}
            peers[change.peer.public_key] = peers[change.peer.public_key]._replace(**fields)
    return device._replace(peers=peers) if device is not None else None

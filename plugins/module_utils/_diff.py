# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two snapshots of an interface, and what changed between them. Pure: no clock, no socket, no memory."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Iterator, List, Optional

from . import _event as event_types
from ._delta import delta
from ._event import Change
from ._model import Device, Peer, encode_key
from ._record import sorted_peers

INTERFACE_FIELDS = ("ifindex", "backend", "public_key", "listen_port", "fwmark", "up")


def diff(previous: Optional[Device], current: Optional[Device], initial: bool = False) -> List[Change]:
    """What happened to one interface between two snapshots, in the order of the event contract.

    None stands for "there is no such interface": from None everything is added, to None everything is removed. First
    the interface (added, changed), then peers added, removed and changed, each group sorted by public key, at last
    the interface's removal. ``initial`` marks an inventory.
    """
    if previous is current:
        return []
    if previous is None:
        return _all_added(current, initial) if current is not None else []
    if current is None:
        gone = [Change(event_types.PEER_REMOVED, previous, peer) for peer in sorted_peers(previous)]
        return [*gone, Change(event_types.INTERFACE_REMOVED, previous)]
    changes = list(_interface_changes(previous, current))
    found = delta(previous.peers, current.peers)
    changes += [
        Change(event_types.PEER_ADDED, current, current.peers[key]) for key in sorted(found.added, key=encode_key)
    ]
    changes += [
        Change(event_types.PEER_REMOVED, current, previous.peers[key]) for key in sorted(found.removed, key=encode_key)
    ]
    made_anew = _other(previous.ifindex, current.ifindex)
    pairs = found.changed
    if made_anew:
        pairs = [(previous.peers[key], current.peers[key]) for key in previous.peers.keys() & current.peers.keys()]
    of_peers: List[Change] = []
    for before, after in pairs:
        of_peers += peer_changes(before, after, current, made_anew)
    of_peers.sort(key=_key_text)
    return changes + of_peers


def _key_text(change: Change) -> bytes:
    """Sorts changes as the text of their peers' keys; stable, so that those of one peer keep their order."""
    return b2a_base64(change.peer.public_key) if change.peer is not None else b""


def with_states(changes: List[Change], states: List[Change]) -> List[Change]:
    """Changes of liveness put where the contract has them: each after the other changes of its peer."""
    if not states:
        return changes
    first = [change for change in changes if change.type not in _OF_ONE_PEER_CHANGED]
    of_peers = [change for change in changes if change.type in _OF_ONE_PEER_CHANGED] + states
    of_peers.sort(key=_key_text)
    return first + of_peers


_OF_ONE_PEER_CHANGED = frozenset(kind for kind in event_types.TYPES if kind.startswith("peer_")) - {
    event_types.PEER_ADDED,
    event_types.PEER_REMOVED,
}


def _all_added(device: Device, initial: bool) -> List[Change]:
    added = [Change(event_types.PEER_ADDED, device, peer, initial=initial) for peer in sorted_peers(device)]
    return [Change(event_types.INTERFACE_ADDED, device, initial=initial), *added]


def peer_changes(before: Peer, after: Peer, device: Device, made_anew: bool = False) -> List[Change]:
    """What changed of one peer. ``made_anew``: the interface under it is another one than before."""
    changes: List[Change] = []
    old, new = before.last_handshake_ns, after.last_handshake_ns
    made_anew = made_anew or is_new_object(before, after)
    if before[:5] == after[:5]:
        # The usual case, of thousands at each poll of a busy hub: packets and handshakes. The rest is the same in full.
        if new and new != old:
            changes.append(Change(event_types.PEER_HANDSHAKE_REFRESHED, device, after, old, new))
        if made_anew:
            changes.append(Change(event_types.PEER_RECREATED, device, after))
        return changes
    if before.endpoint != after.endpoint:
        changes.append(Change(event_types.PEER_ENDPOINT_CHANGED, device, after, before.endpoint, after.endpoint))
    # Another time, not a later one: a clock that was set back makes true handshakes smaller.
    if new and new != old:
        changes.append(Change(event_types.PEER_HANDSHAKE_REFRESHED, device, after, old, new))
    if before.allowed_ips != after.allowed_ips:
        kind = event_types.PEER_ALLOWED_IPS_CHANGED
        changes.append(Change(kind, device, after, before.allowed_ips, after.allowed_ips))
    if made_anew:
        changes.append(Change(event_types.PEER_RECREATED, device, after))
    if before.persistent_keepalive != after.persistent_keepalive:
        kind = event_types.PEER_KEEPALIVE_CHANGED
        changes.append(Change(kind, device, after, before.persistent_keepalive, after.persistent_keepalive))
    if _other_secret(before.preshared_key, after.preshared_key):
        is_set = (before.preshared_key is not None, after.preshared_key is not None)
        changes.append(Change(event_types.PEER_PRESHARED_KEY_CHANGED, device, after, *is_set))
    return changes


def is_new_object(before: Peer, after: Peer) -> bool:
    """The same key, removed and put back: only then does a handshake vanish or a counter go back."""
    return (
        (before.last_handshake_ns != 0 and after.last_handshake_ns == 0)
        or after.rx_bytes < before.rx_bytes
        or after.tx_bytes < before.tx_bytes
    )


def _interface_changes(previous: Device, current: Device) -> Iterator[Change]:
    for field in INTERFACE_FIELDS:
        before, after = getattr(previous, field), getattr(current, field)
        if before != after:
            yield Change(event_types.INTERFACE_CHANGED, current, previous=before, current=after, field=field)


def _other(before: Optional[int], after: Optional[int]) -> bool:
    return before is not None and after is not None and before != after


def _other_secret(before: Optional[bytes], after: Optional[bytes]) -> bool:
    if (before is None) != (after is None):
        return True
    # An empty one is of an earlier process, whose hashes nobody can compare.
    return bool(before and after) and before != after

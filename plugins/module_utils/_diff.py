# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two snapshots of an interface, and what changed between them. Pure: no clock, no socket, no memory."""

from __future__ import annotations

from binascii import b2a_base64
from functools import partial
from itertools import chain, compress, repeat
from operator import itemgetter, ne
from typing import Any, Iterable, Iterator, List, Optional, Sequence

from . import _event as event_types
from ._delta import Delta, delta
from ._event import Change
from ._model import Device, Peer, sort_by_key
from ._pick import pick
from ._record import sorted_peers

INTERFACE_FIELDS = ("ifindex", "backend", "public_key", "listen_port", "fwmark", "up")


def diff(previous: Optional[Device], current: Optional[Device], initial: bool = False) -> List[Change]:
    """What happened to one interface between two snapshots, in the order of the event contract.

    None stands for "there is no such interface": from None everything is added, to None everything is removed. First
    the interface (added, changed), then peers added, removed and changed, each group sorted by public key, at last
    the interface's removal. ``initial`` marks an inventory.
    """
    return list(changes(previous, current, initial))


def changes(previous: Optional[Device], current: Optional[Device], initial: bool = False) -> Iterator[Change]:
    """What ``diff`` lists, each made when it is its turn: of 50,000 peers that came, no list of changes is ever held."""
    if previous is current:
        return iter(())
    if previous is None:
        added = [Change(event_types.INTERFACE_ADDED, current, initial=initial)]
        return (
            chain(added, _all(event_types.PEER_ADDED, current, sorted_peers(current), initial)) if current else iter(())
        )
    if current is None:
        removed = [Change(event_types.INTERFACE_REMOVED, previous)]
        return chain(_all(event_types.PEER_REMOVED, previous, sorted_peers(previous)), removed)
    found = delta(previous.peers, current.peers)
    stayed = _of_those_that_stayed(previous, current, found)
    if not found.added and not found.removed and previous[:-1] == current[:-1]:
        return iter(stayed)
    return chain(
        _interface_changes(previous, current),
        _all(event_types.PEER_ADDED, current, sort_by_key([current.peers[key] for key in found.added])),
        _all(event_types.PEER_REMOVED, current, sort_by_key([previous.peers[key] for key in found.removed])),
        stayed,
    )


def _all(kind: str, device: Device, peers: Sequence[Peer], initial: bool = False) -> Iterator[Change]:
    for peer in peers:
        yield Change(kind, device, peer, initial=initial)


def _of_those_that_stayed(previous: Device, current: Device, found: Delta) -> Iterable[Change]:
    if _other(previous.ifindex, current.ifindex):
        # Each is another than before, the same object or not.
        stayed = sort_by_key([peer for key, peer in current.peers.items() if key in previous.peers])
        return chain.from_iterable(
            peer_changes(previous.peers[peer[0]], peer, current, made_anew=True) for peer in stayed
        )
    told = found.kinds & _KINDS_TOLD
    if len(told) > 1 or not found.kinds <= _USUAL or found.fell:
        return _of_any_type(found, current)
    # Most often that is all, and on a busy hub of hundreds of peers.
    if not told:
        return ()
    (kind,) = told
    return _of_one_type(kind, found, current)


_TOLD = {
    "endpoint": (event_types.PEER_ENDPOINT_CHANGED, itemgetter(Peer._fields.index("endpoint"))),
    "last_handshake_ns": (event_types.PEER_HANDSHAKE_REFRESHED, itemgetter(Peer._fields.index("last_handshake_ns"))),
}
_KINDS_TOLD = frozenset(_TOLD)
_USUAL = _KINDS_TOLD | {"rx_bytes", "tx_bytes"}


def _of_one_type(kind: str, found: Delta, device: Device) -> Iterable[Change]:
    event_type, value = _TOLD[kind]
    before, after = list(map(value, found.before)), list(map(value, found.after))
    if len(found.kinds) > 1:
        differs = list(map(ne, before, after))
        if not all(differs):
            found, before, after = found.those(differs), list(compress(before, differs)), list(compress(after, differs))
    made = partial(_made, event_type, device, found.after, before, after)
    order = found.in_order()
    # What is picked together out of the memory of thousands is used while it is in the caches.
    return chain.from_iterable(map(made, [order[at : at + AT_ONCE] for at in range(0, len(order), AT_ONCE)]))


def _made(
    kind: str, device: Device, peers: Sequence[Peer], before: Sequence[Any], after: Sequence[Any], order: Sequence[int]
) -> Iterator[Change]:
    """A change of each of those peers, from what its value was and is."""
    picked = pick(order)
    facts = (repeat(kind), repeat(device), picked(peers), picked(before), picked(after))
    rows = zip(*facts, repeat(None), repeat(None), repeat(False), repeat(_NOT_KNOWN))
    return map(tuple.__new__, repeat(Change), rows)


def _of_any_type(found: Delta, device: Device) -> Iterator[Change]:
    # Most have counters alone that rose, which is nothing to tell.
    pairs = zip(found.before, found.after)
    found = found.those([old[:6] != now[:6] or now[6] < old[6] or now[7] < old[7] for old, now in pairs])
    for number in found.in_order():
        yield from peer_changes(found.before[number], found.after[number], device)


AT_ONCE = 1024  # changes that are made together
_NOT_KNOWN = Change._field_defaults["liveness"]
_change = partial(tuple.__new__, Change)  # half the time of Change(...), which is a function in Python


def with_states(changes: Iterable[Change], states: List[Change]) -> Iterable[Change]:
    """Changes of liveness put where the contract has them: each after the other changes of its peer."""
    if not states:
        return changes
    first: List[Change] = []
    of_peers: List[Change] = []
    for change in changes:
        (of_peers if change.type in _OF_ONE_PEER_CHANGED else first).append(change)
    of_peers += states
    of_peers.sort(key=_key_text)
    return first + of_peers


def _key_text(change: Change) -> bytes:
    return b2a_base64(change.peer.public_key) if change.peer is not None else b""


_OF_ONE_PEER_CHANGED = frozenset(kind for kind in event_types.TYPES if kind.startswith("peer_")) - {
    event_types.PEER_ADDED,
    event_types.PEER_REMOVED,
}


def peer_changes(before: Peer, after: Peer, device: Device, made_anew: bool = False) -> List[Change]:
    """What changed of one peer. ``made_anew``: the interface under it is another one than before."""
    found: List[Change] = []

    def add(kind: str, previous: Any = None, current: Any = None) -> None:
        found.append(_change((kind, device, after, previous, current, None, None, False, _NOT_KNOWN)))

    if before.endpoint != after.endpoint:
        add(event_types.PEER_ENDPOINT_CHANGED, before.endpoint, after.endpoint)
    # Another time, not a later one: a clock that was set back makes true handshakes smaller.
    if after.last_handshake_ns and after.last_handshake_ns != before.last_handshake_ns:
        add(event_types.PEER_HANDSHAKE_REFRESHED, before.last_handshake_ns, after.last_handshake_ns)
    if before.allowed_ips != after.allowed_ips:
        add(event_types.PEER_ALLOWED_IPS_CHANGED, before.allowed_ips, after.allowed_ips)
    if made_anew or is_new_object(before, after):
        add(event_types.PEER_RECREATED)
    if before.persistent_keepalive != after.persistent_keepalive:
        add(event_types.PEER_KEEPALIVE_CHANGED, before.persistent_keepalive, after.persistent_keepalive)
    if _other_secret(before.preshared_key, after.preshared_key):
        add(event_types.PEER_PRESHARED_KEY_CHANGED, before.preshared_key is not None, after.preshared_key is not None)
    return found


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

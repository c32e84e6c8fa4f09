# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One wait in slices, run by one process after the other on one host: what each remembers for the next, as text.

The action plugin of wg_peer_watch carries that text from slice to slice and never looks into it. It holds what results
show, and moments of the host's monotonic clock, which all processes of one boot share. It holds no secret: of a preshared
key it says that one is set.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from ._errors import InvalidArgument
from ._model import (
    Device,
    Peer,
    decode_key,
    encode_key,
    pack_endpoint,
    parse_allowed_ip,
    unpack_allowed_ip,
    unpack_endpoint,
)
from ._tracker import Track

VERSION = 1  # of the text; both ends come with one collection, so another one is no wait's of ours
ENTRY = "_slice"  # the entry of ``baseline`` that asks for a slice, and the key of a result that is not the last
BOOT_ID = "/proc/sys/kernel/random/boot_id"

Row = List[Any]


class Slice(NamedTuple):
    """What is asked of one slice. Times are seconds."""

    seconds: float  # it ends before a sleep that would lead beyond; with 0 after the first look
    elapsed: float = 0.0  # since the wait began, as the caller counts: with lost connections, and through a reboot
    state: Optional[str] = None  # what the slice before gave; None begins


class Memory(NamedTuple):
    """What a wait knows between two looks. Moments are monotonic nanoseconds."""

    started: int
    due: int  # when to look next
    polls: int
    sequence: int  # of the last event
    seen_interface: bool
    baseline: Optional[Device]
    previous: Optional[Device]
    device: Optional[Device]
    first: Dict[bytes, Peer]
    start: Dict[bytes, Peer]
    removed: Set[bytes]
    recreated: Set[bytes]
    gone_for: Dict[bytes, int]
    tracked: Optional[Device]
    tracked_at: int
    tracks: Dict[bytes, Track]


def asked_for(records: Optional[List[Dict[str, Any]]]) -> Tuple[Optional[List[Dict[str, Any]]], Optional[Slice]]:
    """The option ``baseline`` as the user gave it, and the slice that the action plugin put behind it."""
    if not records or list(records[-1]) != [ENTRY]:
        return records, None
    asked = records[-1][ENTRY]
    try:
        part = Slice(float(asked["seconds"]), float(asked["elapsed"]), asked["state"])
    except (KeyError, TypeError, ValueError):
        raise _not_ours() from None
    return records[:-1] or None, part


def boot_id() -> str:
    """What tells one boot of this host from another; empty where that is not known."""
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def pack(memory: Memory, boot: str) -> str:
    """The text of a memory. Of peers that are the same in several places, as nearly all are, it has one row."""
    peers: Dict[Peer, int] = {}

    def index(peer: Peer) -> int:
        if peer.preshared_key:
            peer = peer._replace(preshared_key=b"")  # its hash means nothing to another process
        return peers.setdefault(peer, len(peers))

    def indices(of: Iterable[Peer]) -> List[int]:
        return [index(peer) for peer in of]

    def device(one: Optional[Device]) -> Optional[Row]:
        if one is None:
            return None
        own_key = encode_key(one.public_key) if one.public_key is not None else None
        fields = one._replace(public_key=None, peers={})
        return [*fields[:-1], own_key, indices(one.peers.values())]

    found = {
        "version": VERSION,
        "boot": boot,
        "times": [memory.started, memory.due, memory.tracked_at],
        "counts": [memory.polls, memory.sequence],
        "seen_interface": memory.seen_interface,
        "devices": [device(one) for one in (memory.baseline, memory.previous, memory.device, memory.tracked)],
        "first": indices(memory.first.values()),
        "start": indices(memory.start.values()),
        "removed": [encode_key(key) for key in sorted(memory.removed)],
        "recreated": [encode_key(key) for key in sorted(memory.recreated)],
        "gone_for": {encode_key(key): count for key, count in memory.gone_for.items() if count},
        "tracks": {encode_key(key): track for key, track in memory.tracks.items()},
    }
    found["peers"] = [_peer_row(peer) for peer in peers]
    return json.dumps(found, separators=(",", ":"))


def unpack(text: str, boot: str, now: int) -> Memory:
    """The memory that a text holds; InvalidArgument where it is none.

    ``now`` is the monotonic clock, which begins anew with the host: moments of before a reboot are forgotten.
    """
    try:
        found = json.loads(text)
        if found["version"] != VERSION:
            raise ValueError
        return _memory(found, boot, now)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise _not_ours() from None


def _memory(found: Dict[str, Any], boot: str, now: int) -> Memory:
    peers = [_peer(row) for row in found["peers"]]

    def by_key(indices: List[int]) -> Dict[bytes, Peer]:
        return {peers[index].public_key: peers[index] for index in indices}

    def device(row: Optional[Row]) -> Optional[Device]:
        if row is None:
            return None
        *fields, own_key, indices = row
        known = decode_key(own_key) if own_key else None
        return Device(*fields)._replace(public_key=known, peers=by_key(indices))

    baseline, previous, current, tracked = (device(row) for row in found["devices"])
    if previous == current:
        previous = current
    tracks = {decode_key(key): track for key, track in found["tracks"].items()}
    if tracks.keys() != (tracked.peers.keys() if tracked is not None else set()):
        raise ValueError
    same_boot = bool(boot) and boot == found["boot"]
    started, due, tracked_at = found["times"] if same_boot else (now, now, now)
    polls, sequence = found["counts"]
    return Memory(
        started=started,
        due=due,
        polls=polls,
        sequence=sequence,
        seen_interface=found["seen_interface"],
        baseline=baseline,
        previous=previous,
        device=current,
        first=by_key(found["first"]),
        start=by_key(found["start"]),
        removed={decode_key(key) for key in found["removed"]},
        recreated={decode_key(key) for key in found["recreated"]},
        gone_for={decode_key(key): int(count) for key, count in found["gone_for"].items()},
        tracked=tracked if same_boot else None,
        tracked_at=tracked_at,
        tracks=tracks if same_boot else {},
    )


def _peer_row(peer: Peer) -> Row:
    return [
        encode_key(peer.public_key),
        peer.preshared_key is not None,
        list(unpack_endpoint(peer.endpoint)) if peer.endpoint else None,
        [unpack_allowed_ip(packed) for packed in peer.allowed_ips],
        *peer[4:],
    ]


def _peer(row: Row) -> Peer:
    key, preshared, endpoint, allowed_ips, *numbers = row
    packed = tuple(sorted(parse_allowed_ip(text) for text in allowed_ips))
    return Peer(
        decode_key(key),
        b"" if preshared else None,
        pack_endpoint(*endpoint) if endpoint else None,
        packed,
        *map(int, numbers),
    )


def _not_ours() -> InvalidArgument:
    return InvalidArgument(
        "baseline ends in a slice of a wait that this version of the collection did not begin: begin the wait anew"
    )

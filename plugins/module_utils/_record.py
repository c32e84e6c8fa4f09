# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Device and Peer look as JSON: in module results, in events, in the state file."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Mapping, Optional

from ._model import (
    SECOND,
    Device,
    Peer,
    encode_key,
    sort_by_key,
    unpack_allowed_ip,
    unpack_endpoint,
)

Record = Dict[str, Any]


def iso_time(nanoseconds: int) -> str:
    """``2026-11-23T12:00:00.123456Z``"""
    seconds, rest = divmod(nanoseconds, SECOND)
    return "%s.%06dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)), rest // 1000)


def epoch_time(nanoseconds: int) -> float:
    """Seconds since the epoch, as exact as the ISO form: microseconds."""
    return nanoseconds // 1000 / 1_000_000


def handshake_text(nanoseconds: int) -> Optional[str]:
    return iso_time(nanoseconds) if nanoseconds else None


def endpoint_text(packed: Optional[bytes]) -> Optional[str]:
    return None if packed is None else str(unpack_endpoint(packed))


def wall_age(peer: Peer, now_ns: int) -> Optional[float]:
    """Seconds since the last handshake by the wall clock, None for never; never below 0, whatever the clock did."""
    if not peer.last_handshake_ns:
        return None
    return max(0, now_ns - peer.last_handshake_ns) / SECOND


def peer_record(peer: Peer, state: Optional[str], age: Optional[float], name: Optional[str]) -> Record:
    """A peer in JSON types. ``age`` is seconds since the handshake; ``state`` is its liveness, None if not judged."""
    endpoint = None if peer.endpoint is None else unpack_endpoint(peer.endpoint)
    return {
        "public_key": encode_key(peer.public_key),
        "name": name,
        "has_preshared_key": peer.preshared_key is not None,
        "endpoint": None if endpoint is None else str(endpoint),
        "endpoint_host": None if endpoint is None else endpoint.host,
        "endpoint_port": None if endpoint is None else endpoint.port,
        "allowed_ips": [unpack_allowed_ip(packed) for packed in peer.allowed_ips],
        "persistent_keepalive": peer.persistent_keepalive,
        "last_handshake": handshake_text(peer.last_handshake_ns),
        "last_handshake_epoch": epoch_time(peer.last_handshake_ns) if peer.last_handshake_ns else None,
        "last_handshake_age": None if age is None else round(age, 3),
        "rx_bytes": peer.rx_bytes,
        "tx_bytes": peer.tx_bytes,
        "state": state,
    }


def interface_record(device: Device) -> Record:
    """A device in JSON types, without its peers."""
    return {
        "interface": device.interface,
        "ifindex": device.ifindex,
        "netns": device.netns,
        "backend": device.backend,
        "public_key": encode_key(device.public_key) if device.public_key is not None else None,
        "listen_port": device.listen_port,
        "fwmark": device.fwmark,
        "up": device.up,
    }


def device_record(
    device: Device,
    now_ns: int,
    state_of: Callable[[Device, Peer, int], str],
    names: Mapping[bytes, str],
    only: Optional[frozenset] = None,
) -> Record:
    """A device with its peers, sorted by public key; ``only`` keeps the peers of these keys."""
    record = interface_record(device)
    record["peers"] = [
        peer_record(peer, state_of(device, peer, now_ns), wall_age(peer, now_ns), names.get(peer.public_key))
        for peer in sorted_peers(device)
        if only is None or peer.public_key in only
    ]
    return record


def sorted_peers(device: Device) -> list:
    return sort_by_key(list(device.peers.values()))

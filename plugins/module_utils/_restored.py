# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back from JSON: a Device from its record, of an earlier result or of a state file."""

from __future__ import annotations

from ._model import Device, Peer, decode_key, pack_endpoint, parse_allowed_ip
from ._record import Record


def device_from_record(record: Record) -> Device:
    """The Device that a record shows, as far as it shows it (a set preshared key stays unknown, missing counters are 0).

    Used to compare with an earlier result (``baseline``) or a state file. Raises ValueError, KeyError or TypeError where
    the record is not one of ours.
    """
    own_key = record.get("public_key")
    peers = [peer_from_record(peer) for peer in record["peers"]]
    return Device(
        interface=str(record["interface"]),
        netns=record.get("netns"),
        backend=str(record["backend"]),
        ifindex=record.get("ifindex"),
        public_key=decode_key(own_key) if own_key else None,
        has_private_key=True if own_key else None,
        listen_port=int(record["listen_port"]),
        fwmark=int(record["fwmark"]),
        up=record.get("up"),
        peers={peer.public_key: peer for peer in peers},
    )


def peer_from_record(record: Record) -> Peer:
    epoch = record["last_handshake_epoch"]
    return Peer(
        public_key=decode_key(record["public_key"]),
        preshared_key=b"" if record["has_preshared_key"] else None,
        endpoint=pack_endpoint(record["endpoint_host"], int(record["endpoint_port"])) if record["endpoint"] else None,
        allowed_ips=tuple(sorted(parse_allowed_ip(text) for text in record["allowed_ips"])),
        persistent_keepalive=int(record["persistent_keepalive"]),
        last_handshake_ns=round(float(epoch) * 1_000_000) * 1000 if epoch is not None else 0,
        rx_bytes=int(record.get("rx_bytes") or 0),
        tx_bytes=int(record.get("tx_bytes") or 0),
    )

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes for the tests of the report: what wg_device_info returns on each of their hosts, made of plain values."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)

Results = dict[str, dict[str, Any]]


def key(host: str) -> str:
    """A public key that belongs to nobody."""
    return base64.b64encode(hashlib.sha256(host.encode()).digest()).decode()


def peer(host: str, number: int, state: str = "up", age: float | None = 60.0, **fields: Any) -> dict[str, Any]:
    """The host as a peer; `number` makes its addresses."""
    high, low = divmod(number, 250)
    shaken = None if age is None else NOW - timedelta(seconds=age)
    return {
        "public_key": key(host),
        "name": None,
        "has_preshared_key": True,
        "endpoint": f"192.0.2.{low + 1}:{51820 + high}",
        "endpoint_host": f"192.0.2.{low + 1}",
        "endpoint_port": 51820 + high,
        "allowed_ips": [f"10.0.{high}.{low + 1}/32"],
        "persistent_keepalive": 25,
        "last_handshake": shaken and shaken.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "last_handshake_epoch": shaken and shaken.timestamp(),
        "last_handshake_age": age,
        "rx_bytes": 0 if age is None else 92,
        "tx_bytes": 148,
        "state": state,
        **fields,
    }


def device(host: str, peers: Iterable[dict[str, Any]], interface: str = "wg0") -> dict[str, Any]:
    return {
        "interface": interface,
        "ifindex": 7,
        "netns": None,
        "backend": "kernel",
        "public_key": key(host),
        "listen_port": 51820,
        "fwmark": 0,
        "up": True,
        "peers": sorted(peers, key=lambda one: one["public_key"]),
    }


def host(name: str, *peers: dict[str, Any], interface: str = "wg0") -> dict[str, Any]:
    return {"changed": False, "devices": [device(name, peers, interface)]}


def small(**changes: Mapping[str, Any]) -> Results:
    """A hub that lost its east, and a west that does not hear it. `changes` are hosts to put in place of these."""
    return {
        "hub": host(
            "hub",
            peer("west", 2, age=38.2, rx_bytes=734003, tx_bytes=1288490),
            peer("laptop", 9, "never", None, endpoint=None),
        ),
        "east": host("east", peer("hub", 0, age=112.0, rx_bytes=48213, tx_bytes=51044, allowed_ips=["10.0.0.0/16"])),
        "west": host(
            "west", peer("hub", 0, "down", 1911.0, rx_bytes=2211, tx_bytes=90112, allowed_ips=["10.0.0.0/16"])
        ),
        **changes,
    }


def large(hosts: int = 300, hubs: int = 3) -> Results:
    """Hubs that have all others as peers, among which some things are wrong; one host can't be read. The same at each call."""
    chance = random.Random(20261125)
    names = [f"gw{number:03}" for number in range(hosts)]
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number, name in enumerate(names):
        for hub in range(min(hubs, number)):
            state, age = chance.choices(
                [
                    ("up", chance.uniform(1, 130)),
                    ("idle", chance.uniform(200, 90000)),
                    ("down", chance.uniform(300, 9000)),
                    ("never", None),
                ],
                [90, 6, 2, 1],
            )[0]
            traffic = {"rx_bytes": chance.randrange(1 << 34), "tx_bytes": chance.randrange(1 << 34)} if age else {}
            if chance.random() > 0.004:
                seen[name].append(peer(names[hub], hub, state, age, **traffic))
            seen[names[hub]].append(
                peer(name, number, "up" if age and chance.random() > 0.5 else state, age, **traffic)
            )
    results: Results = {name: host(name, *peers) for name, peers in seen.items()}
    results[names[77]] = {"unreachable": True, "msg": "Failed to connect to the host via ssh: No route to host"}
    return results


def full(hosts: int = 300) -> Results:
    """Everybody has everybody as a peer: the most links there are."""
    chance = random.Random(20261125)
    names = [f"gw{number:03}" for number in range(hosts)]
    states = [("up", 90.0), ("down", 4000.0), ("idle", 4000.0), ("never", None)]

    def sees(number: int, name: str) -> dict[str, Any]:
        state, age = chance.choices(states, [95, 2, 2, 1])[0]
        return peer(name, number, state, age, rx_bytes=chance.randrange(1 << 34), tx_bytes=chance.randrange(1 << 34))

    return {own: host(own, *(sees(number, name) for number, name in enumerate(names) if name != own)) for own in names}

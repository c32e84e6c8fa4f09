# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of a mesh see of each other: a link for each direction, in the order of trouble."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

MISSING = "missing"  # the other side is not a peer here
UNREAD = "unread"  # the host could not be read
# States, the worst first.
SEVERITY = (UNREAD, MISSING, "down", "never", "inactive", "half_open", "unresponsive", "idle", "up")


class Link(NamedTuple):
    """What one interface sees of another one, or, without a peer, that a host could not be read."""

    host: str
    interface: Optional[str]
    peer_host: Optional[str]
    peer_interface: Optional[str]
    state: str  # one of SEVERITY
    problem: Optional[str]  # of the pair, None where all is well
    endpoint: Optional[str] = None
    allowed_ips: Tuple[str, ...] = ()
    handshake: Optional[str] = None  # ISO 8601, UTC
    age: Optional[float] = None  # seconds since then
    rx_bytes: Optional[int] = None
    tx_bytes: Optional[int] = None
    keepalive: Optional[int] = None  # seconds, 0 = off

    @property
    def trouble(self) -> Tuple:
        """Sorts the worst first: what is wrong before what is fine, then by state as seen here, then the longest silence."""
        return (
            self.problem is None,
            rank(self.state),
            -(self.age or 0),
            natural(self.host),
            natural(self.peer_host or ""),
            self.interface or "",
            self.peer_interface or "",
        )


def links_of(results: Mapping[str, Any], pairs: Sequence[Mapping[str, Any]]) -> List[Link]:
    """Both directions of each pair, the worst first.

    `results` is what wg_device_info returned, by host; `pairs` is what the filter mesh_pairs made of it.
    """
    devices = {
        (host, device["interface"]): device
        for host, result in results.items()
        for device in (result.get("devices") or ())
    }
    peers = {place: {peer["public_key"]: peer for peer in device["peers"]} for place, device in devices.items()}

    def seen(place: Tuple, other: Tuple) -> Dict[str, Any]:
        key = devices[other]["public_key"] if other in devices else None
        peer = peers.get(place, {}).get(key)
        if peer is None:
            return {}
        return {
            "endpoint": peer["endpoint"],
            "allowed_ips": tuple(peer["allowed_ips"]),
            "handshake": peer["last_handshake"],
            "age": peer["last_handshake_age"],
            "rx_bytes": peer["rx_bytes"],
            "tx_bytes": peer["tx_bytes"],
            "keepalive": peer["persistent_keepalive"],
        }

    def both(row: Mapping[str, Any]) -> Iterator[Link]:
        problem = row["problem"]
        if row["peer_host"] is None:
            yield Link(row["host"], None, None, None, UNREAD, problem)
            return
        here, there = (row["host"], row["interface"]), (row["peer_host"], row["peer_interface"])
        yield Link(*here, *there, row["state"] or MISSING, problem, **seen(here, there))
        yield Link(*there, *here, row["peer_state"] or MISSING, problem, **seen(there, here))

    return sorted((link for row in pairs for link in both(row)), key=lambda link: link.trouble)


def hosts_of(results: Mapping[str, Any], links: Sequence[Link]) -> List[str]:
    """All hosts: those that could not be read, then those with the most in trouble, then by name."""
    troubled: Dict[str, int] = dict.fromkeys(results, 0)
    for link in links:
        if link.problem is not None:
            # What can't be read is worse than any number of tunnels.
            troubled[link.host] += len(links) + 1 if link.state == UNREAD else 1
    return sorted(troubled, key=lambda host: (-troubled[host], natural(host)))


def rank(state: str) -> int:
    """0 for the worst."""
    return SEVERITY.index(state)


def natural(name: str) -> Tuple:
    """Sorts gw2 before gw10."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name))

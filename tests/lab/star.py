# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that most tests and the demo use: a hub and its spokes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .network import Host, Network
from .wireguard import Interface, connect


@dataclass(frozen=True)
class Star:
    """A hub that waits for spokes, each host with one WireGuard interface. `spokes` is by host name."""

    network: Network
    hub: Interface
    spokes: dict[str, Interface]
    preshared_keys: dict[str, str] = field(repr=False)  # by spoke

    def host(self, name: str) -> Host:
        return self.network.hosts[name]

    def shake_hands(self, *names: str) -> None:
        """Let these spokes (all, when none is named) ping the hub through the tunnel until it answers."""
        for name in names or self.spokes:
            self.host(name).ping_until_answered(self.hub.tunnel_address)


def star(
    network: Network,
    spokes: Sequence[str] = ("east", "west"),
    *,
    keepalive: int = 0,
    preshared: bool = True,
    joined: bool = True,
) -> Star:
    """Build hub and spokes; nobody has sent a packet yet. With `joined=False` no peers are configured.

    Underlay 192.0.2.1 for the hub and up from .11 for spokes; 10.9.0.0/24 in the tunnel, with the same last number.
    """
    hub = network.host("hub", "192.0.2.1").wireguard("10.9.0.1/24", listen_port=51820)
    interfaces: dict[str, Interface] = {}
    preshared_keys: dict[str, str] = {}
    for number, name in enumerate(spokes, start=11):
        interfaces[name] = network.host(name, f"192.0.2.{number}").wireguard(f"10.9.0.{number}/24", listen_port=51820)
        if joined:
            preshared_key = connect(interfaces[name], hub, keepalive=keepalive, preshared=preshared)
            if preshared_key is not None:
                preshared_keys[name] = preshared_key
    return Star(network=network, hub=hub, spokes=interfaces, preshared_keys=preshared_keys)

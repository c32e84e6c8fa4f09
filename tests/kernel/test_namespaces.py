# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several namespaces and the host watched by one source, with the kernel's WireGuard in some and wireguard-go in others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from integration.following import dump, mirrored
from integration.source import Source
from lab import Interface, Network, connect, wait_for

OWN = "/proc/self/ns/net"  # the namespace that the source itself runs in
PATIENCE = 180.0  # seconds; under emulation all takes twenty times as long


def test_both_backends_in_several_namespaces_are_watched_at_once(
    network: Network, import_folder: Path, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """Both ends of each tunnel are watched, and one of the two ends is the kernel's."""
    hub = network.host("hub", "192.0.2.1").wireguard("10.9.0.1/24", listen_port=51820)
    east = network.host("east", "192.0.2.11").wireguard("10.9.0.11/24", listen_port=51820, backend="userspace")
    west = network.host("west", "192.0.2.12").wireguard("10.9.0.12/24", listen_port=51820)
    also = hub.host.wireguard("10.9.1.1/24", name="also", backend="userspace")  # both kinds in one namespace
    also.set_peer(west.public_key, allowed_ips=["10.9.1.12/32"])
    connect(east, hub)
    connect(west, hub)
    later = f"ww-{network.run_id}-later"
    places: dict[Interface, str] = {hub: OWN, also: OWN, east: east.host.namespace, west: west.host.namespace}
    namespaces = list(dict.fromkeys(places.values()))
    arguments = {"interfaces": [f"ww{network.run_id}*"], "netns": [*namespaces, later], "interval": 0.2}
    with Source(import_folder, arguments, tmp_path, hub.host, PATIENCE) as source:

        def true_everywhere() -> bool:
            mirror = source.mirror
            return all(
                dump(interface) == mirrored(mirror, interface.name, netns) != {} for interface, netns in places.items()
            )

        wait_for(true_everywhere, PATIENCE, "the inventory of all namespaces")
        backends = {event["interface"]: event["device"]["backend"] for event in source.events if event["device"]}
        assert backends == {
            hub.name: "kernel",
            also.name: "userspace",
            east.name: "userspace",
            west.name: "kernel",
        }
        east.host.ping_until_answered("10.9.0.1", PATIENCE)
        west.host.ping_until_answered("10.9.0.1", PATIENCE)
        wait_for(true_everywhere, PATIENCE, "the handshakes at both ends")
        for interface in (hub, east, west):
            source.wait_for("peer_handshake_refreshed", interface=interface.name, netns=places[interface])

        # One that was not there comes, with the kernel's WireGuard in it.
        there = network.host("later", "192.0.2.99").wireguard("10.9.0.99/24")
        source.wait_for("interface_added", netns=later, interface=there.name)
        connect(there, hub)
        places[there] = later
        there.host.ping_until_answered("10.9.0.1", PATIENCE)
        wait_for(true_everywhere, PATIENCE, "the truth with one namespace more")

        # What goes in one namespace goes there alone.
        also.remove()
        west.remove()
        for interface in (also, west):
            source.wait_for("interface_removed", interface=interface.name, netns=places.pop(interface))
        wait_for(true_everywhere, PATIENCE, "the truth about those that are left")
    gone = [event["interface"] for event in source.events if event["type"] == "interface_removed"]
    assert sorted(gone) == sorted([also.name, west.name])
    figure(
        f"kernel and wireguard-go in 4 namespaces watched by one source: {len(source.events)} events; mirror = wg show"
    )

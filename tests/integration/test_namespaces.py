# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One source for several namespaces and the host: those that are there, those that come and go, and none that looking makes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from integration.following import dump, mirrored
from integration.source import Source
from lab import Interface, Network, star, wait_for, write_inventory
from lab.commands import tool
from lab.network import NETNS_FOLDER
from lab.player import Player

OWN = "/proc/self/ns/net"  # the namespace that the source itself runs in, by a path: what the user calls the host


def namespaces(network: Network) -> set[str]:
    """Those of this network; other tests may run beside this one."""
    return {path.name for path in NETNS_FOLDER.iterdir() if network.run_id in path.name}


def test_several_namespaces_and_the_host_are_watched_at_once(
    network: Network, import_folder: Path, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    net = star(network, ["east", "west"])
    later = f"ww-{network.run_id}-later"
    before = namespaces(network)
    places: dict[str | None, Interface] = {
        OWN: net.hub,
        net.spokes["east"].host.namespace: net.spokes["east"],
        net.spokes["west"].host.namespace: net.spokes["west"],
    }
    arguments = {"interfaces": [f"ww{network.run_id}*"], "netns": [*places, later], "interval": 0.1}
    with Source(import_folder, arguments, tmp_path, net.hub.host) as source:

        def is_true(netns: str | None) -> bool:
            told = mirrored(source.mirror, places[netns].name, netns)
            return bool(told) and told == dump(places[netns])

        for place in places:
            wait_for(lambda place=place: is_true(place), 20, f"the inventory of {place}")
        missing = source.wait_for("watch_degraded")
        assert missing["netns"] == later
        assert f"There is no network namespace {later}" in missing["reason"]
        assert namespaces(network) == before, "looking made a namespace"

        # In all three at once: each handshake is seen from both ends.
        net.shake_hands()
        for place in places:
            wait_for(lambda place=place: is_true(place), 20, f"the handshakes in {place}")

        # The one that was missing comes, and an interface in it, and all of that by itself.
        host = network.host("later", "192.0.2.99")
        recovered = source.wait_for("watch_recovered")
        assert recovered["netns"] == later
        places[later] = host.wireguard("10.9.0.99/24")
        source.wait_for("interface_added", netns=later)
        places[later].set_peer(net.hub.public_key, allowed_ips=["10.9.0.1/32"])
        wait_for(lambda: is_true(later), 20, "the peers of the namespace that came later")

        # It goes, and so does what was in it. The others are as they were.
        places[later].remove()
        gone = source.wait_for("interface_removed", netns=later)
        assert gone["interface"] == places.pop(later).name
        subprocess.run([tool("ip"), "netns", "delete", later], check=True)
        net.spokes["east"].set_peer(net.hub.public_key, keepalive=7)
        for place in places:
            wait_for(lambda place=place: is_true(place), 20, f"what is in {place}")
    removed = [event["netns"] for event in source.events if event["type"] == "interface_removed"]
    assert removed == [later]
    assert namespaces(network) == before
    figure(f"4 namespaces watched by one source, {len(source.events)} events; none made by looking")


LOOKS = """
- hosts: hub
  gather_facts: false
  ignore_errors: true
  tasks:
    - name: info
      wirewatch.wireguard.wg_device_info:
        netns: "{{ missing }}"
    - name: facts
      wirewatch.wireguard.wg_facts:
        netns: "{{ missing }}"
    - name: watch
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        netns: "{{ missing }}"
        condition: first_handshake
        timeout: 0.5
        sleep: 0.1
"""


def test_a_module_that_looks_into_a_missing_namespace_makes_none(network: Network, play: Player) -> None:
    network.host("hub").wireguard()
    before = namespaces(network)
    missing = f"ww-{network.run_id}-missing"
    run = play(write_inventory(network), LOOKS, variables={"missing": missing})
    for task in ("info", "facts", "watch"):
        assert f"There is no network namespace {missing}" in run.result(task)["msg"]
    assert namespaces(network) == before

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""re_resolve, quarantine and restore, as they ship, on a real network."""

from __future__ import annotations

import sys

from eda.reactions import PATIENCE, Inbox, React, names, peer_of, wait_for_task, write_site
from lab import Network, star, wait_for
from lab.commands import tool

POST = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], b'{\"seen\": 1}').read()"


def test_a_host_has_names_and_an_inbox_of_its_own(network: Network) -> None:
    hub = network.host("hub", "192.0.2.1")
    with names(hub) as name:
        name({"office.example": ["192.0.2.11", "2001:db8::11"]})
        found = hub.run([tool("getent"), "ahosts", "office.example"]).stdout
        assert {line.split()[0] for line in found.splitlines()} == {"192.0.2.11", "2001:db8::11"}
        assert hub.run([tool("getent"), "ahosts", "other.example"], check=False).returncode == 2
    with Inbox(hub) as inbox:
        hub.run([sys.executable, "-c", POST, inbox.url])
        assert inbox.wait_for() == [{"seen": 1}]


def test_a_peer_that_is_removed_is_put_back(network: Network, reacting: React) -> None:
    net = star(network, ["office"])
    office = net.spokes["office"].public_key
    inventory = write_site(network, {"hub": {"wirewatch_peers": [peer_of(net.hub, net.spokes["office"])]}})
    with reacting(net.hub.host, [net.hub]).start("restore", inventory) as running:
        net.hub.remove_peer(office)
        wait_for(lambda: office in net.hub.show("allowed-ips"), PATIENCE, f"the peer to be back; {running.output}")
        wait_for_task(running, "Put back who is missing", 2)

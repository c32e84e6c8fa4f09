# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the real ansible-rulebook fire on what happens to a real WireGuard network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from eda.rulebooks import Fired, fired, wait_for_rule, write_rulebook
from lab import Ansible, Network, Running, Star, star, write_inventory


class Watched(NamedTuple):
    """A network whose hub a rulebook watches."""

    net: Star
    running: Running

    def key(self, spoke: str) -> str:
        return self.net.spokes[spoke].public_key


@pytest.fixture(scope="module")
def watched(ansible: Ansible, secrets_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One rulebook for all tests that only need a rule for each event; at -vv, and at the end searched for secrets."""
    with Network(backend="userspace") as network:
        net = star(network, ["east", "west", "north"])
        inventory = write_inventory(network)
        arguments = {"interfaces": [net.hub.name], "netns": [net.hub.host.namespace], "interval": 0.25}
        rulebook = write_rulebook(tmp_path_factory.mktemp("rules"), arguments)
        with ansible.rulebook(rulebook, inventory, "-vv") as running:
            for spoke in net.spokes.values():
                wait_for_rule(running, "peer_added", public_key=spoke.public_key, initial="True")
            yield Watched(net, running)
        shown = running.output
        leaked = sum(secret in shown for secret in secrets_file.read_text().split())
        assert leaked == 0, "the rulebook's output shows private or preshared keys"


def test_a_rule_fires_on_the_inventory_first_of_all(watched: Watched) -> None:
    first = fired(watched.running)[:4]
    assert [one.type for one in first] == ["interface_added", *["peer_added"] * 3]
    assert [one.public_key for one in first[1:]] == sorted(spoke.public_key for spoke in watched.net.spokes.values())
    assert [one.sequence for one in first] == ["1", "2", "3", "4"]


def test_a_rule_fires_on_the_first_handshake(watched: Watched) -> None:
    watched.net.shake_hands("north")
    north = watched.key("north")
    handshake = wait_for_rule(watched.running, "peer_handshake_refreshed", public_key=north)
    assert (handshake.first, handshake.previous) == ("True", "None")
    wait_for_rule(watched.running, "peer_endpoint_changed", public_key=north, previous="None")
    wait_for_rule(watched.running, "peer_state_changed", public_key=north, previous="never", current="up")


def test_a_rule_fires_on_a_peer_that_roams(watched: Watched) -> None:
    east = watched.key("east")
    watched.net.shake_hands("east")
    wait_for_rule(watched.running, "peer_endpoint_changed", public_key=east, current="192.0.2.11:51820")
    watched.net.host("east").move_to("192.0.2.77")
    watched.net.shake_hands("east")
    moved = wait_for_rule(watched.running, "peer_endpoint_changed", public_key=east, current="192.0.2.77:51820")
    assert moved.previous == "192.0.2.11:51820"


def test_a_rule_fires_on_a_peer_that_is_removed_and_one_on_its_return(watched: Watched) -> None:
    west = watched.key("west")
    watched.net.hub.remove_peer(west)
    removed = wait_for_rule(watched.running, "peer_removed", public_key=west)
    watched.net.hub.set_peer(west, allowed_ips=["10.9.0.12/32"])
    back = wait_for_rule(watched.running, "peer_added", public_key=west, initial="False")
    assert int(back.sequence) > int(removed.sequence)


def test_an_interface_is_seen_at_once_however_long_the_interval(
    ansible: Ansible, network: Network, tmp_path: Path
) -> None:
    host = network.host("hub", "192.0.2.1")
    host.wireguard("10.9.0.1/24", name="one")
    # A day: no poll of the grid comes while this test waits.
    arguments = {"interfaces": [f"ww{network.run_id}*"], "netns": [host.namespace], "interval": 86400}
    with ansible.rulebook(write_rulebook(tmp_path, arguments), write_inventory(network)) as running:
        wait_for_rule(running, "interface_added", interface=f"ww{network.run_id}one", initial="True")
        other = host.wireguard("10.9.1.1/24", name="two")
        wait_for_rule(running, "interface_added", interface=other.name, initial="False")
        other.remove()
        wait_for_rule(running, "interface_removed", interface=other.name)


BLOCK = """\
- name: Take long
  hosts: all
  gather_facts: false
  tasks:
    - name: Wait to be released
      ansible.builtin.wait_for:
        path: "{gate}"
        sleep: 1
"""


def blocking_rule(folder: Path, gate: Path) -> dict:
    """A rule that is busy, on the hosts that the event names, until a file appears."""
    (folder / "block.yml").write_text(BLOCK.format(gate=gate), encoding="utf-8")
    return {
        "name": "Take long",
        "condition": 'event.wireguard.type == "peer_removed"',
        "action": {"run_playbook": {"name": "block.yml"}},
    }


def test_a_slow_rulebook_gets_net_changes_and_loses_nothing(ansible: Ansible, network: Network, tmp_path: Path) -> None:
    net = star(network, ["east", "west"], preshared=False)
    east, west = net.spokes["east"].public_key, net.spokes["west"].public_key
    gate = tmp_path / "gate"
    arguments = {
        "interfaces": [net.hub.name],
        "netns": [net.hub.host.namespace],
        "interval": 0.1,
        "hosts": ["hub"],
        "types": ["peer_added", "peer_removed", "peer_endpoint_changed"],
    }
    rulebook = write_rulebook(
        tmp_path,
        arguments,
        blocking_rule(tmp_path, gate),
        types=["peer_added", "peer_endpoint_changed", "peer_removed"],
    )
    ports = range(40001, 40021)
    with ansible.rulebook(rulebook, write_inventory(network)) as running:
        wait_for_rule(running, "peer_added", public_key=west)
        wait_for_rule(running, "peer_added", public_key=east)
        net.hub.remove_peer(west)
        running.wait_for_report("Wait to be released", "started")
        assert {report.host for report in running.tasks} == {"hub"}, "the playbook ran on hosts that the event lacks"
        for port in ports:
            net.hub.set_peer(east, endpoint=f"192.0.2.11:{port}")
        net.hub.set_peer(west, allowed_ips=["10.9.0.12/32"])
        gate.touch()
        wait_for_rule(running, "peer_added", public_key=west, initial="False")
        wait_for_rule(running, "peer_endpoint_changed", public_key=east, current=f"192.0.2.11:{ports[-1]}")
        moves = [one for one in fired(running) if one.type == "peer_endpoint_changed"]
        assert len(moves) < len(ports), "each change was kept, so memory grows with the time that a rulebook is busy"
        assert_chained(moves, "None")


def assert_chained(moves: list[Fired], start: str) -> None:
    """Each change begins where the one before ended: nothing was lost and nothing invented."""
    for move in moves:
        assert move.previous == start
        start = move.current


def test_the_shipped_rulebook_tells_of_removed_peers(ansible: Ansible, network: Network, tmp_path: Path) -> None:
    """By its name in the collection, as a user starts it."""
    net = star(network, ["east"])
    east = net.spokes["east"].public_key
    variables = {
        "wg_interfaces": [net.hub.name],
        "wg_netns": [net.hub.host.namespace],
        "wg_names": {east: "office"},
        "wg_hosts": ["hub"],
    }
    with ansible.rulebook(
        Path("wirewatch.wireguard.peer_removed"), write_inventory(network), variables=variables
    ) as running:
        running.wait_for_output("watching peer office on " + net.hub.name)
        net.hub.remove_peer(east)
        running.wait_for_output(f"peer office ({east}) was removed from {net.hub.name}")
        net.hub.set_peer(east, allowed_ips=["10.9.0.11/32"])
        running.wait_for_output(f"peer office ({east}) is back on {net.hub.name}")

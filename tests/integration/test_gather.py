# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wg_device_info and wg_facts by the real ansible-playbook, compared with what wg(8) says."""

from __future__ import annotations

import datetime
import time

import pytest
from lab import Network, star, write_inventory
from lab.player import Player

PEER_KEYS = {
    "public_key",
    "name",
    "has_preshared_key",
    "endpoint",
    "endpoint_host",
    "endpoint_port",
    "allowed_ips",
    "persistent_keepalive",
    "last_handshake",
    "last_handshake_epoch",
    "last_handshake_age",
    "rx_bytes",
    "tx_bytes",
    "state",
}
DEVICE_KEYS = {
    "interface",
    "ifindex",
    "netns",
    "backend",
    "public_key",
    "listen_port",
    "fwmark",
    "up",
    "peers",
}

GATHER = """
- hosts: all
  gather_facts: false
  tasks:
    - name: all interfaces
      wirewatch.wireguard.wg_device_info:
    - name: one interface
      wirewatch.wireguard.wg_device_info:
        interfaces: ["{{ wg_interface }}"]
    - name: a glob
      wirewatch.wireguard.wg_device_info:
        interfaces: ["{{ wg_interface[:-1] }}?"]
    - name: a glob that finds nothing
      wirewatch.wireguard.wg_device_info:
        interfaces: ["nosuch*"]

- hosts: hub
  gather_facts: false
  tasks:
    - name: one peer with a name
      wirewatch.wireguard.wg_device_info:
        interfaces: ["{{ wg_interface }}"]
        peers: ["{{ hostvars.east.wg_public_key }}"]
        names: "{{ {hostvars.east.wg_public_key: 'east'} }}"
    - name: from another namespace
      wirewatch.wireguard.wg_device_info:
        netns: "{{ hostvars.east.netns }}"
    - name: in check mode
      wirewatch.wireguard.wg_device_info:
        interfaces: ["{{ wg_interface }}"]
      check_mode: true
    - name: facts
      ansible.builtin.gather_facts:
      vars:
        ansible_facts_modules: [wirewatch.wireguard.wg_facts]
    - name: the facts are there for later tasks
      ansible.builtin.assert:
        that:
          - ansible_facts.wireguard.devices | length == 1
          - ansible_facts.wireguard.devices[0].interface == wg_interface
          - ansible_facts.wireguard.devices[0].peers | map(attribute='state') | unique == ['up']

- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: from outside
      wirewatch.wireguard.wg_device_info:
        netns: "{{ hostvars.hub.netns }}"
      vars:
        ansible_python_interpreter: "{{ ansible_playbook_python }}"
"""


@pytest.fixture(scope="module")
def net():
    with Network(backend="userspace") as network:
        made = star(network, keepalive=25)
        made.shake_hands()
        yield made


@pytest.fixture(scope="module")
def gathered(net, ansible, secrets_file):
    return Player(ansible, secrets_file)(write_inventory(net.network), GATHER)


def only_device(result):
    assert not result["changed"]
    assert len(result["devices"]) == 1
    return result["devices"][0]


@pytest.mark.parametrize("task", ["all interfaces", "one interface", "a glob"])
def test_each_host_sees_its_own_interface_alone(net, gathered, task):
    for host in net.network.hosts.values():
        device = only_device(gathered.result(task, host.name))
        (interface,) = host.interfaces.values()
        assert device["interface"] == interface.name
        assert device["public_key"] == interface.public_key
        assert device["listen_port"] == 51820
        assert device["backend"] == "userspace"
        assert device["netns"] is None
        assert device["up"] is True
        assert {peer["public_key"] for peer in device["peers"]} == interface.show("endpoints").keys()


def test_a_glob_that_finds_nothing_is_no_error(gathered):
    assert gathered.result("a glob that finds nothing", "hub")["devices"] == []


def test_the_record_has_the_keys_of_the_design_and_the_values_of_wg(net, gathered):
    device = only_device(gathered.result("one interface", "hub"))
    assert device.keys() == DEVICE_KEYS
    assert [peer["public_key"] for peer in device["peers"]] == sorted(spoke.public_key for spoke in net.spokes.values())
    for peer in device["peers"]:
        key = peer["public_key"]
        assert peer.keys() == PEER_KEYS
        assert peer["endpoint"] == net.hub.endpoint_of(key) == f"{peer['endpoint_host']}:{peer['endpoint_port']}"
        assert ",".join(peer["allowed_ips"]) == net.hub.show("allowed-ips")[key]
        assert int(peer["last_handshake_epoch"]) == net.hub.handshake_of(key)
        told = datetime.datetime.fromisoformat(peer["last_handshake"].replace("Z", "+00:00"))
        assert told.timestamp() == pytest.approx(peer["last_handshake_epoch"])
        assert 0 <= peer["last_handshake_age"] < 60
        assert time.time() - peer["last_handshake_epoch"] < 60
        assert peer["rx_bytes"] > 0
        assert peer["tx_bytes"] > 0
        assert peer["has_preshared_key"] is True
        assert peer["state"] == "up"
    spoke = only_device(gathered.result("one interface", "east"))
    assert spoke["peers"][0]["persistent_keepalive"] == 25


def test_one_peer_is_asked_for_and_named(net, gathered):
    (peer,) = only_device(gathered.result("one peer with a name"))["peers"]
    assert (peer["public_key"], peer["name"]) == (net.spokes["east"].public_key, "east")


@pytest.mark.parametrize(("task", "seen"), [("from another namespace", "east"), ("from outside", "hub")])
def test_netns_looks_into_another_namespace(net, gathered, task, seen):
    device = only_device(gathered.result(task))
    host = net.network.hosts[seen]
    assert device["netns"] == host.namespace
    assert device["interface"] in host.interfaces
    assert device["up"] is True


def test_check_mode_makes_no_difference(gathered):
    stable = {"public_key", "endpoint", "allowed_ips", "last_handshake", "state"}
    checked = only_device(gathered.result("in check mode"))
    real = only_device(gathered.result("one interface", "hub"))
    for one, other in zip(checked["peers"], real["peers"], strict=True):
        assert {key: one[key] for key in stable} == {key: other[key] for key in stable}


def test_facts_are_gathered_by_gather_facts_without_setup(gathered):
    facts = gathered.result("facts")["ansible_facts"]
    assert len(facts["wireguard"]["devices"]) == 1
    assert "distribution" not in facts
    assert gathered.result("the facts are there for later tasks")["changed"] is False


SAID_WITHOUT_SECRETS = """
- hosts: hub
  gather_facts: false
  tasks:
    - wirewatch.wireguard.wg_device_info:
      register: before
    - wirewatch.wireguard.wg_facts:
    - wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        baseline: "{{ before.devices }}"
        condition: endpoint_changed
        timeout: 0
      ignore_errors: true
    - ansible.builtin.debug:
        var: before
"""


def test_the_most_talkative_output_shows_no_secret(net, play, secrets_file):
    """The check itself is part of every run; here the run is one that says all it knows."""
    assert net.hub.keys.private in secrets_file.read_text()
    run = play(write_inventory(net.network), SAID_WITHOUT_SECRETS, "-vvvv", "--diff")
    assert net.hub.public_key in run.output

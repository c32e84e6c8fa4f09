# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wg_peer_watch by the real ansible-playbook: the network changes while it waits."""

from __future__ import annotations

import pytest
from lab import star, uapi, wait_for, write_inventory
from lab.wireguard import SOCKET_FOLDER

RESULT_KEYS = {"peers", "events", "elapsed", "polls"}


def watch(condition: str, **options: object) -> str:
    """A playbook with one task, `watch`, on the hub."""
    lines = "".join(f"        {name}: {value}\n" for name, value in options.items())
    return (
        "- hosts: hub\n  gather_facts: false\n  tasks:\n    - name: watch\n      wirewatch.wireguard.wg_peer_watch:\n"
        f'        interface: "{{{{ wg_interface }}}}"\n        condition: {condition}\n{lines}'
    )


@pytest.fixture
def net(network):
    """A hub and two spokes that have not said a word yet."""
    return star(network)


@pytest.fixture
def play_while(play):
    """Play until the watch is on, let the world change, and hand back the result of the watch."""

    def playing(net, playbook, change, fails=False):
        with play.start(write_inventory(net.network), playbook) as running:
            running.wait_for_report("watch", "started")
            # The module's first look may still be to come: only changes that it sees either way are tested like this.
            change()
            play.finish(running, fails)
        result = running.result("watch")
        assert result.keys() >= RESULT_KEYS
        assert not result.get("changed")
        return result

    return playing


def test_the_first_handshake_of_both_spokes_ends_the_wait(net, play_while):
    result = play_while(net, watch("first_handshake", timeout=30, sleep=0.2), net.shake_hands)
    assert {peer["public_key"] for peer in result["peers"]} == {spoke.public_key for spoke in net.spokes.values()}
    for peer in result["peers"]:
        assert peer["satisfied"] is True
        assert peer["after"]["last_handshake"] is not None
        assert peer["after"]["endpoint"] == net.hub.endpoint_of(peer["public_key"])
    assert result["polls"] >= 1


def test_any_of_several_peers_is_enough_where_asked_for(net, play_while):
    result = play_while(
        net, watch("first_handshake", match="any", timeout=30, sleep=0.2), lambda: net.shake_hands("east")
    )
    assert [p["public_key"] for p in result["peers"] if p["satisfied"]] == [net.spokes["east"].public_key]


ROAM = """
- hosts: hub
  gather_facts: false
  tasks:
    - name: before
      wirewatch.wireguard.wg_device_info:
        interfaces: ["{{ wg_interface }}"]
      register: before
    - name: meanwhile
      ansible.builtin.wait_for:
        path: "{{ moved }}"
        timeout: 20
    - name: watch
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        peers: ["{{ hostvars.east.wg_public_key }}"]
        names: "{{ {hostvars.east.wg_public_key: 'east'} }}"
        condition: endpoint_changed
        baseline: "{{ before.devices }}"
        timeout: 20
"""


def test_a_roam_between_two_tasks_is_seen_with_a_baseline(net, play, tmp_path):
    net.shake_hands()
    moved = tmp_path / "moved"
    with play.start(write_inventory(net.network), ROAM, variables={"moved": str(moved)}) as running:
        running.wait_for_report("meanwhile", "started")
        net.host("east").move_to("198.51.100.4")
        net.shake_hands("east")
        moved.touch()
        play.finish(running)
    result = running.result("watch")
    (peer,) = result["peers"]
    assert peer["satisfied"] is True
    assert peer["name"] == "east"
    assert peer["before"]["endpoint"] == "192.0.2.11:51820"
    assert peer["after"]["endpoint"] == "198.51.100.4:51820"
    changed = [event for event in result["events"] if event["type"] == "peer_endpoint_changed"]
    assert [(event["previous"], event["current"]) for event in changed] == [("192.0.2.11:51820", "198.51.100.4:51820")]


def test_a_removed_peer_is_absent(net, play_while):
    east = net.spokes["east"].public_key
    result = play_while(
        net, watch("absent", peers=f'["{east}"]', timeout=30, sleep=0.2), lambda: net.hub.remove_peer(east)
    )
    (peer,) = result["peers"]
    assert (peer["public_key"], peer["satisfied"], peer["after"]) == (east, True, None)


CHANGED_ALLOWED_IPS = """
- hosts: hub
  gather_facts: false
  tasks:
    - name: before
      wirewatch.wireguard.wg_device_info:
      register: before
    - name: allow one more network
      ansible.builtin.command:
        argv: [wg, set, "{{ wg_interface }}", peer, "{{ east }}", allowed-ips, "10.9.0.11/32,10.77.0.0/16"]
      vars: {east: "{{ hostvars.east.wg_public_key }}"}
    - name: watch
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        peers: ["{{ hostvars.east.wg_public_key }}"]
        condition: allowed_ips_changed
        allowed_ips: [10.77.0.0/16, 10.9.0.11]
        baseline: "{{ before.devices }}"
        timeout: 10
    - name: remove and put back
      ansible.builtin.command:
        argv: "{{ item }}"
      loop:
        - [wg, set, "{{ wg_interface }}", peer, "{{ east }}", remove]
        - [wg, set, "{{ wg_interface }}", peer, "{{ east }}", allowed-ips, "10.9.0.11/32"]
      vars: {east: "{{ hostvars.east.wg_public_key }}"}
    - name: watch it come back
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        peers: ["{{ hostvars.east.wg_public_key }}"]
        condition: recreated
        baseline: "{{ before.devices }}"
        timeout: 10
"""


def test_changed_allowed_ips_and_a_peer_made_anew_are_seen(net, play):
    net.shake_hands()
    run = play(write_inventory(net.network), CHANGED_ALLOWED_IPS)
    (peer,) = run.result("watch")["peers"]
    assert peer["before"]["allowed_ips"] == ["10.9.0.11/32"]
    assert peer["after"]["allowed_ips"] == ["10.9.0.11/32", "10.77.0.0/16"]
    (peer,) = run.result("watch it come back")["peers"]
    assert peer["satisfied"] is True
    assert peer["after"]["last_handshake"] is None


def test_a_time_out_explains_itself_with_the_same_result(net, play):
    """The hub knows no endpoint: all it can do is wait for the spokes, and says so."""
    run = play(write_inventory(net.network), watch("first_handshake", timeout=0.5, sleep=0.1), fails=True)
    result = run.result("watch")
    assert result.keys() >= RESULT_KEYS
    assert [peer["satisfied"] for peer in result["peers"]] == [False, False]
    assert 0.5 <= result["elapsed"] < 15
    assert result["polls"] >= 2, "the first look, and the one at the deadline"
    assert "no endpoint and nothing received: the other side must start" in result["msg"]


def test_a_time_out_names_the_unanswered_handshakes(net, play):
    """The other side's daemon was killed. A handshake is tried again every 5 seconds, hence the 7."""
    net.spokes["east"].kill_daemon()
    east = net.spokes["east"].public_key
    net.hub.set_peer(east, endpoint="192.0.2.11:51820", keepalive=25)  # starts the handshake
    playbook = watch("first_handshake", peers=f'["{east}"]', timeout=7, sleep=0.5)
    result = play(write_inventory(net.network), playbook, fails=True).result("watch")
    assert "148 bytes sent" in result["msg"]
    assert "nothing back" in result["msg"]


def test_the_users_own_message_stands_beside_the_reason(net, play):
    playbook = watch("first_handshake", timeout=0, msg="The office is not connected.")
    result = play(write_inventory(net.network), playbook, fails=True).result("watch")
    assert result["msg"] == "The office is not connected."
    assert "the other side must start" in result["reason"]


def test_time_out_zero_probes_once(net, play):
    net.shake_hands()
    result = play(write_inventory(net.network), watch("first_handshake", timeout=0)).result("watch")
    assert result["polls"] == 1


def test_check_mode_probes_once_and_does_not_wait(net, play):
    run = play(write_inventory(net.network), watch("first_handshake", timeout=60), "--check")
    result = run.result("watch")
    assert result["polls"] == 1
    assert [peer["satisfied"] for peer in result["peers"]] == [False, False]


def test_a_daemon_that_dies_while_we_wait_ends_the_wait(network, play):
    host = network.host("hub")
    name = f"ww{network.run_id}dies"
    inventory = write_inventory(network)
    playbook = watch("handshake", timeout=20, sleep=0.2)
    with uapi.FakeDaemon(SOCKET_FOLDER, name, uapi.answers(uapi.device_text())) as daemon:
        with play.start(inventory, playbook, variables={"wg_interface": name}) as running:
            wait_for(lambda: len(daemon.requests) >= 2, 60, "the module to have looked once, and look again")
            daemon.die()
            play.finish(running, fails=True)
        assert daemon.path.exists(), "a reader leaves a dead socket where it is"
        assert set(daemon.requests) == {b"get=1\n\n"}, "a reader only reads"
    result = running.result("watch", host.name)
    assert result["elapsed"] < 15, "it can no longer come true, and waiting on is in vain"
    assert f"interface {name} is gone" in result["msg"]

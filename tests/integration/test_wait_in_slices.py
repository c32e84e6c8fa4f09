# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wg_peer_watch over SSH through the very tunnel that it watches: it says what it sees, and outlives a cut."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest
from lab import star, write_inventory
from lab.ansible import write_interpreter
from lab.commands import run, tool

TASK = """
- hosts: east
  gather_facts: false
  tasks:
    - name: watch
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        condition: endpoint_changed
        timeout: 80
        sleep: 0.5
"""


@pytest.fixture
def net(network):
    return star(network, ["east"], keepalive=1)


@pytest.fixture
def inventory(net) -> Path:
    """east by SSH over its tunnel address; ssh runs in the hub's namespace, the controller for this once."""
    folder = net.network.folder
    for name in ("host", "client"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)])
    (folder / "authorized").write_text((folder / "client.pub").read_text())
    # sshd drops to a user who must be able to walk to the file; the folder is root's alone, and so is the login.
    configuration = folder / "sshd_config"
    configuration.write_text(
        f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"PermitRootLogin prohibit-password\nListenAddress {net.spokes['east'].tunnel_address}:22\nAcceptEnv *\n"
        "Subsystem sftp internal-sftp\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    net.shake_hands("east")
    net.host("east").start([tool("sshd"), "-D", "-f", str(configuration)])
    ssh = folder / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec {tool("ip")} netns exec {net.hub.host.namespace} {tool("ssh")} "$@"\n')
    ssh.chmod(0o700)
    sftp = folder / "sftp"
    sftp.write_text(f'#!/bin/sh\nexec {tool("ip")} netns exec {net.hub.host.namespace} {tool("sftp")} "$@"\n')
    sftp.chmod(0o700)
    path = write_inventory(net.network)
    hosts = json.loads(path.read_text())
    hosts["all"]["hosts"]["east"].update(
        ansible_connection="ssh",
        ansible_host=net.spokes["east"].tunnel_address,
        ansible_user=getpass.getuser(),
        ansible_ssh_private_key_file=str(folder / "client"),
        ansible_ssh_executable=str(ssh),
        ansible_sftp_executable=str(sftp),
        ansible_ssh_common_args="-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
        ansible_control_path_dir=str(folder),
        ansible_timeout=3,
        ansible_python_interpreter=str(write_interpreter(net.host("east"))),
    )
    path.write_text(json.dumps(hosts))
    return path  # what ssh keeps of its connections ends with the hub's namespace


def test_a_change_while_the_tunnel_that_carries_the_connection_is_cut_is_not_missed(net, inventory, play):
    """The hub moves while it is unplugged, and east is told: all that is over when the host is reached again."""
    with play.start(inventory, TASK) as running:
        running.wait_for_output("WAITING: [east]: endpoint_changed on ", 30)
        net.host("hub").unplug()
        running.wait_for_output("not reached for", 60)
        net.host("hub").move_to("192.0.2.77")
        net.spokes["east"].set_peer(net.hub.public_key, endpoint="192.0.2.77:51820")
        net.host("hub").plug()
        play.finish(running, timeout=90)
    result = running.result("watch")
    assert result["satisfied"] is True
    assert result["peers"][0]["before"]["endpoint"] == "192.0.2.1:51820"
    assert result["peers"][0]["after"]["endpoint"] == "192.0.2.77:51820"
    assert "peer_endpoint_changed" in [event["type"] for event in result["events"]]
    assert "_slice" not in json.dumps(result)


def test_a_tunnel_that_stays_cut_ends_the_wait_at_its_deadline_with_what_was_seen_before(net, inventory, play):
    with play.start(inventory, TASK.replace("timeout: 80", "timeout: 12")) as running:
        running.wait_for_output("WAITING: [east]: endpoint_changed on ", 30)
        net.host("hub").unplug()
        play.finish(running, fails=True, timeout=90)
    result = running.result("watch")
    assert "the host was not reached for the last" in result["reason"]
    assert "Before that: 0 of 1 peers satisfied; " in result["reason"]
    assert result["peers"][0]["after"]["endpoint"] == "192.0.2.1:51820"


HERE = """
- hosts: all
  gather_facts: false
  tasks:
    - name: both
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ hostvars[item].wg_interface }}"
        condition: down
        timeout: 9
      environment: {SOME: thing}
      become: true
      delegate_to: "{{ item }}"
      loop: [hub, east]
      ignore_errors: true
    - name: looked
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        condition: down
      check_mode: true
    - name: aside
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        condition: down
        timeout: 3
        msg: It never is
      async: 120
      poll: 1
      ignore_errors: true
    - name: refused
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        condition: down
        timeout: soon
      ignore_errors: true
"""


def test_loops_delegation_become_async_and_check_mode_are_as_with_the_module_alone(net, play):
    with play.start(
        write_inventory(net.network), HERE, "--forks", "2", variables={"ansible_become_exe": "sudo"}
    ) as running:
        play.finish(running)
    for host in ("hub", "east"):
        items = running.result("both", host)["results"]
        assert [item["item"] for item in items] == ["hub", "east"]
        for item in items:
            assert item["reason"].startswith("Timed out after ")
            assert item["msg"] == item["reason"]
            assert item["elapsed"] >= 9
            assert item["peers"][0]["after"] is not None
            assert "_slice" not in json.dumps(item)
        assert f"WAITING: [{host} -> hub]: down on " in running.output
        assert "Check mode: looked once" in running.result("looked", host)["msg"]
        aside = running.result("aside", host)
        assert aside["msg"] == "It never is"
        assert 1 < aside["polls"] <= 4
        assert "timeout" in running.result("refused", host)["msg"]

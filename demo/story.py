# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in the demo, step by step.

The network is the lab's (tests/lab), which plays the world: it lets spokes come to life and takes a peer away. All that
is observed is observed by the playbooks and the rulebook beside this file, run by the real Ansible.
"""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from lab import Ansible, Network, Running, Star, TaskResult, star, write_inventory

from .narrator import Narrator

HERE = Path(__file__).resolve().parent
PLAYBOOKS = HERE / "playbooks"
RULEBOOK = HERE / "rulebooks" / "restore_removed_peer.yml"

BOOT_TIME = 1.5  # seconds; the spokes come to life so long after the playbook has begun to wait for them
NEW_ADDRESS = "198.51.100.4"  # where the roaming spoke goes; an example network (RFC 5737), as all addresses here


def tell(narrator: Narrator, network: Network, collections_path: Path) -> None:
    """Play the whole story; LabError where a step does not come out as it should."""
    Story(narrator, network, collections_path).tell()


class Story:
    def __init__(self, narrator: Narrator, network: Network, collections_path: Path) -> None:
        self.narrator = narrator
        self.network = network
        self.ansible = Ansible(collections_path, network.folder)

    def tell(self) -> None:
        net = self.build()
        inventory = write_inventory(self.network, groups={"spokes": list(net.spokes)})
        self.ask_who_is_connected(inventory, expected="never")
        self.wait_for_first_handshakes(net, inventory)
        self.ask_who_is_connected(inventory, expected="up")
        self.move_a_spoke(net, inventory)
        self.put_a_removed_peer_back(net, inventory)

    def build(self) -> Star:
        with self.narrator.step("Build a hub and two spokes") as step:
            # No keepalive: the spokes are to be silent until the story lets them speak.
            net = star(self.network, preshared=False)
            kinds = {"kernel": "the kernel's WireGuard", "userspace": "wireguard-go (this kernel has no WireGuard)"}
            step.outcome = f"on {kinds[self.network.backend]}"
        return net

    def ask_who_is_connected(self, inventory: Path, expected: str) -> None:
        with self.narrator.step("Ask who is connected") as step:
            with self.ansible.playbook(PLAYBOOKS / "who_is_connected.yml", inventory) as playbook:
                playbook.succeed()
            (device,) = playbook.result("Look at the hub's WireGuard")["devices"]
            check(
                [peer["state"] for peer in device["peers"]] == [expected] * len(device["peers"]),
                f"the state of each spoke is to be {expected}",
                playbook,
            )
            step.outcome = ", ".join(item["msg"] for item in playbook.result("Say who is connected")["results"])

    def wait_for_first_handshakes(self, net: Star, inventory: Path) -> None:
        task = "Wait until every spoke has shaken hands"
        with self.narrator.step("Wait for both first handshakes") as step:
            with self.ansible.playbook(PLAYBOOKS / "first_handshake.yml", inventory) as playbook:
                playbook.wait_for_report(task, "started")
                time.sleep(BOOT_TIME)
                net.shake_hands()
                playbook.succeed()
            (report,) = playbook.reports(task)
            last = max(peer["after"]["last_handshake_epoch"] for peer in report.result["peers"])
            step.outcome = f"the playbook went on at look {report.result['polls']}"
        self.narrator.reaction(
            "first handshakes of east and west", "wg_peer_watch let the playbook go on", report.time - last
        )

    def move_a_spoke(self, net: Star, inventory: Path) -> None:
        with self.narrator.step("Move east, wait for the hub to notice") as step:
            variables = {"new_address": NEW_ADDRESS}
            with self.ansible.playbook(PLAYBOOKS / "roam.yml", inventory, variables=variables) as playbook:
                playbook.succeed()
            (report,) = playbook.reports("Wait for the endpoint to change")
            (peer,) = report.result["peers"]
            before, after = peer["before"]["endpoint_host"], peer["after"]["endpoint_host"]
            check(after == NEW_ADDRESS, f"east is to be at {NEW_ADDRESS}, and the hub says {after}", playbook)
            (packet,) = playbook.reports("Send a packet from the new address")
            step.outcome = f"{before} -> {after}"
        self.narrator.reaction(
            f"east moved to {NEW_ADDRESS}", "wg_peer_watch with a baseline saw it", report.time - packet.time
        )

    def put_a_removed_peer_back(self, net: Star, inventory: Path) -> None:
        west = net.spokes["west"].public_key
        hub_address = {"wg_interface": net.hub.name, "netns": [net.hub.host.namespace]}
        names = {interface.public_key: name for name, interface in net.spokes.items()}
        with self.ansible.rulebook(RULEBOOK, inventory, variables={**hub_address, "wg_names": names}) as rulebook:
            with self.narrator.step("Start a rulebook that watches the hub") as step:
                for name in net.spokes:
                    rulebook.wait_for_output(f"watching {name}")
                step.outcome = "it sees " + " and ".join(net.spokes)

            with self.narrator.step("Take west off the hub") as step:
                removed_at = time.time()
                net.hub.remove_peer(west)
                check(west not in net.hub.show("endpoints"), "west is to be gone from the hub", rulebook)
                rulebook.wait_for_report("Say what happened", "ok")
                message = rulebook.result("Say what happened")["msg"]
                step.outcome = "event peer_removed, the rulebook starts a playbook"
                self.narrator.reaction(
                    "west was taken off the hub", "wg_events told the rulebook", time_in(message) - removed_at
                )

            with self.narrator.step("Let the rulebook put it back") as step:
                back = rulebook.wait_for_report("Put it back as it was", "changed")
                hosts = {report.host for report in rulebook.tasks}
                check(hosts == {"hub"}, f"the playbook is to run on hub alone, and ran on {sorted(hosts)}", rulebook)
                step.outcome = "done, on host hub alone"
                self.narrator.reaction(
                    "west was taken off the hub",
                    "the playbook put it back",
                    ended_at(back) - removed_at,
                )

            with self.narrator.step("Wait until west has shaken hands again") as step:
                watched = rulebook.wait_for_report("Wait until it has shaken hands again", "ok")
                (peer,) = watched.result["peers"]
                rulebook.wait_for_output("west is back")
                net.shake_hands("west")
                step.outcome = "and packets flow"
                self.narrator.reaction(
                    "west was taken off the hub",
                    "west shook hands with the hub again",
                    peer["after"]["last_handshake_epoch"] - removed_at,
                )


def check(fact: bool, complaint: str, command: Running) -> None:
    if not fact:
        raise command.failed(f"did not bring about what was expected: {complaint}.")


def ended_at(report: TaskResult) -> float:
    """When the command of a task ended: the report itself comes a moment later."""
    return datetime.fromisoformat(report.result["end"]).timestamp()


def time_in(message: str) -> float:
    """The time at the end of a message, as ISO 8601."""
    return datetime.fromisoformat(message.split()[-1].replace("Z", "+00:00")).timestamp()

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""re_resolve, quarantine and restore, as they ship, on a real network."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

import yaml
from collection import CHECKOUT
from eda.reactions import PATIENCE, Inbox, React, names, peer_of, play_of, wait_for_task, write_site
from eda.test_lift import TOKEN, Webhook, envelope, free_port, wait_until_it_listens
from lab import Ansible, Interface, Network, Running, Star, generate_keys, star, wait_for
from lab.commands import tool
from lab.player import Player
from lab.private import write_private

SEE = "See which interfaces that the inventory tells of are there"
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


def keep_secrets(running: Running, secrets_file: Path) -> None:
    shown = running.output + "".join(str(report.result) for report in running.tasks)
    leaked = sum(secret in shown for secret in secrets_file.read_text().split())
    assert leaked == 0, "the output shows private or preshared keys"


def wait_for_peers(hub: Interface, keys: set[str], running: Running) -> None:
    wait_for(lambda: set(hub.show("endpoints")) == keys, PATIENCE, f"the peers to be {keys}; {running.output}")


def looked_up_preshared_keys(net: Star) -> dict[str, str]:
    """As they stand in an inventory, which is copied, and the copy stays where a rulebook is killed: not themselves."""
    told = {}
    for name, preshared_key in net.preshared_keys.items():
        path = write_private(net.network.folder / f"{name}.key", preshared_key)
        told[net.spokes[name].public_key] = f"{{{{ lookup('ansible.builtin.file', '{path}') }}}}"
    return told


# --- restore


def test_peers_that_are_removed_are_put_back_as_the_inventory_has_them(
    network: Network, reacting: React, secrets_file: Path
) -> None:
    net = star(network, ["office", "mobile", "spare"])
    office, mobile, spare = (net.spokes[name].public_key for name in ("office", "mobile", "spare"))
    peers = [
        peer_of(net.hub, net.spokes["office"], endpoint="office.example:51820", persistent_keepalive=7),
        peer_of(net.hub, net.spokes["mobile"], endpoint="nowhere.example:51820"),
    ]
    variables = {"wirewatch_peers": peers, "wirewatch_preshared_keys": looked_up_preshared_keys(net)}
    inventory = write_site(network, {"hub": variables})
    net.hub.remove_peer(mobile)
    with names(net.hub.host) as name:
        name({"office.example": ["192.0.2.11"]})
        with reacting(net.hub.host, [net.hub]).start("restore", inventory, "-vv") as running:
            # Who was missing before, without the endpoint that can't be looked up.
            wait_for_peers(net.hub, {office, mobile, spare}, running)
            assert net.hub.endpoint_of(mobile) is None
            assert wait_for_task(running, "Set their endpoints")[0].status == "failed"
            net.shake_hands("mobile")

            # Two that vanish at once, one of which the inventory does not have.
            net.hub.remove_peer(office)
            net.hub.remove_peer(spare)
            wait_for(lambda: net.hub.endpoint_of(office), PATIENCE, f"the office to be back; {running.output}")
            assert net.hub.endpoint_of(office) == "192.0.2.11:51820"
            assert net.hub.show("allowed-ips")[office] == "10.9.0.11/32"
            assert net.hub.show("persistent-keepalive")[office] == "7"
            net.shake_hands("office")  # which needs the preshared key
            assert spare not in net.hub.show("endpoints")
            assert {report.host for report in running.tasks} == {"hub"}
        keep_secrets(running, secrets_file)


def test_a_peer_stays_removed_in_check_mode_and_where_its_interface_goes(network: Network, reacting: React) -> None:
    net = star(network, ["office", "other"])
    office = net.spokes["office"].public_key
    peers = [peer_of(net.hub, spoke, endpoint="192.0.2.11:51820") for spoke in net.spokes.values()]
    inventory = write_site(network, {"hub": {"wirewatch_peers": peers}})
    # A glob: without the kernel's WireGuard, a name that is gone may as well be one that can't be read.
    variables: dict[str, Any] = {"wg_interfaces": [f"{net.hub.name[:-1]}*"], "wirewatch_check": True}
    with reacting(net.hub.host, [net.hub]).start("restore", inventory, **variables) as running:
        net.hub.remove_peer(office)
        (one,) = wait_for_task(running, "Say who it is", 2)[-1].result["results"]
        assert one["msg"] == f"hub {net.hub.name}: would put back {office}"
        wait_for_task(running, "Set their endpoints", 2)
        assert office not in net.hub.show("endpoints")
        net.hub.remove()  # and with it the other peer
        last = wait_for_task(running, SEE, 3)[-1]
        assert [one["stat"]["exists"] for one in last.result["results"]] == [False]
    assert not [report for report in running.tasks if report.status == "failed"], running.output


def test_many_that_vanish_at_once_come_back_by_one_run(network: Network, reacting: React) -> None:
    """Sixty: ansible-rulebook holds no more than some forty events for rules that collect them."""
    hub = network.host("hub", "192.0.2.1").wireguard("10.9.0.1/16", listen_port=51820)
    keys = [generate_keys().public for _number in range(60)]
    peers: list[dict[str, Any]] = [
        {"interface": hub.name, "public_key": key, "allowed_ips": [f"10.9.1.{number}/32"]}
        for number, key in enumerate(keys)
    ]
    for peer in peers:
        hub.set_peer(peer["public_key"], allowed_ips=peer["allowed_ips"])
    inventory = write_site(network, {"hub": {"wirewatch_peers": peers}})
    with reacting(hub.host, [hub]).start("restore", inventory) as running:
        wait_for_task(running, "Set their endpoints")
        hub.wg("setconf", hub.name, "/dev/null")
        wait_for_peers(hub, set(keys), running)
        assert hub.show("allowed-ips") == {peer["public_key"]: peer["allowed_ips"][0] for peer in peers}
        assert len(running.reports("Put them back")) <= 3, running.output


def test_what_two_looks_did_not_see_is_put_right_at_the_heartbeat(network: Network, reacting: React) -> None:
    net = star(network, ["office"])
    office = net.spokes["office"].public_key
    inventory = write_site(network, {"hub": {"wirewatch_peers": [peer_of(net.hub, net.spokes["office"])]}})
    net.hub.remove_peer(office)
    with reacting(net.hub.host, [net.hub]).start("restore", inventory, wg_interval=3600, wg_heartbeat=2) as running:
        wait_for_peers(net.hub, {office}, running)
        net.hub.remove_peer(office)
        wait_for_peers(net.hub, {office}, running)


def test_a_preshared_key_is_in_no_output_however_talkative_and_whatever_fails(
    network: Network, reacting: React, secrets_file: Path
) -> None:
    net = star(network, ["office"])
    office = net.spokes["office"].public_key
    entry = peer_of(net.hub, net.spokes["office"])
    event = {"wireguard": {"interface": net.hub.name, "public_key": office}, "meta": {"hosts": ["hub"]}}
    ansible = reacting(net.hub.host, [net.hub]).ansible
    for allowed_ips, fails in (("10.9.0.11/32, 10.9.0.12/32", False), ("nonsense", True)):
        net.hub.remove_peer(office)
        variables = {
            "wirewatch_peers": [{**entry, "allowed_ips": allowed_ips}],
            "wirewatch_preshared_keys": looked_up_preshared_keys(net),
        }
        inventory = write_site(network, {"hub": variables})
        playbook = Path("wirewatch.wireguard.restore")
        told = {"ansible_eda": {"event": event}}
        with ansible.playbook(playbook, inventory, "-vvvvv", "--diff", variables=told) as running:
            assert (running.wait(PATIENCE) != 0) == fails, running.output
        assert (office in net.hub.show("endpoints")) != fails
        keep_secrets(running, secrets_file)


def test_events_of_a_publisher_are_reacted_to_on_the_host_that_they_are_mapped_to(
    ansible: Ansible, network: Network, tmp_path: Path
) -> None:
    """With another source, as docs/reactions.md says; an event of a host that the filter does not know does nothing."""
    net = star(network, ["office"])
    office = net.spokes["office"].public_key
    inventory = write_site(network, {"hub": {"wirewatch_peers": [peer_of(net.hub, net.spokes["office"])]}})
    (ruleset,) = yaml.safe_load((CHECKOUT / "extensions/eda/rulebooks/restore.yml").read_text(encoding="utf-8"))
    port = free_port()
    webhook = {"host": "127.0.0.1", "port": port, "token": TOKEN}
    ruleset["sources"] = [
        {"eda.builtin.webhook": webhook, "filters": [{"wirewatch.wireguard.lift": {"hosts": {"gw1": "hub"}}}]}
    ]
    rulebook = tmp_path / "rulebook.yml"
    rulebook.write_text(yaml.safe_dump([ruleset], sort_keys=False), encoding="utf-8")
    net.hub.remove_peer(office)
    with ansible.rulebook(rulebook, inventory) as running:
        wait_until_it_listens(running, port)
        for host in ("gw7", "gw1"):
            sent = envelope("peer_removed", host)
            sent["wireguard"].update(interface=net.hub.name, public_key=office)
            Webhook(running, port).post(sent)
        wait_for_peers(net.hub, {office}, running)
        wait_for_task(running, "Set their endpoints")
        assert len(running.reports(SEE)) == 1
        assert {report.host for report in running.tasks} == {"hub"}


# --- quarantine


def test_a_peer_that_the_inventory_does_not_know_is_removed_and_told_of(network: Network, reacting: React) -> None:
    net = star(network, ["office", "early"])
    office, early = (net.spokes[name].public_key for name in ("office", "early"))
    late = generate_keys().public
    token = secrets.token_hex(16)
    with Inbox(net.hub.host) as inbox:
        variables = {
            "wirewatch_peers": [peer_of(net.hub, net.spokes["office"])],
            "wirewatch_webhook": inbox.url,
            "wirewatch_webhook_token": token,
        }
        inventory = write_site(network, {"hub": variables})
        with reacting(net.hub.host, [net.hub]).start("quarantine", inventory) as running:
            wait_for_peers(net.hub, {office}, running)
            (post,) = inbox.wait_for()
            assert post == {
                "text": "hub: peers that the inventory does not know were removed: "
                f"{early}, {net.hub.name}, no endpoint, 10.9.0.12/32"
            }
            net.hub.set_peer(late, allowed_ips=["10.9.0.66/32", "10.9.0.67/32"], endpoint="192.0.2.66:51820")
            post = inbox.wait_for(2)[1]
            assert f"{late}, {net.hub.name}, 192.0.2.66:51820, 10.9.0.66/32 10.9.0.67/32" in post["text"]
            assert set(net.hub.show("endpoints")) == {office}
            assert {report.host for report in running.tasks} == {"hub"}
            assert {headers["Authorization"] for headers in inbox.headers} == {f"Bearer {token}"}
            assert token not in running.output


def test_a_stranger_stays_in_check_mode_and_is_told_of(network: Network, reacting: React) -> None:
    net: Star = star(network, ["office", "early"])
    with Inbox(net.hub.host) as inbox:
        variables = {"wirewatch_peers": [peer_of(net.hub, net.spokes["office"])], "wirewatch_webhook": inbox.url}
        inventory = write_site(network, {"hub": variables})
        with reacting(net.hub.host, [net.hub]).start("quarantine", inventory, wirewatch_check=True) as running:
            (post,) = inbox.wait_for()
            assert "would be removed: " + net.spokes["early"].public_key in post["text"]
            assert len(net.hub.show("endpoints")) == 2, running.output


def test_nobody_is_removed_from_an_interface_that_the_inventory_does_not_tell_of(
    network: Network, reacting: React
) -> None:
    net = star(network, ["office"])
    other = {**peer_of(net.hub, net.spokes["office"]), "interface": "wg7"}
    inventory = write_site(network, {"hub": {"wirewatch_peers": [other]}})
    with reacting(net.hub.host, [net.hub]).start("quarantine", inventory) as running:
        running.wait_for_output("PLAY RECAP", PATIENCE)
        assert len(net.hub.show("endpoints")) == 1
    assert running.reports(SEE)
    assert not running.reports("Look at their peers")


# --- re_resolve


def test_a_peer_that_moved_is_found_by_its_name(network: Network, reacting: React) -> None:
    """From IPv4 to IPv6. The office has nothing to send, so only its name says where it is."""
    net = star(network, ["office", "other"])
    office, other = net.spokes["office"], net.spokes["other"]
    peers = [
        peer_of(net.hub, office, endpoint="office.example:51820"),
        peer_of(net.hub, other, endpoint="other.example:51820"),
    ]
    inventory = write_site(network, {"hub": {"wirewatch_peers": peers}})
    net.hub.host.add_address("2001:db8::1")
    with names(net.hub.host) as name:
        name({"office.example": ["192.0.2.11"], "other.example": ["192.0.2.99"]})
        net.shake_hands()
        with reacting(net.hub.host, [net.hub]).start("re_resolve", inventory) as running:
            office.host.move_to("2001:db8::77")
            name({"office.example": ["2001:db8::77"], "other.example": ["192.0.2.99"]})
            net.hub.host.start([tool("ping"), "-i", "0.5", office.tunnel_address])
            wait_for(
                lambda: net.hub.endpoint_of(office.public_key) == "[2001:db8::77]:51820",
                PATIENCE,
                f"the office to be looked for where it is; {running.output}",
            )
            net.hub.host.ping_until_answered(office.tunnel_address)
            assert net.hub.endpoint_of(other.public_key) == other.endpoint, "a peer that answers was moved"
            assert {report.host for report in running.tasks} == {"hub"}


def test_of_an_event_about_one_peer_the_others_names_are_not_looked_up(network: Network, play: Player) -> None:
    """Else hundreds that are down at once would have each name looked up hundreds of times."""
    net = star(network, ["office", "other"])
    peers = [peer_of(net.hub, net.spokes[name], endpoint=f"{name}.example:51820") for name in ("office", "other")]
    inventory = write_site(network, {"hub": {"wirewatch_peers": peers}})
    office = net.spokes["office"].public_key
    with names(net.hub.host) as name:
        name({"office.example": ["192.0.2.77"], "other.example": ["192.0.2.99"]})
        of_both: dict[str, list[str | None]] = {}
        for key in (office, None):
            run = play(
                inventory, play_of("re_resolve", "hub", "down", interface=net.hub.name, public_key=key), "--check"
            )
            found = run.result("Look up where they should be", "hub")["results"]
            of_both[key or "all"] = [one["item"]["endpoint"] for one in found]
    assert of_both == {office: ["office.example:51820"], "all": ["office.example:51820", "other.example:51820"]}


def test_names_are_looked_up_again_while_a_peer_is_down(network: Network, reacting: React) -> None:
    net = star(network, ["office", "mobile"])
    office = net.spokes["office"]
    peers = [peer_of(net.hub, office, endpoint="office.example:51820"), peer_of(net.hub, net.spokes["mobile"])]
    net.hub.set_peer(office.public_key, endpoint="192.0.2.99:51820")
    with names(net.hub.host) as name:
        reactions = reacting(net.hub.host, [net.hub])
        inventory = write_site(network, {"hub": {"wirewatch_peers": peers}})
        variables: dict[str, Any] = {"wg_heartbeat": 2}
        with reactions.start("re_resolve", inventory, **variables, wirewatch_check=True) as running:
            wait_for_task(running, "Look up where they should be", 2)  # in vain
            assert not [report for report in running.tasks if report.status == "failed"], running.output
            name({"office.example": ["192.0.2.11", "192.0.2.12"]})
            running.wait_for_output(f"{office.public_key}: 192.0.2.99:51820 -> 192.0.2.11:51820", PATIENCE)
            assert net.hub.endpoint_of(office.public_key) == "192.0.2.99:51820"
        with reactions.start("re_resolve", inventory, **variables) as running:
            wait_for(
                lambda: net.hub.endpoint_of(office.public_key) == "192.0.2.11:51820",
                PATIENCE,
                "the address of the name",
            )
            # What is one of the name's addresses already stays.
            net.hub.set_peer(office.public_key, endpoint="192.0.2.12:51820")
            done = len(running.reports("Set where they are now"))
            wait_for_task(running, "Set where they are now", done + 2)
            assert net.hub.endpoint_of(office.public_key) == "192.0.2.12:51820"

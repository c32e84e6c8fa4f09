# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known keys are planted, everything is run at its most talkative, and all it says, writes and holds is searched for them.

That the search finds each form at each place is shown in tests/test_secrets.py.
"""

from __future__ import annotations

import base64
import json
import random
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from eda.rulebooks import wait_for_rule, write_rulebook
from integration import confession
from integration.source import Source
from lab import (
    Ansible,
    Interface,
    Network,
    Star,
    generate_keys,
    generate_preshared_key,
    star,
    uapi,
    wait_for,
    write_inventory,
)
from lab.leaks import Search
from lab.wireguard import SOCKET_FOLDER
from model import mutate

SEED = 20261125

TALKATIVE = {
    "ANSIBLE_DEBUG": "1",
    "ANSIBLE_KEEP_REMOTE_FILES": "1",
    "ANSIBLE_DISPLAY_TRACEBACK": "always",
    "ANSIBLE_INJECT_INVOCATION": "1",
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    "PYTHONASYNCIODEBUG": "1",
}


def keys_of(net: Star) -> list[str]:
    """The private and preshared keys of a network."""
    interfaces = [net.hub, *net.spokes.values()]
    return [one.keys.private for one in interfaces if one.keys] + list(net.preshared_keys.values())


def spoiled_daemon(network: Network) -> uapi.FakeDaemon:
    """Every other answer has keys where none are due, the rest are spoiled at random. What ends too early hangs up."""
    chance = random.Random(SEED)
    keys = [secret.hex() for secret in mutate.SECRETS.values()]
    wrong = [f"private_key={keys[0]}0", *keys]
    wrong += [f"public_key={keys[0]}\n{name}={keys[1]}" for name in ("endpoint", "allowed_ip", "rx_bytes")]

    def behave(connection: uapi.Connection) -> None:
        lines = f"private_key={keys[0]}\nlisten_port=51820\n{chance.choice(wrong)}\nerrno=0\n\n".encode()
        spoiled = mutate.spoil_text(chance, mutate.daemon_answer(chance))
        connection.send(lines if len(daemon.requests) % 2 else spoiled)

    daemon = uapi.FakeDaemon(SOCKET_FOLDER, f"ww{network.run_id}bad", behave)
    return daemon


def rotate(interface: Interface, peer: str, told: Callable[[bool, bool], object]) -> list[str]:
    """Sets another preshared key, and another, and none; each is told before the next. The keys."""
    keys = [generate_preshared_key(), generate_preshared_key()]
    for key, previous in zip(keys, (False, True)):
        interface.set_peer(peer, preshared_key=key)
        told(previous, True)
    interface.set("peer", peer, "preshared-key", "/dev/null")
    told(True, False)
    return keys


# --- modules and roles


EVERYTHING = """
- hosts: all
  gather_facts: false
  ignore_errors: true
  tasks:
    - name: devices
      wirewatch.wireguard.wg_device_info:
        interfaces: ["{{ wg_interface }}"]
      register: before
    - wirewatch.wireguard.wg_facts:
        interfaces: ["{{ wg_interface }}"]
    - wirewatch.wireguard.wg_device_info:
        interfaces: ["{{ wg_interface }}"]
        expected_keepalive: 25
      diff: true
      check_mode: true
    - ansible.builtin.debug:
        var: hostvars[inventory_hostname]

- hosts: hub
  gather_facts: false
  ignore_errors: true
  tasks:
    - name: handshakes
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        condition: first_handshake
        timeout: 10
    - name: in vain
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        baseline: "{{ before.devices }}"
        condition: recreated
        timeout: 0.3
        sleep: 0.1
    - name: spoiled
      wirewatch.wireguard.wg_device_info:
        interfaces: ["{{ wg_interface }}", "{{ bad }}"]
      loop: [0, 1, 2]
    - name: spoiled facts
      wirewatch.wireguard.wg_facts:
        interfaces: ["{{ bad }}"]
    - name: watched while spoiled
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ bad }}"
        condition: recreated
        timeout: 1
        sleep: 0.01

- hosts: all
  gather_facts: false
  ignore_errors: true
  tasks:
    - name: the role
      ansible.builtin.include_role:
        name: wirewatch.wireguard.mesh_check
      vars:
        mesh_check_interfaces: ["{{ wg_interface }}"]
        mesh_check_full_mesh: true
        mesh_check_report: mesh.html
"""


def test_modules_and_roles_at_their_most_talkative(
    network: Network, collections_path: Path, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    net = star(network, ["east"])
    net.shake_hands()
    ansible = Ansible(collections_path, tmp_path)
    ansible.environment.update(TALKATIVE)
    playbook = tmp_path / "everything.yml"
    playbook.write_text(EVERYTHING, encoding="utf-8")
    with spoiled_daemon(network) as bad:
        variables = {"bad": bad.path.stem}
        with ansible.playbook(playbook, write_inventory(network), "-vvvv", variables=variables) as running:
            running.wait(120)
        asked = len(bad.requests)
    # What is searched is what it should be: modules that saw the keys, and failed over them, and said so.
    (device,) = running.result("devices", "hub")["devices"]
    assert device["peers"][0]["has_preshared_key"] is True
    assert running.result("handshakes")["satisfied"] is True
    assert running.result("in vain")["reason"]
    looks = running.result("spoiled")["results"]
    assert [bad.path.stem in look.get("msg", "") for look in looks] == [True] * 3, "not each looked and failed"
    assert f"Interface {bad.path.stem} can't be read" in running.output
    assert asked > 20
    assert len(list(tmp_path.rglob("AnsiballZ_wg_*.py"))) >= 7, "the files of the modules were not kept"
    assert "EXEC /bin/sh -c" in running.output, "that is not what -vvvv says"
    assert "TRACEBACK" in running.output.upper()
    assert (tmp_path / "mesh.html").exists(), "the role wrote no report"
    search = Search([*keys_of(net), *mutate.PLANTED])
    assert not search.leaks(tmp_path, network.folder)
    figure(f"{search}: none there")


# --- the event source


TYPES_OF_OURS = {
    "Batch",
    "Clock",
    "Device",
    "Encoder",
    "InterfaceReader",
    "ListeningNamespace",
    "LivenessOptions",
    "Peer",
    "Reuse",
    "Source",
    "StateFile",
    "Stream",
    "Target",
    "Tracker",
    "Triggers",
    "Trouble",
    "UserspaceReader",
    "WatchOptions",
    "Watcher",
}


def dump_database(path: Path, output: Path) -> None:
    """All tables of a state file as SQL, read from a copy: reading would write back the log that a kill has left."""
    copy = output.with_suffix(".copy")
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        output.write_text("\n".join(connection.iterdump()), encoding="utf-8")


def test_the_source_with_all_its_logs_its_state_file_and_its_whole_heap(
    network: Network, import_folder: Path, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    net = star(network, ["east"], preshared=False)
    peer = net.spokes["east"].public_key
    state, heap = tmp_path / "state.db", tmp_path / f"{confession.HEAP}.json"
    arguments = {
        "interfaces": [net.hub.name, f"ww{network.run_id}bad", f"ww{network.run_id}?*"],
        "interval": 0.05,
        "heartbeat": 0.2,
        "initial": "resume",
        "state_file": str(state),
    }
    python = [sys.executable, "-X", "dev", confession.__file__, str(tmp_path)]
    with spoiled_daemon(network) as bad, Source(
        import_folder, arguments, tmp_path, net.hub.host, python=python
    ) as source:
        source.wait_for("peer_added", public_key=peer)
        rotations: Counter[tuple[bool, bool]] = Counter()

        def told(previous: bool, current: bool) -> None:
            rotations[previous, current] += 1
            source.wait_for(
                "peer_preshared_key_changed",
                rotations[previous, current],
                previous=previous,
                current=current,
                public_key=peer,
            )

        keys = keys_of(net) + rotate(net.hub, peer, told)
        # It goes on with a key that stays, so that it is there while all is written down.
        keys.append(generate_preshared_key())
        for one, other in ((net.hub, net.spokes["east"]), (net.spokes["east"], net.hub)):
            one.set_peer(other.public_key, preshared_key=keys[-1])
        told(False, True)
        net.shake_hands()
        source.wait_for("peer_handshake_refreshed", public_key=peer)
        mine = generate_keys()
        net.hub.set_private_key(mine)
        source.wait_for("interface_changed", field="public_key", current=mine.public)
        keys.append(mine.private)
        wait_for(lambda: len(bad.requests) >= 40, 30, "forty spoiled answers")
        bad.die()
        source.wait_for("interface_removed", interface=bad.path.stem)
        source.signal(signal.SIGUSR1)
        wait_for(heap.exists, 30, "the source to write down its heap")
        reasons = [event["reason"] for event in source.events if event["type"] == "watch_degraded"]
    dump_database(state, tmp_path / "state.sql")
    counted = json.loads(heap.read_text(encoding="utf-8"))
    assert counted.keys() >= TYPES_OF_OURS, TYPES_OF_OURS - counted.keys()
    assert any(f"Interface {bad.path.stem} can't be read" in reason for reason in reasons), reasons
    assert peer in (tmp_path / "state.sql").read_text(encoding="utf-8")
    log = (tmp_path / confession.DEBUG_LOG).read_text(encoding="utf-8", errors="replace")
    assert "wirewatch.wireguard.wg_events WARNING" in log
    assert "asyncio DEBUG" in log, "what it stands on was not asked to talk"
    for part in (tmp_path / confession.HEAP, Path(f"{state}-wal"), tmp_path / "events.jsonl"):
        public = (peer.encode(), base64.b64decode(peer))
        assert any(key in part.read_bytes() for key in public), f"{part.name} knows nothing of the peer"
    search = Search([*keys, *mutate.PLANTED])
    assert not search.leaks(tmp_path)
    figure(f"{search}: none there; {sum(counted.values()):,} objects of {len(counted)} types in its heap")


def test_a_rulebook_is_told_of_rotations_and_of_no_key(
    network: Network, collections_path: Path, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    net = star(network, ["east"], preshared=False)
    peer = net.spokes["east"].public_key
    ansible = Ansible(collections_path, tmp_path)
    ansible.environment.update(TALKATIVE)
    arguments = {"interfaces": [net.hub.name], "netns": [net.hub.host.namespace], "interval": 0.1}
    rulebook = write_rulebook(tmp_path, arguments)
    with ansible.rulebook(rulebook, write_inventory(network), "-vv", "--print-events") as running:
        wait_for_rule(running, "peer_added", public_key=peer)
        keys = rotate(
            net.hub,
            peer,
            lambda previous, current: wait_for_rule(
                running, "peer_preshared_key_changed", public_key=peer, previous=str(previous), current=str(current)
            ),
        )
    search = Search([*keys_of(net), *keys])
    assert not search.leaks(tmp_path, network.folder)
    figure(f"{search}: none there")

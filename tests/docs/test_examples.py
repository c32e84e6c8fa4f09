# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example of the README, the guides, the roles and ansible-doc runs, for real, on a WireGuard network.

Only names are put in: the interface for wg0, the peer's key, folders of the test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import yaml
from docs import event_examples
from docs.pages import CHECKOUT, PAGES, blocks, plugin_examples, shown_files
from lab import Ansible, Network, Star, star, wait_for, write_inventory
from lab.commands import tool
from lab.player import Player
from static.sanity import copy_tracked_files

OFFICE = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

# What a page shows of a file is tested as that file is.
EXAMPLES = [
    (f"{page} {number}", text)
    for page in PAGES
    for number, text in enumerate(blocks(page, "yaml"), 1)
    if text not in shown_files(page).values()
]


def kind_of(text: str) -> str:
    """playbook, rulebook, a reaction (a playbook that a rulebook starts), or an excerpt that is none of them."""
    parsed = yaml.safe_load(text)
    if "ansible_eda" in text:
        return "reaction"
    if isinstance(parsed, list) and "sources" in parsed[0]:
        return "rulebook"
    if isinstance(parsed, list) and "hosts" in parsed[0]:
        return "playbook"
    return "excerpt"


PLAYBOOKS = [pytest.param(text, id=name) for name, text in EXAMPLES if kind_of(text) == "playbook"]
RULEBOOKS = [pytest.param(text, id=name) for name, text in EXAMPLES if kind_of(text) == "rulebook"]
REACTIONS = [pytest.param(text, id=name) for name, text in EXAMPLES if kind_of(text) == "reaction"]
(REACTION,) = [text for text in blocks("docs/react.md", "yaml") if kind_of(text) == "reaction"]
PLUGINS = [pytest.param(text, id=name) for name, text in plugin_examples()]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Star]:
    """A hub, which the examples call gw1, and an office that has shaken hands with it."""
    with Network() as network:
        made = star(network, ["office"], keepalive=25, preshared=False)
        made.shake_hands()
        yield made


@pytest.fixture(scope="module")
def inventory(gateway: Star) -> Path:
    """The hub as gw1, the only host there is to the examples."""
    folder = gateway.network.folder
    interpreter = next(
        host["ansible_python_interpreter"]
        for name, host in yaml.safe_load(write_inventory(gateway.network).read_text())["all"]["hosts"].items()
        if name == "hub"
    )
    host = {"ansible_connection": "local", "ansible_python_interpreter": interpreter, "ansible_become": False}
    path = folder / "gateways.yml"
    path.write_text(yaml.safe_dump({"gateways": {"hosts": {"gw1": host}}}))
    return path


@pytest.fixture
def fill_in(gateway: Star, tmp_path: Path) -> Callable[[str], str]:
    """Puts this network's names into an example."""
    office = gateway.spokes["office"].public_key
    move = tmp_path / "move-office"
    command = f"{tool('wg')} set {gateway.hub.name} peer {office} endpoint"
    back = f"{command} {gateway.spokes['office'].endpoint}"
    move.write_text(f"#!/bin/sh\nset -e\n{command} 198.51.100.4:40000\n(sleep 3; {back}) >/dev/null 2>&1 &\n")
    move.chmod(0o755)
    names = {
        "/usr/local/bin/move-office": str(move),
        "/var/lib/wirewatch": str(tmp_path),
        "{{ vault_publisher_password }}": "not-a-password",
        # Into a folder of its own, as for an image: this machine is to stay as it is.
        "event_publisher_config:": "event_publisher_client: none\n"
        f"        event_publisher_root: {tmp_path}/image\n        event_publisher_config:",
        "netns: vpn": f"netns: {gateway.hub.host.namespace}",
        "wg0": gateway.hub.name,
        OFFICE: office,
    }

    def replace(text: str) -> str:
        for name, value in names.items():
            text = text.replace(name, value)
        return text

    return replace


@pytest.fixture(scope="module")
def inside(gateway: Star, collections_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    """Ansible's commands in the hub's namespace, where the examples would be run."""
    folder = tmp_path_factory.mktemp("inside")
    for name in ("ansible-rulebook", "ansible-playbook"):
        script = folder / name
        real = Path(sys.executable).with_name(name)
        script.write_text(f'#!/bin/sh\nexec {tool("ip")} netns exec {gateway.hub.host.namespace} {real} "$@"\n')
        script.chmod(0o755)
    return Ansible(collections_path, folder, bin_folder=folder)


@pytest.mark.parametrize("text", PLAYBOOKS)
def test_playbooks_of_the_pages_run(text: str, play: Player, inventory: Path, fill_in: Callable[[str], str]) -> None:
    running = play(inventory, fill_in(text))
    assert running.tasks, "no task ran"


@pytest.mark.parametrize("text", REACTIONS)
def test_reactions_of_the_pages_run(text: str, play: Player, inventory: Path) -> None:
    """As a rulebook starts them, with the event in a variable."""
    variables = {"ansible_eda": {"event": {"wireguard": event_examples.examples()["peer_removed"]}}}
    running = play(inventory, text, variables=variables)
    assert running.tasks, "no task ran"


def test_who_comes_from_wg_finds_what_they_know(gateway: Star, fill_in: Callable[[str], str]) -> None:
    """The office has just shaken hands: it is among the silent only where there is no patience at all."""
    (script,) = blocks("docs/coming-from.md", "sh")
    office = gateway.spokes["office"].public_key
    for patience, silent in (("180", ""), ("-1", f"{office}\n")):
        command = ["ip", "netns", "exec", gateway.hub.host.namespace, "bash", "-euo", "pipefail", "-c"]
        text = fill_in(script).replace("> 180", f"> {patience}")
        done = subprocess.run([*command, text], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, silent, "")


@pytest.mark.parametrize("text", PLUGINS)
def test_examples_of_ansible_doc_run(text: str, play: Player, inventory: Path, fill_in: Callable[[str], str]) -> None:
    tasks = yaml.safe_load(fill_in(text))
    variables = {"revoked_keys": [OFFICE]}
    playbook = [{"hosts": "all", "gather_facts": False, "vars": variables, "tasks": tasks}]
    running = play(inventory, yaml.safe_dump(playbook, sort_keys=False))
    assert {task["name"] for task in tasks} <= {report.task for report in running.tasks}


@pytest.mark.parametrize("text", RULEBOOKS)
def test_rulebooks_of_the_pages_run(
    text: str, inside: Ansible, gateway: Star, inventory: Path, fill_in: Callable[[str], str], tmp_path: Path
) -> None:
    """Each until it has said what its rule says, by itself or by the playbook that it starts."""
    office = gateway.spokes["office"].public_key
    (tmp_path / "peer_removed.yml").write_text(fill_in(REACTION))
    rulebook = tmp_path / "rulebook.yml"
    rulebook.write_text(fill_in(text))
    moves = "peer_endpoint_changed" in text
    said = f"{office} moved to" if moves else f"{office} was removed"
    ports = count(40000)

    def change_something() -> bool:
        """What is there at the first look is no change, and when that look is nobody says: so change again and again."""
        port = next(ports)
        if port % 2 and not moves:
            gateway.hub.remove_peer(office)
        else:
            gateway.hub.set_peer(office, endpoint=f"198.51.100.4:{port}", allowed_ips=["10.9.0.11/32"])
        return said in running.output

    with inside.rulebook(rulebook, inventory) as running:
        wait_for(change_something, 60, f"the rulebook to say '{said}'; it printed {running.output}", interval=1.5)


def test_the_readme_says_how_to_install(tmp_path: Path) -> None:
    """Its commands, in a checkout, with a home of their own."""
    copy = copy_tracked_files(CHECKOUT, tmp_path)
    commands = blocks("README.md", "shell")[0]
    assert "ansible-galaxy collection install" in commands
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-e", "-c", commands], cwd=copy, env=environment, check=True, capture_output=True)
    installed = home / ".ansible/collections/ansible_collections/wirewatch/wireguard"
    assert (installed / "plugins/modules/wg_device_info.py").is_file()

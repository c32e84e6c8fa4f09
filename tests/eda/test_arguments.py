# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What wrong arguments get from the real ansible-rulebook, and from the source run by hand."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from collection import CHECKOUT
from eda.rulebooks import write_rulebook
from lab import Ansible, Network, star, wait_for
from lab.commands import tool

INVENTORY = "localhost ansible_connection=local\n"

WRONG = [
    ({"interval": 0}, "interval is 0 and must be a number of at least 0.05"),
    ({"interfaces": []}, "interfaces is an empty list"),
    ({"interfaces": ["abcdefghijklmnop"]}, "an interface name has at most 15"),
    ({"types": ["peer_vanished"]}, "types has 'peer_vanished', which is no event type"),
    ({"peers": ["c2hvcnQ="]}, "it has 8 characters, and a key in base64 has 44"),
    ({"initial": "resume", "state_file": "/nosuch/state.db"}, "there is no directory /nosuch: create it first"),
    ({"hosts": []}, "an empty list would run playbooks on all"),
    ({"intervall": 1}, "There is no argument intervall"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG, ids=[sentence for _arguments, sentence in WRONG])
def test_a_wrong_argument_ends_the_rulebook_with_a_sentence(
    ansible: Ansible, tmp_path: Path, arguments: dict, sentence: str
) -> None:
    inventory = tmp_path / "inventory"
    inventory.write_text(INVENTORY)
    with ansible.rulebook(write_rulebook(tmp_path, arguments), inventory) as running:
        status = running.wait(60)
    assert status != 0
    assert sentence in running.output
    assert "Traceback (most recent call last)" not in running.output


# --- by hand


def by_hand(collections_path: Path, argument: str) -> list[str]:
    source = "ansible_collections/wirewatch/wireguard/extensions/eda/plugins/event_source/wg_events.py"
    return [sys.executable, str(collections_path / source), argument]


def test_by_hand_it_prints_events_as_lines_of_json(collections_path: Path, network: Network, tmp_path: Path) -> None:
    net = star(network, ["east"])
    east = net.spokes["east"].public_key
    output = tmp_path / "output"
    argument = json.dumps({"interfaces": [net.hub.name], "interval": 0.2})
    command = [tool("ip"), "netns", "exec", net.hub.host.namespace, *by_hand(collections_path, argument)]
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:

        def types() -> list[str]:
            lines = output.read_text().splitlines(keepends=True)
            return [json.loads(line)["wireguard"]["type"] for line in lines if line.endswith("\n")]

        wait_for(lambda: types() == ["interface_added", "peer_added"], 60, f"the inventory; {output.read_text()}")
        net.hub.remove_peer(east)
        wait_for(lambda: types()[-1] == "peer_removed", 60, "the removed peer")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert "Traceback" not in output.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("{", "The argument is to be a JSON object"),
        ("[]", "The argument is to be a JSON object"),
        ('{"interval": 0}', "interval is 0 and must be a number of at least 0.05"),
    ],
)
def test_by_hand_a_wrong_argument_is_a_sentence(collections_path: Path, argument: str, sentence: str) -> None:
    done = subprocess.run(by_hand(collections_path, argument), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("secret", ["12345", "00", "1e5", "0x1F", "True", "None", "'x'", 'a "b" \\', "{{ x }}", "ünï"])
@pytest.mark.parametrize("name", ["fleet_webhook", "fleet_kafka"])
def test_secrets_of_the_fleets_rulebooks_come_as_the_texts_that_they_are(name: str, secret: str) -> None:
    """By the templates of ansible-rulebook itself, which make a number of what looks like one."""
    from ansible_rulebook.util import substitute_variables

    (ruleset,) = yaml.safe_load((CHECKOUT / f"extensions/eda/rulebooks/{name}.yml").read_text(encoding="utf-8"))
    (plugin,) = (plugin for plugin in ruleset["sources"][0] if plugin not in ("name", "filters"))
    secrets = {"fleet_webhook": ["token"], "fleet_kafka": ["sasl_plain_username", "sasl_plain_password"]}[name]
    templates = {option: ruleset["sources"][0][plugin][option] for option in secrets}
    variables = {f"{name.partition('_')[2]}_{option}": secret for option in secrets}
    assert substitute_variables(templates, variables) == dict.fromkeys(secrets, secret)
    if name == "fleet_kafka":
        assert substitute_variables(templates, {}) == dict.fromkeys(secrets)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role event_publisher in check mode and out of it, from a bare host to none: what changes, and where the secret is."""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Any

import pytest
from lab import Running
from lab.player import Player

PLAYBOOK = """
- hosts: all
  gather_facts: false
  roles: [{role: wirewatch.wireguard.event_publisher}]
"""
SECRET = secrets.token_hex(16)
SINK = {
    "type": "kafka",
    "topic": "wireguard",
    "settings": {"bootstrap.servers": "kafka1.example.org:9093", "sasl.password_file": "/run/credentials/x/password"},
}


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "inventory"
    path.write_text(f"gw1 ansible_connection=local ansible_python_interpreter={sys.executable}\n", encoding="utf-8")
    return path


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, Any]:
    names = {"root": str(tmp_path / "root"), "client": "none", "sink": SINK, "secrets": {"password": SECRET}}
    return {f"event_publisher_{name}": value for name, value in names.items()}


def changes(running: Running) -> int:
    (count,) = re.findall(r"gw1 .*changed=(\d+) ", running.output)
    return int(count)


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_check_mode_says_what_would_change_and_no_diff_holds_the_secret(
    play: Player, inventory: Path, variables: dict[str, Any], tmp_path: Path
) -> None:
    root = tmp_path / "root"

    def run(*options: str, **more: str) -> Running:
        given = {**variables, **{f"event_publisher_{name}": value for name, value in more.items()}}
        # As a user gives a secret, from a file: -vvv shows the command line.
        path = tmp_path / "variables.json"
        path.write_text(json.dumps(given), encoding="utf-8")
        running = play(inventory, PLAYBOOK, "--diff", "-vvv", "--extra-vars", f"@{path}", *options)
        assert SECRET not in running.output
        return running

    assert changes(run("--check")) > 0
    assert not root.exists()
    assert changes(run()) > 0
    installed = files(root)
    assert {name: SECRET.encode() in content for name, content in installed.items()} == {
        "etc/systemd/system/wirewatch-publisher.service": False,
        "etc/wirewatch/credentials/password": True,
        "etc/wirewatch/publisher.json": False,
        "usr/local/lib/wirewatch/wirewatch.pyz": False,
    }
    assert (root / "etc/wirewatch/credentials/password").stat().st_mode & 0o777 == 0o600
    assert changes(run("--check")) == 0
    assert changes(run("--check", memory="64M")) > 0
    assert changes(run("--check", state="absent")) > 0
    assert files(root) == installed
    assert changes(run(state="absent")) > 0
    assert files(root) == {}
    assert changes(run(state="absent")) == 0


def test_a_virtual_environment_with_the_client_is_made_once_and_not_in_check_mode(
    play: Player, inventory: Path, variables: dict[str, Any], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    python = root / "usr/local/lib/wirewatch/venv/bin/python"
    task = "wirewatch.wireguard.event_publisher : Make a virtual environment with the Kafka client"

    def run(*options: str, **more: str) -> tuple[str, int]:
        """What became of the task, and how many there were that changed something."""
        given = {"client": "virtualenv", **more}
        chosen = {**variables, **{f"event_publisher_{name}": value for name, value in given.items()}}
        running = play(inventory, PLAYBOOK, *options, variables=chosen, timeout=300)
        return running.reports(task)[-1].status if running.reports(task) else "not run", changes(running)

    status, _count = run("--check")
    assert (status, root.exists()) == ("changed", False)
    assert run()[0] == "changed"
    assert os.spawnv(os.P_WAIT, str(python), ["python", "-c", "import confluent_kafka"]) == 0
    unit = (root / "etc/systemd/system/wirewatch-publisher.service").read_text(encoding="utf-8")
    assert "ExecStart=/usr/local/lib/wirewatch/venv/bin/python " in unit
    installed = files(root)
    assert run("--check") == ("ok", 0)
    assert run() == ("ok", 0)
    # Nobody has such a version: were it asked for, it would fail.
    assert run("--check", client_requirement="confluent-kafka>=1000")[0] == "changed"
    assert files(root) == installed
    assert run(state="absent")[0] == "not run"
    assert files(root) == {}


def test_the_distributions_client_is_a_package(play: Player, inventory: Path, variables: dict[str, Any]) -> None:
    """In check mode: what others on this machine use stays as it is."""
    chosen = {**variables, "event_publisher_client": "distribution"}
    running = play(inventory, PLAYBOOK, "--check", variables=chosen)
    task = "wirewatch.wireguard.event_publisher : Install the distribution's package of the Kafka client"
    # It may be there already.
    assert running.reports(task)[-1].status in ("ok", "changed")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"sink": {"type": "pigeon"}}, "event_publisher_sink has the type pigeon: let it be kafka or webhook"),
        ({"sink": {}}, "event_publisher_sink has the type (none): let it be kafka or webhook"),
        (
            {"sink": {**SINK, "settings": {"sasl.password": SECRET}}},
            "event_publisher_sink has sasl.password, which would stand where every user of the host may read it: put the "
            "secret into event_publisher_secrets, and give sasl.password_file",
        ),
        (
            {"sink": {**SINK, "settings": {"sasl.oauthbearer.assertion.private.key.passphrase": SECRET}}},
            "event_publisher_sink has sasl.oauthbearer.assertion.private.key.passphrase, which would stand where",
        ),
        ({"sink": {"type": "webhook", "token": SECRET}}, "event_publisher_sink has token, which would stand where"),
        (
            {"sink": {"type": "webhook", "url": f"https://user:{SECRET}@example.org/"}},
            "event_publisher_sink has a url with a user or a password in it, which would stand where",
        ),
        ({"secrets": {"x\n": SECRET}}, "which is no name of a file"),
        ({"secrets": {"../x": SECRET}}, "event_publisher_secrets has ../x, which is no name of a file"),
        ({"client": "pip"}, "value of event_publisher_client must be one of: auto, distribution, virtualenv, none"),
    ],
)
def test_what_can_not_be_is_refused_in_a_sentence(
    play: Player, inventory: Path, variables: dict[str, Any], tmp_path: Path, given: dict[str, Any], sentence: str
) -> None:
    wrong = {f"event_publisher_{name}": value for name, value in given.items()}
    running = play(inventory, PLAYBOOK, "-vv", variables={**variables, **wrong}, fails=True)
    assert sentence in " ".join(running.output.split())
    assert SECRET not in running.output
    assert not (tmp_path / "root").exists()

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playing short playbooks with the real ansible-playbook against a test network."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from lab import Ansible, Running


@pytest.fixture(scope="session", autouse=True)
def secrets_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the lab lists every private and preshared key that it makes: the whole run's list, else one of our own."""
    given = os.environ.get("WW_SECRETS_FILE")
    path = Path(given) if given else tmp_path_factory.mktemp("secrets") / "secrets"
    os.environ["WW_SECRETS_FILE"] = str(path)
    yield path
    if not given:
        del os.environ["WW_SECRETS_FILE"]
        path.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def ansible(collections_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    return Ansible(collections_path, tmp_path_factory.mktemp("ansible"))


class Player:
    """Plays tasks, and holds every run to the rules that hold everywhere: no secret, no traceback."""

    def __init__(self, ansible: Ansible, secrets_file: Path) -> None:
        self.ansible = ansible
        self._secrets_file = secrets_file

    def start(
        self, inventory: Path, playbook: str, *options: str, variables: Mapping[str, Any] | None = None
    ) -> Running:
        """ansible-playbook with this text as the playbook, to be used in a `with` block."""
        path = self.ansible.folder / "playbook.yml"
        path.write_text(playbook, encoding="utf-8")
        return self.ansible.playbook(path, inventory, *options, variables=variables)

    def __call__(
        self,
        inventory: Path,
        playbook: str,
        *options: str,
        variables: Mapping[str, Any] | None = None,
        fails: bool = False,
        timeout: float = 90,
    ) -> Running:
        """Play to the end; `fails` says that a task must fail."""
        with self.start(inventory, playbook, *options, variables=variables) as running:
            self.finish(running, fails, timeout)
        return running

    def finish(self, running: Running, fails: bool = False, timeout: float = 90) -> None:
        status = running.wait(timeout)
        self.check_output(running)
        assert (status != 0) == fails, running.output

    def check_output(self, running: Running) -> None:
        shown = running.output + json.dumps([report.result for report in running.tasks])
        secrets = self._secrets_file.read_text().split() if self._secrets_file.exists() else []
        leaked = sum(secret in shown for secret in secrets)  # a number: the assert below must not print them
        assert leaked == 0, "the output shows private or preshared keys"
        assert "Traceback" not in shown, running.output


@pytest.fixture
def play(ansible: Ansible, secrets_file: Path) -> Callable[..., Running]:
    return Player(ansible, secrets_file)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short playbooks for tests, each run held to the rules that hold everywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .processes import Ansible, Running


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

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source by hand, as a process of its own inside of a host's namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import apply
from integration.following import PATIENCE, Event, Mirror
from lab import Host, LabTimeout, wait_for
from lab.commands import tool

SOURCE = "ansible_collections/wirewatch/wireguard/extensions/eda/plugins/event_source/wg_events.py"


class Source:
    """Runs until its block ends. `events` has all that it told so far, in order."""

    def __init__(
        self,
        import_folder: Path,
        arguments: dict[str, Any],
        folder: Path,
        host: Host,
        patience: float = PATIENCE,
        python: Sequence[str] = (sys.executable,),
    ) -> None:
        """`python` is what runs the source's file: it gets that and the arguments."""
        argument = json.dumps({"host": "here", **arguments})
        self._command = [tool("ip"), "netns", "exec", host.namespace]
        self._command += [*python, str(import_folder / SOURCE), argument]
        self._output = folder / "events.jsonl"
        self._complaints = folder / "complaints"
        self._patience = patience

    def __enter__(self) -> Source:
        with self._output.open("wb") as output, self._complaints.open("wb") as complaints:
            environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
            self._process = subprocess.Popen(self._command, stdout=output, stderr=complaints, env=environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def events(self) -> list[Event]:
        lines = self._output.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line)["wireguard"] for line in lines if line.endswith("\n")]

    @property
    def mirror(self) -> Mirror:
        mirror: Mirror = {}
        for event in self.events:
            apply(mirror, event)
        return mirror

    def wait_for(self, kind: str, count: int = 1, **fields: object) -> Event:
        """Waits for so many events of this type with these values, and returns the last of them."""

        def told() -> list[Event] | None:
            assert self._process.poll() is None, self._complaints.read_text(encoding="utf-8")
            found = [
                event
                for event in self.events
                if event["type"] == kind and all(event[name] == value for name, value in fields.items())
            ]
            return found if len(found) >= count else None

        try:
            return wait_for(told, self._patience, f"{count} events {kind} with {fields}")[count - 1]
        except LabTimeout as error:
            types = [(event["type"], event["netns"], event["interface"], event["reason"]) for event in self.events]
            raise LabTimeout(f"{error} Told: {types}. Said: {self._complaints.read_text(encoding='utf-8')}") from None

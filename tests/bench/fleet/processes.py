# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a measurement around a broker: those that listen to it, and what they all get for an environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from collection import CHECKOUT
from confluent_kafka.admin import AdminClient, NewTopic
from lab import LabTimeout, Running, wait_for

from .listener import Heard

TOPIC = "wireguard"
PATIENCE = 120.0  # seconds


class Place:
    """Where processes run: a folder for what they write, and the import path that they need."""

    def __init__(self, folder: Path, import_folder: Path) -> None:
        self.folder = folder
        path = os.pathsep.join([str(import_folder), str(CHECKOUT / "tests")])
        self.environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    @staticmethod
    def command(module: str, *arguments: object) -> list[str]:
        """That runs a module of this package."""
        return [sys.executable, "-m", f"bench.fleet.{module}", *map(str, arguments)]

    def start(self, name: str, module: str, *arguments: object) -> Running:
        """For a `with` block."""
        return Running(self.command(module, *arguments), self.environment, self.folder, name, self.folder)


class Driven:
    """A module of this package as a process that answers each line with a line of JSON, and ends with its input."""

    def __init__(self, place: Place, module: str, *arguments: object, prefix: Sequence[str] = ()) -> None:
        """`prefix` is what the command begins with, as `ip netns exec NAME`."""
        command = [*prefix, *place.command(module, *arguments)]
        self._name = module
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=place.environment
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._input.close()
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Driven:
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self) -> None:
        self._input.write("\n")
        self._input.flush()

    def answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The {self._name} of the benchmark ended with status {self._process.wait()}")
        found: dict[str, float] = json.loads(line)
        return found

    @property
    def _input(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin


class Listening(Driven):
    """A consumer of the topic, in the group of all consumers."""

    def __init__(
        self, place: Place, address: str, topic: str = TOPIC, action: float = 0.0, prefix: Sequence[str] = ()
    ) -> None:
        """`action` is how many seconds it takes for each event, beside decoding it."""
        super().__init__(place, "listener", address, topic, "bench", action, prefix=prefix)

    def heard(self) -> Heard:
        """Since it was last asked."""
        self.ask()
        return Heard(**self.answer())  # type: ignore[arg-type]


def make_topic(address: str, partitions: int, topic: str = TOPIC) -> None:
    client = AdminClient({"bootstrap.servers": address})
    client.create_topics([NewTopic(topic, partitions, 1)])[topic].result(PATIENCE)


def wait_until_heard(
    listeners: Sequence[Listening], enough: Callable[[list[Heard]], bool], what: str, patience: float = PATIENCE
) -> list[Heard]:
    """Asks each once a second until all of it is enough, and returns the last answers."""
    heard: list[Heard] = []

    def is_enough() -> bool:
        heard[:] = [one.heard() for one in listeners]
        return enough(heard)

    try:
        wait_for(is_enough, patience, what, interval=1.0)
    except LabTimeout as error:
        raise LabTimeout(f"{error} Heard: {heard}") from None
    return heard

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The publisher as a process, as a service starts it: the zipapp and a file of arguments."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import Interface, Running, wait_for

PATIENCE = 90.0  # seconds

HURRIED = """\
import functools, sys

sys.path.insert(0, {zipapp!r})
from wirewatch import _command
from wirewatch._sender import PAUSES

_command.Publisher = functools.partial(_command.Publisher, pauses=PAUSES._replace(refused={pause!r}))
sys.exit(_command.main())
"""


def hurried(zipapp: Path, folder: Path, pause: float) -> Path:
    """A program that runs the zipapp, and what a sink refused is tried again after so many seconds in place of a minute."""
    path = folder / "hurried.py"
    path.write_text(HURRIED.format(zipapp=str(zipapp), pause=pause), encoding="utf-8")
    return path


class Publishing:
    """One publisher after the other with the same arguments; `start` gives the next one, for a `with` block."""

    def __init__(
        self,
        zipapp: Path,
        folder: Path,
        host: str,
        interface: Interface,
        sink: dict[str, Any],
        prefix: Sequence[str] = (),
        state_file: Path | None = None,
    ) -> None:
        """`prefix` is what its command begins with, as `ip netns exec NAME`; the state file is in `folder` by default."""
        self.host = host
        self._prefix = prefix
        self.interface = interface
        self._zipapp = zipapp
        self._folder = folder / host
        self._folder.mkdir(parents=True)
        self._starts = 0
        self._config = self._folder / "config.json"
        arguments = {
            "interfaces": [interface.name],
            "netns": [interface.host.namespace],
            "interval": 0.1,
            "host": host,
            "initial": "resume",
            "state_file": str(state_file or self._folder / "state.db"),
            "sink": sink,
        }
        self._config.write_text(json.dumps(arguments), encoding="utf-8")

    def start(self) -> Running:
        self._starts += 1
        command = [*self._prefix, sys.executable, str(self._zipapp), "watch", "--config", str(self._config)]
        return Running(command, os.environ, self._folder, f"publisher-{self._starts}", self._folder)


def wait_for_sentence(running: Running, words: str, timeout: float = PATIENCE) -> str:
    """The line that has these words."""
    wait_for(lambda: words in running.output, timeout, f"the publisher to say '{words}'")
    return next(line for line in running.output.splitlines() if words in line)

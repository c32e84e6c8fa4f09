# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook and ansible-rulebook as child processes whose output and task results we keep."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

from .commands import LabError, LabTimeout, wait_for
from .private import write_private
from .signals import deferred

T = TypeVar("T")

_CALLBACKS = Path(__file__).resolve().parent / "callback_plugins"


@dataclass(frozen=True)
class TaskResult:
    """What one task did on one host. `status`: started, ok, changed, failed, ignored, skipped, unreachable."""

    time: float  # epoch seconds when it was reported
    status: str
    host: str
    task: str
    result: dict[str, Any]


class Process(Protocol):
    @property
    def pid(self) -> int:
        """Of the process itself, not of what started it."""


def resident(running: Process) -> int:
    """KiB that it holds in memory."""
    status = Path(f"/proc/{running.pid}/status").read_text(encoding="ascii")
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kilobytes)


def cpu_seconds(running: Process) -> float:
    """That it used since it was started."""
    fields = Path(f"/proc/{running.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class CommandFailed(LabError):
    """A command did not do what was expected of it; `sentence` says what, `output` is all that it printed."""

    def __init__(self, sentence: str, output: str) -> None:
        super().__init__(f"{sentence} It printed:\n{output}")
        self.sentence = sentence
        self.output = output


class Running:
    """A started command. Leaving its block ends it and whatever it started."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], folder: Path, name: str, cwd: Path) -> None:
        """Start it in `cwd`. Its output and task results are `folder`/`name`.log and .results."""
        self.name = Path(argv[0]).name
        self._log = folder / f"{name}.log"
        self._results = folder / f"{name}.results"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**env, "LAB_RESULTS": str(self._results)},
                cwd=cwd,
                start_new_session=True,  # Ctrl-C on the terminal comes to us alone, who then end it in order
            )

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with deferred():
            self.end()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    @property
    def output(self) -> str:
        """Everything printed so far, both streams."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def tasks(self) -> list[TaskResult]:
        """Task reports so far, in order."""
        try:
            text = self._results.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [TaskResult(**json.loads(line)) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def reports(self, task: str, host: str | None = None) -> list[TaskResult]:
        """Reports of the end of a task, on one host or all."""
        return [
            report
            for report in self.tasks
            if report.task == task and host in (None, report.host) and report.status != "started"
        ]

    def result(self, task: str, host: str | None = None) -> dict[str, Any]:
        """The result of the task of this name; on the only host it ran on, or the one named."""
        found = self.reports(task, host)
        if len(found) != 1:
            raise self.failed(f"gave {len(found)} results of the task '{task}' where one was expected.")
        return found[0].result

    def wait_for_report(self, task: str, status: str, timeout: float = 30.0) -> TaskResult:
        """Wait until a task has this status; CommandFailed at once when the process ends before."""

        def reported() -> TaskResult | None:
            return next((report for report in self.tasks if (report.task, report.status) == (task, status)), None)

        return self._wait_for(reported, timeout, f"the task '{task}' was {status}")

    def wait_for_output(self, text: str, timeout: float = 30.0) -> None:
        """Wait until something was printed; CommandFailed at once when the process ends before."""
        self._wait_for(lambda: text in self.output, timeout, f"it printed '{text}'")

    def wait(self, timeout: float) -> int:
        """Wait for the end and return the exit status."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.end()
            raise self.failed(f"did not end within {timeout:g} seconds.") from None

    def succeed(self, timeout: float = 60.0) -> None:
        """Wait for the end; CommandFailed unless the exit status is 0."""
        status = self.wait(timeout)
        if status != 0:
            raise self.failed(f"ended with status {status}.")

    def end(self, patience: float = 5.0) -> None:
        """Ask the process to end. What it started and left behind is ended for good."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self.kill()

    def kill(self) -> None:
        """SIGKILL for the process and all it started, as a crash does it."""
        # Again, since one may have been forked after they were listed. Who is dead has no environment and is none of them.
        while family := self._family():
            for pid in family:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def _family(self) -> list[int]:
        """The process and all it started, told by the environment that they inherit.

        A process group would not do: ansible-rulebook's playbooks run in sessions of their own.
        """
        marker = f"LAB_RESULTS={self._results}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):  # it ended while we looked
                if marker in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found

    def _wait_for(self, predicate: Callable[[], T | None], timeout: float, what: str) -> T:
        def true_or_ended() -> T | None:
            ended = self.returncode is not None  # asked first: what it did last still counts
            value = predicate()
            if not value and ended:
                raise self.failed(f"ended before {what}.")
            return value

        try:
            return wait_for(true_or_ended, timeout, what)
        except LabTimeout:
            raise self.failed(f"was watched for {timeout:g} seconds, and not once {what}.") from None

    def failed(self, complaint: str) -> CommandFailed:
        """The error that says that this command did something wrong, with its output."""
        return CommandFailed(f"{self.name} {complaint}", self.output)


class Ansible:
    """The Ansible commands of one environment, shut off from the user's own configuration and home."""

    def __init__(self, collections_path: Path, folder: Path, bin_folder: Path | None = None) -> None:
        """`folder` gets every temporary file; `bin_folder` has the commands, by default beside the running Python."""
        self.folder = folder
        self._bin = bin_folder or Path(sys.executable).parent
        self._started = 0
        configuration = folder / "ansible.cfg"
        configuration.touch()  # an empty one, in place of the user's own
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "PATH": os.pathsep.join([str(self._bin), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]),
            "LC_ALL": "C.UTF-8",  # Ansible refuses to run without UTF-8
            "TMPDIR": str(folder),
            # ansible-rulebook's Java looks at no TMPDIR.
            "JAVA_TOOL_OPTIONS": f"-XX:-UsePerfData -Djava.io.tmpdir={folder}",
            "ANSIBLE_CONFIG": str(configuration),
            "ANSIBLE_HOME": str(folder / "ansible-home"),
            "ANSIBLE_REMOTE_TEMP": str(folder / "ansible-remote"),
            "ANSIBLE_COLLECTIONS_PATH": str(collections_path),
            "ANSIBLE_CALLBACK_PLUGINS": str(_CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "lab_results",
            "ANSIBLE_NOCOLOR": "1",
        }

    def playbook(
        self, playbook: Path, inventory: Path, *options: str, variables: Mapping[str, Any] | None = None
    ) -> Running:
        """Start ansible-playbook; to be used in a `with` block."""
        argv = ["ansible-playbook", "--inventory", str(inventory), *options]
        if variables:
            argv += ["--extra-vars", json.dumps(variables)]
        return self._start([*argv, str(playbook)])

    def rulebook(
        self, rulebook: Path, inventory: Path, *options: str, variables: Mapping[str, Any] | None = None
    ) -> Running:
        """Start ansible-rulebook; to be used in a `with` block.

        It looks for the playbooks of its actions from the rulebook's folder.
        """
        argv = ["ansible-rulebook", "--inventory", str(inventory), "--rulebook", str(rulebook), *options]
        if variables:
            path = self.folder / "rulebook-variables.json"
            write_private(path, json.dumps(variables))  # which may have a token or a password
            argv += ["--vars", str(path)]
        return self._start(argv, rulebook.parent)

    def _start(self, argv: Sequence[str], cwd: Path | None = None) -> Running:
        command = self._bin / argv[0]
        if not command.exists():
            raise LabError(f"There is no {argv[0]} in {self._bin}. Run scripts/setup first.")
        self._started += 1
        name = f"{argv[0]}-{self._started}"
        return Running([str(command), *argv[1:]], self.environment, self.folder, name, cwd or self.folder)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two tests at a time: layers that mostly wait, for engines, brokers and a machine, run beside the others.

They run in a second pytest, which writes each report down as it comes. When such a test has its turn here, it reports what it
reported there: so the order, the output and the summary are those of one run. A run of `scripts/test` does so that has others to
run as well, on a machine with two processors; a full run does not, since what it measures is to be published.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from layers import BESIDE, layer_of

# In a process that runs tests for another one: where it is to write their reports. What it starts itself is none.
VARIABLE = "WW_REPORTS"
REPORTS = os.environ.pop(VARIABLE, None)

INTERVAL = 0.2  # seconds between two looks for reports
PATIENCE = 120.0  # seconds for the second pytest to take down its networks where the run is cut short

_SECOND = pytest.StashKey["_Second"]()


class _Recorder:
    """In a process that runs tests for another one: writes each report down, as it comes."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._config = config
        self._path = path
        self._parent = os.getppid()

    def pytest_runtest_logstart(self) -> None:
        if os.getppid() != self._parent:
            pytest.exit("Who waited for these tests is gone")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._write(self._config.hook.pytest_report_to_serializable(config=self._config, report=report))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._write({"finished": nodeid})

    def _write(self, data: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(data) + "\n")


class Recorded:
    """The reports in such a file, by node id, as far as they came."""

    def __init__(self, path: Path) -> None:
        self.finished: set[str] = set()
        self._path = path
        self._read = 0  # bytes
        self._reports: dict[str, list[dict[str, Any]]] = {}

    def refresh(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if line.endswith(b"\n"):
                self._read += len(line)
                self._add(json.loads(line))

    def _add(self, data: dict[str, Any]) -> None:
        if "finished" in data:
            self.finished.add(data["finished"])
        else:
            self._reports.setdefault(data["nodeid"], []).append(data)

    def replay(self, item: pytest.Item, lacking: str) -> None:
        """Reports here what was reported there of this test; where that is nothing, a failure for the reason `lacking`."""
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for data in self._reports.get(item.nodeid, ()):
            hook.pytest_runtest_logreport(report=hook.pytest_report_from_serializable(config=item.config, data=data))
        if item.nodeid not in self.finished:
            report = pytest.TestReport(item.nodeid, item.location, {}, "failed", lacking, "call")
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


class _Second:
    """The second pytest."""

    def __init__(self, folder: Path, checkout: Path, nodeids: list[str]) -> None:
        self.nodeids = set(nodeids)
        self._recorded = Recorded(folder / "reports.jsonl")
        self._log = folder / "output.log"
        (folder / "nodeids").write_text("\n".join(nodeids), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-v", f"--basetemp={folder}/pytest", f"@{folder}/nodeids"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=checkout,
                env={**os.environ, VARIABLE: str(folder / "reports.jsonl")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def replay(self, item: pytest.Item) -> None:
        while True:
            ended = self._process.poll() is not None  # asked first: what it did last still counts
            self._recorded.refresh()
            if ended or item.nodeid in self._recorded.finished:
                break
            time.sleep(INTERVAL)
        said = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-60:] if ended else []
        self._recorded.replay(item, "\n".join(["The pytest that ran beside this one ended before this test:", *said]))
        if self.nodeids <= self._recorded.finished:
            self.end()  # the search for secrets looks at what it leaves

    def end(self) -> None:
        """Where it has tests left, as Ctrl-C does it."""
        self._recorded.refresh()
        if self._process.poll() is None and not self.nodeids <= self._recorded.finished:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def pytest_configure(config: pytest.Config) -> None:
    if REPORTS:
        config.pluginmanager.register(_Recorder(config, Path(REPORTS)))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the second pytest the machine comes first: it needs one processor, beside checks that need the other."""
    if REPORTS:
        items.sort(key=lambda item: layer_of(item.nodeid) != "kernel")


def pytest_collection_finish(session: pytest.Session) -> None:
    config = session.config
    if config.getoption("collectonly") or config.getoption("full") or (os.cpu_count() or 1) < 2:
        return
    run = os.environ.get("WW_RUN_FOLDER")
    beside = [item.nodeid for item in session.items if layer_of(item.nodeid) in BESIDE]
    if run is None or REPORTS or not beside or len(beside) == len(session.items):
        return
    folder = Path(run, "beside")
    folder.mkdir()
    session.stash[_SECOND] = _Second(folder, config.rootpath, beside)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    second = item.session.stash.get(_SECOND, None)
    if second is None or item.nodeid not in second.nodeids:
        return None
    second.replay(item)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where the run was cut short, so is the second one."""
    second = session.stash.get(_SECOND, None)
    if second is not None:
        second.end()

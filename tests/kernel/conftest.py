# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""These tests need the kernel's own WireGuard: they run here where this kernel has it, else in a virtual machine.

Then the machine is booted once, for all tests selected; it runs pytest with the same node ids, and each test reports here
what it reported there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kernel import vm
from lab import Network


def _this_kernel_has_wireguard() -> bool:
    with Network() as scratch:
        return scratch.backend == "kernel"


HERE = Path(__file__).parent
IN_GUEST = "WW_GUEST_REPORTS" in os.environ
RUNS_HERE = IN_GUEST or _this_kernel_has_wireguard()

LEFT_TO_THE_END: list[ExitStack] = []  # in the guest: networks that nobody takes down
GUEST_RESULTS = pytest.StashKey[dict]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "own_machine: steps the clock or unloads modules, so it runs in a virtual machine only"
    )
    if IN_GUEST:
        config.pluginmanager.register(_Recorder(config, Path(os.environ["WW_GUEST_REPORTS"])))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where the tests run on the host itself, its clock and its modules are not theirs to change."""
    if RUNS_HERE and not IN_GUEST:
        left_out = [item for item in items if item.get_closest_marker("own_machine")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


class _Recorder:
    """In the guest: writes each report down, as it comes."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._config = config
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(data) + "\n")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """On the host: replays what the guest reported of this test. Called for the tests of other folders too."""
    if RUNS_HERE or HERE not in item.path.parents:
        return None
    results = item.session.stash.get(GUEST_RESULTS, None)
    if results is None:
        results = item.session.stash[GUEST_RESULTS] = _run_in_guest(item)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for data in results.get(item.nodeid) or [_unreported(item, results["console"])]:
        report = data
        if isinstance(data, dict):
            report = item.config.hook.pytest_report_from_serializable(config=item.config, data=data)
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _run_in_guest(item: pytest.Item) -> dict:
    nodeids = [other.nodeid for other in item.session.items if HERE in other.path.parents]
    folder = item.config._tmp_path_factory.mktemp("guest")  # the fixture's factory; hooks get no fixtures
    reports = folder / "reports.jsonl"
    (folder / "nodeids").write_text("\n".join(nodeids), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name.startswith(("ANSIBLE_", "HYPOTHESIS_"))}
    environment |= {
        "WW_GUEST_REPORTS": str(reports),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": "/tmp",
        "HOME": "/tmp",
    }
    writable = []
    if "WW_SECRETS_FILE" in os.environ:
        environment["WW_SECRETS_FILE"] = os.environ["WW_SECRETS_FILE"]
        writable.append(Path(os.environ["WW_SECRETS_FILE"]).parent)
    full = item.config.getoption("--full")
    script = (
        f"mountpoint -q /tmp || mount -t tmpfs tmpfs /tmp\nip link set lo up\ncd {item.config.rootpath}\n"
        f"{sys.executable} -m pytest -v {'--full' if full else ''} --basetemp={folder}/pytest @{folder}/nodeids || true"
    )
    try:
        vm.run(script, folder, writable, environment, vm.TIMEOUT_FULL if full else vm.TIMEOUT)
        console = "The guest ended, and said nothing of this test.\n" + vm.tail(folder / "console.log")
    except (vm.GuestFailed, OSError, ValueError) as error:
        console = str(error)
    results: dict = {"console": console}
    if reports.exists():
        for line in reports.read_text(encoding="utf-8").splitlines():
            data = json.loads(line)
            results.setdefault(data["nodeid"], []).append(data)
    return results


def _unreported(item: pytest.Item, console: str) -> pytest.TestReport:
    return pytest.TestReport(
        item.nodeid, item.location, {}, "failed", f"No result from the virtual machine. {console}", "call"
    )


@pytest.fixture
def network() -> Iterator[Network]:
    """An empty network on the kernel's WireGuard, for one test."""
    with ExitStack() as stack:
        yield stack.enter_context(Network(backend="kernel"))
        if IN_GUEST:
            # Its kernel takes some 12 ms to remove a peer, two minutes for 10,000. The machine goes as a whole soon.
            LEFT_TO_THE_END.append(stack.pop_all())

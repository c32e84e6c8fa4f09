# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all layers share: the code importable as a collection, the collection as installed, order, skips, the summary."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

# For ansible-test, which starts pytest with settings of its own instead of pyproject.toml's.
sys.path.insert(0, str(Path(__file__).parent))

from collection import CHECKOUT, install, make_importable
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from layers import LAYERS, layer_of

pytest_plugins = ["lab.fixtures", "beside"]

IMPORT_FOLDER = make_importable(Path(tempfile.mkdtemp(prefix="wirewatch-import-")))
sys.path.append(str(IMPORT_FOLDER))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the long versions of tests that have one: some hours")
    parser.addoption("--rewrite-docs", action="store_true", help="write what the docs show of the code anew")


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether this is a full run."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes what a test measured, in a few words, for the end of the run and docs/reliability.md."""
    return lambda text: record_property("figure", text)


def pytest_configure(config: pytest.Config) -> None:
    # Here rather than in pyproject.toml, so that they hold under ansible-test too.
    config.addinivalue_line("markers", "only_full: runs with --full only, since it takes long however it is cut")
    config.addinivalue_line("filterwarnings", "error::pytest.PytestUnraisableExceptionWarning")
    # How long an example takes says how busy the machine is, and fails nothing.
    hypothesis_settings.register_profile(
        "wirewatch",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        max_examples=5000 if config.getoption("--full") else 400,
    )
    hypothesis_settings.load_profile("wirewatch")
    handle_ignored_signals()


def handle_ignored_signals() -> None:
    """Lets the processes that tests start have the signals that tests send them.

    Started in the background of a script, or by nohup, this process ignores some, and what is ignored stays so in children. What
    is handled does not: so they are handled here, by doing nothing.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)


def pytest_unconfigure() -> None:
    shutil.rmtree(IMPORT_FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def checkout() -> Path:
    return CHECKOUT


@pytest.fixture(scope="session")
def import_folder() -> Path:
    """What to put on PYTHONPATH of a process that imports the code from the checkout."""
    return IMPORT_FOLDER


@pytest.fixture(scope="session")
def collections_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection built and installed as a user does it; stands in ANSIBLE_COLLECTIONS_PATH."""
    return install(tmp_path_factory.mktemp("collections"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--full"):
        left_out = [item for item in items if item.get_closest_marker("only_full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]

    def rank(item: pytest.Item) -> int:
        layer = layer_of(item.nodeid)
        return LAYERS.index(layer) if layer in LAYERS else len(LAYERS) - 1

    items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> object:
    """A skip is a missing prerequisite, and what scripts/test runs has none missing: a failure there."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("WW_RUN_FOLDER"):
        report.outcome = "failed"
        report.longrepr = f"Skipped, which counts as a failure under scripts/test: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            counts[layer_of(report.nodeid)][outcome] += 1
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                counts[layer_of(report.nodeid)]["seconds"] += report.duration
    if not counts:
        return
    terminalreporter.section("layers")
    figures = [
        (report.nodeid, text)
        for report in terminalreporter.getreports("passed")
        for name, text in report.user_properties
        if name == "figure"
    ]
    for layer in sorted(counts, key=lambda name: LAYERS.index(name) if name in LAYERS else len(LAYERS)):
        count = counts[layer]
        bad = int(count["failed"] + count["error"])
        terminalreporter.write_line(
            f"{layer:<16} {int(count['passed']):>5} passed {bad:>4} failed {count['seconds']:>8.1f} s"
        )
    if figures:
        terminalreporter.section("figures")
    for nodeid, text in figures:
        terminalreporter.write_line(f"{nodeid.rpartition('::')[2]}: {text}")

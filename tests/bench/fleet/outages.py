# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What fails on the way: the long versions of the tests that kill brokers and publishers and cut networks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from bench.results import Log
from collection import CHECKOUT

from .processes import Place

PART = "outages"
FAILED = "tests that failed"
TESTS = "tests/fleet"
THESE = "killed or cut"


def measure(log: Log, place: Place, smoke: bool) -> None:
    """Each test's own words for what it measured, and its time."""
    result = place.folder / "outages.xml"
    command = [sys.executable, "-m", "pytest", TESTS, "-k", THESE, f"--junitxml={result}"]
    command += ["--collect-only", "-q"] if smoke else ["--full", f"--basetemp={place.folder / 'outages'}"]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout if done.returncode else done.stdout.strip().splitlines()[-1], flush=True)
    if smoke:
        return
    cases = list(_cases(result))
    for name, words, seconds, _failed in cases:
        log.add(PART, words, name, [seconds], "s")
    log.add("fleet", "outages", FAILED, [sum(failed for *_rest, failed in cases) if cases else 1], "")


def _cases(result: Path) -> list[tuple[str, str, float, bool]]:
    """(name, what it measured, seconds, whether it failed) of each test."""
    found = []
    for case in ElementTree.parse(result).iter("testcase"):
        figures = [one.get("value", "") for one in case.iter("property") if one.get("name") == "figure"]
        failed = any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
        words = "it failed" if failed else "; ".join(figures) or "it passed"
        found.append((case.get("name", ""), words, float(case.get("time", 0)), failed))
    return found


def _environment() -> dict[str, str]:
    """This process's, without the import path of the benchmarks: the tests have their own."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reliability.md promises nothing without a test: each row of it names one that is there, and what it measured."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from docs.pages import CHECKOUT, read

PAGE = read("docs/reliability.md")
TEST = re.compile(r"`(tests/[\w/]+\.py::\w+(?:\[[^]`]+\])?)`")
ROWS = [
    cells for cells in re.findall(r"^\| (.*) \| (.*) \| (.*) \| (.*) \|$", PAGE, re.MULTILINE) if cells[0] != "fault"
]


@pytest.fixture(scope="module")
def there() -> set[str]:
    """The tests of a full run in the files that the page names, with and without their parameters."""
    files = sorted({name.partition("::")[0] for name in TEST.findall(PAGE)})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--full", "-p", "no:cacheprovider"]
    command += [file for file in files if (CHECKOUT / file).is_file()]
    collected = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    tests = {line for line in collected.splitlines() if "::" in line}
    return tests | {test.partition("[")[0] for test in tests}


@pytest.mark.parametrize(("fault", "seen", "tests", "figure"), ROWS, ids=[cells[0] for cells in ROWS])
def test_each_row_has_tests_that_are_there_and_a_figure(
    there: set[str], fault: str, seen: str, tests: str, figure: str
) -> None:
    named = TEST.findall(tests)
    assert named, "a promise without a test"
    assert [test for test in named if test not in there] == []
    assert "PENDING" not in seen + figure


def test_the_page_names_no_test_outside_of_its_rows() -> None:
    assert len(TEST.findall(PAGE)) == sum(len(TEST.findall(tests)) for _fault, _seen, tests, _figure in ROWS) > 0

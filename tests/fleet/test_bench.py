# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of a fleet runs in small, and its figures come to a page. What they are is no test."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from bench.fleet import partitions, report
from bench.fleet.processes import Place
from bench.results import Log
from bench.tables import number


def test_each_part_of_the_benchmark_becomes_a_part_of_the_page(tmp_path: Path, import_folder: Path) -> None:
    log, place = Log(tmp_path / "rows"), Place(tmp_path, import_folder)
    for part in ("quiet", "partitions", "rulebook", "hosts"):
        import_module(f"bench.fleet.{part}").measure(log, place, smoke=True)
    rows = log.rows()
    assert {row.part for row in rows} == {"quiet", *partitions.KINDS, "rulebook", "hosts", "fleet"}
    page = report.page(rows, [])
    for row in rows:
        if row.part in partitions.KINDS:
            assert len(row.values) == 2, "the rounds of a case are one row"
            assert f"({number(min(row.values))} to {number(max(row.values))})" in page
    for row in rows:
        if row.part in report.SECTIONS:
            assert f"| {row.case} |" in page
    assert "## A hundred thousand hosts, on paper" in page

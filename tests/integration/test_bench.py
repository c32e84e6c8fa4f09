# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's part of the benchmarks runs, and its figures come to a page. What they are is no test."""

from __future__ import annotations

from pathlib import Path

from bench import host, machine, report
from bench.fleet import report as scaling
from bench.results import Log, Row
from bench.tables import Rows


def test_the_hosts_part_of_the_benchmarks_becomes_a_page(
    tmp_path: Path, collections_path: Path, import_folder: Path
) -> None:
    log = Log(tmp_path / "rows")
    host.main(log, collections_path, import_folder, smoke=True)
    rows = log.rows()
    assert {row.part for row in rows} == {"userspace", "modules", "source"}
    page = report.page(rows, machine.description(native=True), {"nlink 0.19.0": "there is no cargo"})
    assert "- Not measured: nlink 0.19.0, there is no cargo" in page
    for row in rows:
        assert f"| {row.case} |" in page


def test_a_bar_is_held_against_the_median_of_ratios() -> None:
    log = [
        Row("userspace", "10,000 peers, quiet", "bare get", [10.0, 20.0, 10.0]),
        Row("userspace", "10,000 peers, quiet", "ours", [12.0, 22.0, 90.0]),
        Row("source", "events into a queue", "without a state file", [19_000.0], "events/s"),
        Row("wgctrl-go", "1,000 peers, 0% changed", "wgctrl-go", [3.0]),
        Row("wgctrl-go", "1,000 peers, 0% changed", "ours", [3.0]),
    ]
    bars = {goal.measure: goal for goal in report.bars(Rows(log))}
    assert bars["poll of wireguard-go ÷ bare get, 10,000 peers"].figures == [1.2]
    assert bars["poll of wireguard-go ÷ bare get, 10,000 peers"].held
    assert not bars["events into a queue"].held
    assert not bars["poll ÷ wgctrl-go, 1,000, 10,000 and 50,000 peers, 0% changed"].held, "it is to be below 1"


def test_a_fleet_on_paper_is_made_of_what_was_measured() -> None:
    log = [
        Row("partitions", "1 partition", "events", [20_000.0], "/s"),
        Row("partitions", "1 partition", "cores of broker", [0.5], ""),
        Row("partitions", "1 partition", "cores of consumers", [1.0], ""),
        Row("rulebook", "1 in a group, 1 partition", "events of a topic", [2000.0], "/s"),
    ]
    page = scaling.page(log, [])
    # 100,000 hosts, 100 peers, twice 1/120 + 1/3600 events a second each.
    assert "| events/s at a peak | 172,222 | 5,556 |" in page
    assert "| rulebook instances that take all | 87 | 3 |" in page
    assert "| partitions: as the rate wants, and one for each rulebook | 87 | 3 |" in page
    assert "| brokers, at least one for each copy | 3 | 3 |" in page

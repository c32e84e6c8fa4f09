# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's part of the benchmarks runs, and measures what it says. What the figures are is no test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench import machine
from bench.results import Log


def test_the_kernels_part_of_the_benchmarks_measures_each_subject(tmp_path: Path, import_folder: Path) -> None:
    log = tmp_path / "rows"
    path = os.pathsep.join([str(import_folder), str(Path(__file__).parent.parent)])
    machine.run_natively([sys.executable, "-m", "bench.kernel", str(log), "smoke"], {"PYTHONPATH": path})
    measured = {(row.part, row.subject) for row in Log(log).rows()}
    assert measured == {
        ("kernel", "time"),
        ("floor", "floor"),
        ("floor", "ours"),
        ("tools", "ours"),
        ("tools", "wg show dump"),
        ("tools", "pyroute2"),
        ("memory", "growth"),
    }
    assert all(value > 0 for row in Log(log).rows() if row.unit == "ms" for value in row.values)
    assert subprocess.run(["ip", "link", "show", "ww100x2"], capture_output=True, check=False).returncode, (
        "it left a link"
    )

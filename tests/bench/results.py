# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured: lines of JSON, one for each subject of each comparison, with all its rounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Row(NamedTuple):
    """The rounds of one subject in one comparison. Rounds of the same number in a comparison were run one after the other."""

    part: str  # of the report
    case: str  # what was compared, as "10,000 peers, 1 % changed"
    subject: str
    values: Sequence[float]
    unit: str = "ms"

    @property
    def median(self) -> float:
        return median(self.values)


class Spread(NamedTuple):
    median: float
    low: float
    high: float


def ratio(one: Row, other: Row) -> Spread:
    """Of the pairs of rounds."""
    ratios = [a / b for a, b in zip(one.values, other.values)]
    return Spread(median(ratios), min(ratios), max(ratios))


class Log:
    """Rows as they come, in a file that another process may read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, part: str, case: str, subject: str, values: Sequence[float], unit: str = "ms") -> None:
        row = Row(part, case, subject, [round(value, 6) for value in values], unit)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        middle = f"{row.median:.3f} {unit} ({min(values):.3f} to {max(values):.3f})"
        print(f"{part:10} {case:40} {subject:24} {middle}", flush=True)

    def rows(self) -> list[Row]:
        if not self._path.exists():
            return []
        return [Row(*json.loads(line)) for line in self._path.read_text(encoding="utf-8").splitlines()]

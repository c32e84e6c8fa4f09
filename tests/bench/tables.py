# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as tables, and as figures held against bars."""

from __future__ import annotations

import datetime
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .results import Row, Spread, ratio

OURS = "ours"
_HOLDS = {"≤": operator.le, "<": operator.lt, "≥": operator.ge}


class Bar(NamedTuple):
    measure: str
    limit: float
    figures: Sequence[float]
    unit: str = "×"
    sign: str = "≤"  # what stands between a figure and the limit where it holds

    @property
    def held(self) -> bool:
        return all(_HOLDS[self.sign](figure, self.limit) for figure in self.figures)


class Rows:
    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = list(rows)

    def of(self, part: str) -> dict[str, dict[str, Row]]:
        """By case and subject."""
        cases: dict[str, dict[str, Row]] = {}
        for row in self._rows:
            if row.part == part:
                cases.setdefault(row.case, {})[row.subject] = row
        return cases

    def ratios(self, part: str, one: str, other: str, *words: str) -> list[float]:
        """Medians, of the cases that have each word."""
        return [
            ratio(subjects[one], subjects[other]).median
            for case, subjects in self.of(part).items()
            if one in subjects and other in subjects and all(word in case for word in words)
        ]

    def values(self, part: str, subject: str, *words: str) -> list[float]:
        return [
            subjects[subject].median
            for case, subjects in self.of(part).items()
            if subject in subjects and all(word in case for word in words)
        ]


def measured_on(machine: Sequence[str], missing: Mapping[str, str]) -> list[str]:
    """The machine, the day and what could not be measured, as a list."""
    lines = [f"- {line}" for line in [*machine, f"Measured on {datetime.date.today()}"]]
    return lines + [f"- Not measured: {name}, {why}" for name, why in missing.items()]


def goals(bars: Sequence[Bar]) -> list[str]:
    """What is to be reached, and what was."""
    lines = ["| measure | bar | reached | |", "|---|---|---|---|"]
    for goal in bars:
        figures = ", ".join(map(number, goal.figures))
        held = ("holds" if goal.held else "does not hold") if goal.figures else "not measured"
        lines.append(f"| {goal.measure} | {goal.sign} {goal.limit:,} {goal.unit} | {figures} | {held} |")
    return lines


def table(part: str, cases: Mapping[str, Mapping[str, Row]]) -> list[str]:
    subjects = list(dict.fromkeys(subject for rows in cases.values() for subject in rows))
    if OURS not in subjects:
        lines = ["| | what | figure |", "|---|---|---|"]
        return lines + [
            f"| {case} | {row.subject} | {_figure(row)} |" for case, rows in cases.items() for row in rows.values()
        ]
    others = [subject for subject in subjects if subject != OURS]
    titles = [OURS, *others, *[f"ours ÷ {other}" for other in others]]
    lines = [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for case, rows in cases.items():
        cells = [_figure(rows[name]) if name in rows else "" for name in (OURS, *others)]
        cells += [_spread(ratio(rows[OURS], rows[name])) if name in rows else "" for name in others]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return lines


def _figure(row: Row) -> str:
    return f"{number(row.median)} {row.unit}{bounds(row)}"


def bounds(row: Row) -> str:
    """Those of its rounds, where it has several."""
    return f" ({number(min(row.values))} to {number(max(row.values))})" if len(row.values) > 1 else ""


def _spread(spread: Spread) -> str:
    return f"**{number(spread.median)}** ({number(spread.low)} to {number(spread.high)})"


def number(value: float) -> str:
    if abs(value) >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.3g}"

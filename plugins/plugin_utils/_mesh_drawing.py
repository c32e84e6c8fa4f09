# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawings of a mesh as plain geometry: a circle of hosts for a small one, a matrix for a large one. In units of SVG."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ._mesh_links import SEVERITY, Link

# More hosts than these are a hair ball in a circle; the worst of them still make one.
MOST_IN_A_CIRCLE = 24
# More names than these are too small to be read beside a matrix.
MOST_NAMED_IN_A_MATRIX = 60
NAME = 22  # characters of a name that have room
LETTER = 9  # width of a letter of a name, somewhat more than it takes
NODE = 8  # radius of a host
ROOM = 40  # around the hosts: for names above and below, and for lines that bend outwards
CELL = 10  # side of a cell of the matrix
SMALL_LETTER = 6  # width of a letter of a name beside it

Point = Tuple[float, float]

# What lies on a link at its middle, around (0, 0), so that a state can be told without its colour.
MARKS = {
    "up": "",
    "idle": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "inactive": "M-4-4h8v8h-8z",
    "never": "M0-5L5 4h-10z",
    "down": "M-5-5h10v10h-10z",
    "half_open": "M0-6L6 0L0 6L-6 0z",
    "unresponsive": "M-5-3h10L0 6z",
    "missing": "M-5-5L5 5M-5 5L5-5",
}


def circle(hosts: Sequence[str], links: Sequence[Link]) -> Dict[str, Any]:
    """Hosts around a circle, clockwise from the top, and an arrow from each to whom it sees.

    `width`, `height`; `nodes` with `name`, `label`, `x`, `y`, `text_x`, `text_y`, `anchor`; `lines` with `link`, `path`, `head`,
    `mark` and its place `x`, `y`.
    """
    radius = max(100, 14 * len(hosts)) if len(hosts) > 1 else 0
    labels = [_label(host) for host in hosts]
    turns = [2 * math.pi * number / len(hosts) - math.pi / 2 for number in range(len(hosts))]
    left = max(ROOM, LETTER * max(map(len, labels)) + 3 * NODE) + radius
    top = ROOM + radius
    places: Dict[str, Point] = {
        host: (left + radius * math.cos(turn), top + radius * math.sin(turn)) for host, turn in zip(hosts, turns)
    }
    nodes = []
    for (host, (x, y)), label in zip(places.items(), labels):
        beside = abs(x - left) > radius / 6
        nodes.append(
            {
                "name": host,
                "label": label,
                "x": _short(x),
                "y": _short(y),
                "text_x": _short(x + (14 if x > left else -14) * beside),
                "text_y": _short(y + 5 if beside else y + (26 if y > top else -16)),
                "anchor": ("start" if x > left else "end") if beside else "middle",
            }
        )
    drawn: Dict[Tuple, int] = {}
    lines = []
    for link in links:
        if link.peer_host in places and link.host in places and link.host != link.peer_host:
            # Two hosts may be connected by more than one pair of interfaces: each bends more than the one before.
            turn = drawn[link.host, link.peer_host] = drawn.get((link.host, link.peer_host), 0) + 1
            lines.append({"link": link, **_arrow(places[link.host], places[link.peer_host], 0.12 * turn, link.state)})
    # The worst is drawn last and lies on top.
    height = max(y for _x, y in places.values()) + ROOM
    return {"width": round(2 * left), "height": round(height), "nodes": nodes, "lines": lines[::-1]}


def _arrow(start: Point, end: Point, bend: float, state: str) -> Dict[str, Any]:
    """A bent line between the rims of two hosts, its head, and the middle of it, where the mark goes."""
    along, across = end[0] - start[0], end[1] - start[1]
    middle = ((start[0] + end[0]) / 2 + across * bend * 2, (start[1] + end[1]) / 2 - along * bend * 2)
    first, last = _towards(start, middle, NODE + 2), _towards(end, middle, NODE + 9)
    tip = _towards(end, middle, NODE + 2)
    length = math.dist(last, tip) or 1
    side = ((tip[1] - last[1]) / length * 4, (last[0] - tip[0]) / length * 4)
    return {
        "path": "M%s %sQ%s %s %s %s" % tuple(map(_short, (*first, *middle, *last))),
        "head": "M%s %sL%s %sL%s %sz"
        % tuple(map(_short, (*tip, last[0] + side[0], last[1] + side[1], last[0] - side[0], last[1] - side[1]))),
        "mark": MARKS[state],
        "x": _short((first[0] + 2 * middle[0] + last[0]) / 4),
        "y": _short((first[1] + 2 * middle[1] + last[1]) / 4),
    }


def _towards(point: Point, other: Point, distance: float) -> Point:
    length = math.dist(point, other) or 1
    return (
        point[0] + (other[0] - point[0]) * distance / length,
        point[1] + (other[1] - point[1]) * distance / length,
    )


def matrix(hosts: Sequence[str], links: Sequence[Link]) -> Dict[str, Any]:
    """A row for each host, with a cell for each host that it sees: the worst state where there are several.

    `cell` and `size` in units; `labels`, and `room` for them at the left and at the top, none where they don't fit; `paths`: by
    state, the worst last, the path of its cells. Cells of one state beside each other are one stroke, so that a healthy mesh of any
    size takes few bytes.
    """
    numbers = {host: number for number, host in enumerate(hosts)}
    rows: Dict[int, Dict[int, str]] = {}
    for link in links:
        if link.host in numbers and link.peer_host in numbers:
            row = rows.setdefault(numbers[link.host], {})
            # They come with the worst first.
            row.setdefault(numbers[link.peer_host], link.state)
    strokes: Dict[str, List[str]] = {}
    for number, row in sorted(rows.items()):
        for state, first, count in _runs(row):
            strokes.setdefault(state, []).append("M%d %dh%d" % (first * CELL, number * CELL + CELL // 2, count * CELL))
    labels = [_label(host) for host in hosts] if len(hosts) <= MOST_NAMED_IN_A_MATRIX else []
    return {
        "cell": CELL,
        "size": len(hosts) * CELL,
        "labels": labels,
        "room": SMALL_LETTER * max(map(len, labels)) + CELL if labels else 0,
        "paths": {state: "".join(strokes[state]) for state in reversed(SEVERITY) if state in strokes},
    }


def _runs(row: Mapping[int, str]) -> List[Tuple[str, int, int]]:
    """Neighbours of one state: the state, the first column, how many."""
    runs: List[Tuple[str, int, int]] = []
    for column, state in sorted(row.items()):
        if runs and runs[-1][0] == state and runs[-1][1] + runs[-1][2] == column:
            runs[-1] = (state, runs[-1][1], runs[-1][2] + 1)
        else:
            runs.append((state, column, 1))
    return runs


def _label(host: str) -> str:
    return host if len(host) <= NAME else host[: NAME - 1] + "…"


def _short(value: float) -> str:
    return "%g" % round(value, 1)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the liveness tracker says of a recording, and what it must say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, List, Tuple

from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import LivenessOptions
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND, Device, Peer
from ansible_collections.wirewatch.wireguard.plugins.module_utils._tracker import Tracker

FOLDER = Path(__file__).parent / "liveness"
KEY = bytes(32)
WALL = 1_795_435_200 * SECOND  # the wall clock at the start of a recording, as good as any other

UNRESPONSIVE_WITHIN = 20  # seconds from the death of a peer under traffic
DOWN_WITHIN = 215  # seconds from the death of a peer with keepalive 25
REJECT_AFTER = 180  # seconds, whitepaper section 6.1

States = List[Tuple[float, str]]  # since when, in seconds since the start


def load(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def states(recording: dict[str, Any], side: str, declared: bool, interval: float, phase: float) -> States:
    """The states of one peer as a watcher with this interval, whose first look is at `phase`, reports them."""
    seen = recording[side]
    tracker = Tracker(LivenessOptions(expected_keepalive=seen["expected_keepalive"] if declared else 0))
    rows: Sequence[list[Any]] = seen["rows"]
    told: States = []
    number = 0
    row = -1
    device = Device("wg0", ifindex=7, up=True, has_private_key=True)
    while (at := phase + number * interval) <= recording["seconds"]:
        number += 1
        before = row
        while row + 1 < len(rows) and rows[row + 1][0] <= at:
            row += 1
        if row < 0:
            continue
        if row != before:
            device = device._replace(peers={KEY: _peer(rows[row], seen["persistent_keepalive"])})
        changes = tracker.update(device, WALL + round(at * SECOND), round(at * SECOND))
        told += [(at, state) for _before, state in changes.values() if state]
    return told


def _peer(row: list[Any], keepalive: int) -> Peer:
    _at, handshake, rx_bytes, tx_bytes = row
    handshake_ns = 0 if handshake is None else WALL + round(handshake * SECOND)
    return Peer(
        KEY,
        persistent_keepalive=keepalive,
        last_handshake_ns=handshake_ns,
        rx_bytes=rx_bytes,
        tx_bytes=tx_bytes,
    )


def check(recording: dict[str, Any], interval: float = 1.0, phase: float = 0.3) -> dict[str, float]:
    """Holds a recording against the table of docs/reliability.md. The delays found, in seconds, by what they are of."""
    name, dead_from, dead_until = recording["scenario"], recording["dead_from"], recording["dead_until"]
    delays: dict[str, float] = {}
    for side in ("a", "b"):
        if side == "b" and name.startswith("killed"):
            continue  # it is the one that was killed: nobody looks from there
        for declared in (True, False):
            told = states(recording, side, declared, interval, phase)
            said = [state for _at, state in told]
            where = f"{name}, seen from {side}, keepalive {'declared' if declared else 'not declared'}: {told}"
            if dead_from is None:
                assert not {"unresponsive", "down", "half_open", "inactive"} & set(said), where
                assert said[-1] == ("idle" if name == "idle" else "up"), where
                continue
            assert all(at > dead_from for at, state in told if state not in ("never", "up")), where
            if dead_until is not None:
                assert said[-1] == "up" and told[-1][0] >= dead_until, where
            if recording[side]["rows"] and _is_deaf(name, side):
                assert said.count("down") == 1, where
                down = next(at for at, state in told if state == "down")
                delays["down"] = max(delays.get("down", 0), down - dead_from)
                if name in UNDER_TRAFFIC:
                    warned = next(at for at, state in told if state == "unresponsive")
                    delays["unresponsive"] = max(delays.get("unresponsive", 0), warned - dead_from)
                    assert warned - dead_from <= UNRESPONSIVE_WITHIN, where
                    # By the rule: when the last session is too old, and not a look later.
                    assert down <= _last_handshake(recording, side, down) + REJECT_AFTER + 2 * interval, where
                else:
                    assert down - dead_from <= DOWN_WITHIN, where
            else:
                assert "down" not in said and "half_open" in said, where  # it still hears the other one
    return delays


UNDER_TRAFFIC = ("killed_under_traffic", "answers_lost")


def _is_deaf(name: str, side: str) -> bool:
    """Whether nothing reaches this side while the pair is dead."""
    return side == ("b" if name == "requests_lost" else "a")


def _last_handshake(recording: dict[str, Any], side: str, before: float) -> float:
    return max(row[1] for row in recording[side]["rows"] if row[0] <= before and row[1] is not None)

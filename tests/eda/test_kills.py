# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`initial: resume` under SIGKILL at random moments, while a real interface changes all the time."""

from __future__ import annotations

import copy
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import apply
from integration.following import Event, Mirror, dump, mirrored
from integration.writer import PEERS, SEED, Writer
from lab import LabTimeout, Network, wait_for

SOURCE = "ansible_collections/wirewatch/wireguard/extensions/eda/plugins/event_source/wg_events.py"
FACTS = {"peer_endpoint_changed": "endpoint", "peer_allowed_ips_changed": "allowed_ips"}


class Consumer:
    """Has what the source delivered, life after life, and folds it. What comes twice changes nothing."""

    def __init__(self) -> None:
        self.mirror: Mirror = {}
        self.events = 0
        self.repeated = 0  # events that begin at, or say, what was told to be otherwise since
        self.lost: list[str] = []
        self._added: set[str] = set()
        self._values: set[tuple[str, str, str]] = set()  # key, fact, value: whatever was told of peers

    def take(self, event: Event) -> None:
        self.events += 1
        kind, key = event["type"], str(event["public_key"])
        peers = self.mirror["here", None, event["interface"]]["peers"] if self.mirror else {}
        if kind == "peer_added":
            self.repeated += key in peers
            self._values |= {(key, fact, json.dumps(event["peer"][fact])) for fact in FACTS.values()}
            self._added.add(key)
        elif kind == "peer_removed":
            self.repeated += key not in peers
            if key not in self._added:
                self.lost.append(f"{key} is removed, and it was never told to have come")
        elif kind in FACTS:
            fact = FACTS[kind]
            self.repeated += key in peers and event["previous"] != peers[key][fact]
            # The source believes that it told the previous value. Where nobody heard of it, an event was lost.
            if (key, fact, json.dumps(event["previous"])) not in self._values:
                self.lost.append(f"{kind} of {key} leads from {event['previous']}, which was never told")
            self._values.add((key, fact, json.dumps(event["current"])))
        apply(self.mirror, event)


def delivered(output: Path) -> list[Event]:
    """Whole lines: of one that was cut off, the source had not been told that it was delivered."""
    lines = output.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line)["wireguard"] for line in lines if line.endswith("\n")]


def assert_readable(state_file: Path, folder: Path) -> None:
    """What a killed source left is a whole database; looked at in a copy, so that the next life finds it untouched."""
    for suffix in ("", "-wal"):
        if Path(f"{state_file}{suffix}").exists():
            shutil.copy(f"{state_file}{suffix}", folder / f"copy{suffix}")
    with sqlite3.connect(folder / "copy") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM facts").fetchone()[0] >= PEERS
    connection.close()
    for path in folder.glob("copy*"):
        path.unlink()


def test_no_change_is_lost_however_often_and_whenever_the_source_is_killed(
    network: Network, import_folder: Path, tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    kills = 1000 if full else 100
    interface = network.host("hub").wireguard(private_key=True)
    state_file = tmp_path / "state.db"
    arguments = {
        "interfaces": [interface.name],
        "interval": 0.05,
        "host": "here",
        "initial": "resume",
        "state_file": str(state_file),
    }
    command = [sys.executable, str(import_folder / SOURCE), json.dumps(arguments)]
    chance, consumer = random.Random(SEED), Consumer()

    def live(life: int, until: Callable[[Path], object]) -> list[Event]:
        """One life: started, killed when `until` returns. What it delivered."""
        output = tmp_path / f"{life}.jsonl"
        with output.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE)
        try:
            until(output)
            assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
        finally:
            process.send_signal(signal.SIGKILL)
            _output, complaints = process.communicate()
        assert complaints == b""
        assert_readable(state_file, tmp_path)
        events = delivered(output)
        # First what the life before was telling, by its numbers; then numbered anew, without a gap. And never any trouble.
        numbers = [event["sequence"] for event in events]
        begun = (
            numbers.index(1, 1 if life and numbers[:1] == [1] and numbers.count(1) > 1 else 0)
            if 1 in numbers
            else len(numbers)
        )
        for part in (numbers[:begun], numbers[begun:]):
            assert part == list(range(part[0], part[0] + len(part))) if part else True
        assert {event["type"] for event in events} <= {"interface_added", "peer_added", "peer_removed", *FACTS}
        for event in events:
            consumer.take(event)
        return events

    with Writer(interface) as writer:
        # A change is told, so the inventory before it was told whole and is written down.
        first = live(0, lambda output: wait_for(lambda: b"_changed" in output.read_bytes(), 30, "a first change"))
        assert [event["initial"] for event in first[: PEERS + 1]] == [True] * (PEERS + 1)
        later = []
        for life in range(1, kills):
            later += live(life, lambda _output: time.sleep(chance.uniform(0.1, 0.6)))

    def is_up_to_date(output: Path) -> bool:
        now = copy.deepcopy(consumer.mirror)
        for event in delivered(output):
            apply(now, event)
        return mirrored(now, interface.name) == dump(interface)

    def wait_until_up_to_date(output: Path) -> None:
        try:
            wait_for(lambda: is_up_to_date(output), 60, "all that changed to be told")
        except LabTimeout:
            now = copy.deepcopy(consumer.mirror)
            for event in delivered(output):
                apply(now, event)
            assert mirrored(now, interface.name) == dump(interface)

    later += live(kills, wait_until_up_to_date)
    assert not any(event["initial"] for event in later), "an inventory is told at the first start only"
    assert consumer.lost == []
    assert mirrored(consumer.mirror, interface.name) == dump(interface)
    figure(
        f"{kills} kills, {writer.changes} changes, {consumer.events} events, {consumer.repeated} of them repeated after a kill, "
        f"{len(consumer.lost)} lost"
    )

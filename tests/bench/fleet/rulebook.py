# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many events a real ansible-rulebook takes, one peer in each, with a rule that few of them match."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path

import yaml
from bench.results import Log
from collection import install
from lab import Ansible

from .processes import Place
from .producer import envelopes

PART = "rulebook"
EVENTS = 20_000
ROUNDS = 3

# A source that says how long the engine took all of them; an engine that is behind does not take the next.
SOURCE = """\
import json, time

async def main(queue, arguments):
    events = [json.loads(line) for line in open(arguments["events"], encoding="utf-8")]
    begun = time.perf_counter()
    for event in events:
        await queue.put(event)
    print("TAKEN", len(events) / (time.perf_counter() - begun), "events/s", flush=True)
"""


def measure(log: Log, place: Place, smoke: bool) -> None:
    folder = place.folder / "rulebook"
    sources = folder / "sources"
    sources.mkdir(parents=True)
    (sources / "many.py").write_text(SOURCE, encoding="utf-8")
    events = folder / "events"
    with events.open("w", encoding="utf-8") as file:
        for envelope in islice(envelopes("host1"), 200 if smoke else EVENTS):
            file.write(json.dumps(envelope) + "\n")
    rulebook = folder / "rulebook.yml"
    ruleset = {
        "name": "Many",
        "hosts": "all",
        "sources": [{"many": {"events": str(events)}}],
        "rules": [
            {
                "name": "A new interface",
                "condition": 'event.wireguard.type == "interface_removed"',
                "action": {"debug": {"msg": "fired"}},
            }
        ],
    }
    rulebook.write_text(yaml.safe_dump([ruleset], sort_keys=False), encoding="utf-8")
    inventory = folder / "inventory.yml"
    inventory.write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n", encoding="utf-8")
    ansible = Ansible(install(folder / "collections"), folder)
    rates = [_rate(ansible, rulebook, inventory, sources) for _round in range(1 if smoke else ROUNDS)]
    log.add(PART, "one peer in each event", "events", rates, "/s")


def _rate(ansible: Ansible, rulebook: Path, inventory: Path, sources: Path) -> float:
    with ansible.rulebook(rulebook, inventory, "--source-dir", str(sources)) as running:
        running.wait_for_output("events/s", 120)
        (rate,) = re.findall(r"TAKEN (\S+) events/s", running.output)
        return float(rate)

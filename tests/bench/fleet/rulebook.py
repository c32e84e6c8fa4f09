# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many events real ansible-rulebooks take, one peer in each, with a rule that few of them match: one alone, and several
in a group, which share the partitions of a topic."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from bench.results import Log
from collection import install
from lab import Ansible, Running, wait_for
from lab.kafka import SERVER_OPTIONS, Broker

from .processes import PATIENCE, Driven, Place, make_topic
from .producer import envelopes

PART = "rulebook"
EVENTS = 20_000
EVENTS_OF_A_GROUP = 10_000
ROUNDS = 5
GROUPS = (1, 2)  # rulebooks, and partitions: each has its own Java machine, and here are two cores for all
ALONE = "one alone"
SINGLE, GROUP = "events of a source of its own", "events of a topic"
LIFT = "wirewatch.wireguard.lift"

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

# The same of a topic, in the shape in which ansible.eda.kafka puts it: what was taken, and when, whenever something was.
GROUP_SOURCE = """\
import asyncio, json, time
from confluent_kafka import Consumer

async def main(queue, arguments):
    def assigned(consumer, partitions):
        print("ASSIGNED", len(partitions), flush=True)
    settings = {"bootstrap.servers": arguments["address"], "group.id": arguments["topic"], "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "topic.metadata.refresh.interval.ms": 500})
    consumer.subscribe([arguments["topic"]], on_assign=assigned)
    taken, begun = 0, 0.0
    while True:
        messages = await asyncio.to_thread(consumer.consume, 500, 0.2)
        for message in messages:
            begun = begun or time.time()
            await queue.put({"meta": {"headers": {}}, "body": json.loads(message.value())})
            taken += 1
        if messages:
            print("TAKEN", taken, begun, time.time(), flush=True)
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
    inventory = folder / "inventory.yml"
    inventory.write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n", encoding="utf-8")
    ansible = Ansible(install(folder / "collections"), folder)
    rulebook = _rulebook(folder / "many.yml", {"many": {"events": str(events)}})
    rates = [_rate(ansible, rulebook, inventory, sources) for _round in range(1 if smoke else ROUNDS)]
    log.add(PART, ALONE, SINGLE, rates, "/s")
    (sources / "group.py").write_text(GROUP_SOURCE, encoding="utf-8")
    with Broker(folder / "broker", java_options=SERVER_OPTIONS) as broker:
        found: dict[int, list[float]] = {members: [] for members in GROUPS}
        for number in range(1 if smoke else ROUNDS):
            for members in GROUPS:
                topic = f"of{members}-{number}"
                source = {"group": {"address": broker.address, "topic": topic}, "filters": [{LIFT: {}}]}
                rulebook = _rulebook(folder / f"{topic}.yml", source)
                start = partial(ansible.rulebook, rulebook, inventory, "--source-dir", str(sources))
                many = 200 if smoke else EVENTS_OF_A_GROUP
                found[members].append(_rate_of_group(place, start, broker, topic, members, many))
    for members, rates in found.items():
        log.add(PART, f"{members} in a group, {members} partition{'s' if members > 1 else ''}", GROUP, rates, "/s")


def _rulebook(path: Path, source: dict[str, Any]) -> Path:
    rule = {
        "name": "A removed interface",
        "condition": 'event.wireguard.type == "interface_removed"',
        "action": {"debug": {"msg": "fired"}},
    }
    ruleset = {"name": "Many", "hosts": "all", "sources": [source], "rules": [rule]}
    path.write_text(yaml.safe_dump([ruleset], sort_keys=False), encoding="utf-8")
    return path


def _rate(ansible: Ansible, rulebook: Path, inventory: Path, sources: Path) -> float:
    with ansible.rulebook(rulebook, inventory, "--source-dir", str(sources)) as running:
        running.wait_for_output("events/s", 120)
        (rate,) = re.findall(r"TAKEN (\S+) events/s", running.output)
        return float(rate)


def _rate_of_group(
    place: Place, start: Callable[[], Running], broker: Broker, topic: str, members: int, events: int
) -> float:
    """From the first event that one took to the last one."""
    make_topic(broker.address, members, topic)
    with ExitStack() as stack:
        running = [stack.enter_context(start()) for _member in range(members)]
        wait_for(
            lambda: all(re.findall(r"ASSIGNED (\d+)", one.output)[-1:] == ["1"] for one in running),
            PATIENCE,
            "each rulebook to have a partition",
        )
        producer = stack.enter_context(Driven(place, "producer", broker.address, topic, 1, events))
        producer.answer()
        producer.ask()

        def taken() -> list[tuple[str, str, str]]:
            return [last for one in running for last in re.findall(r"TAKEN (\d+) (\S+) (\S+)", one.output)[-1:]]

        wait_for(lambda: sum(int(count) for count, *_times in taken()) >= events, PATIENCE, "all to be taken")
        begun = min(float(begun) for _count, begun, _at in taken())
        return events / (max(float(at) for *_rest, at in taken()) - begun)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much goes through one broker, the more partitions a topic has, each with a consumer of its own."""

from __future__ import annotations

from contextlib import ExitStack

from bench.results import Log
from lab.kafka import SERVER_OPTIONS, Broker
from lab.processes import cpu_seconds

from .processes import Driven, Listening, Place, make_topic, wait_until_heard

PART = "partitions"
PARTITIONS = (1, 2, 4, 8)
PRODUCERS = 4
EVENTS = 40_000  # of each producer


def measure(log: Log, place: Place, smoke: bool) -> None:
    with Broker(place.folder / "broker-partitions", java_options=SERVER_OPTIONS) as broker:
        for partitions in PARTITIONS[:2] if smoke else PARTITIONS:
            _through(log, place, broker, partitions, 500 if smoke else EVENTS)


def _through(log: Log, place: Place, broker: Broker, partitions: int, events: int) -> None:
    topic = f"of{partitions}"
    make_topic(broker.address, partitions, topic)
    with ExitStack() as stack:
        listeners = [stack.enter_context(Listening(place, broker.address, topic)) for _number in range(partitions)]
        wait_until_heard(
            listeners, lambda heard: all(one.partitions == 1 for one in heard), "each consumer to have a partition"
        )
        producers = [
            stack.enter_context(Driven(place, "producer", broker.address, topic, number, events))
            for number in range(PRODUCERS)
        ]
        for producer in producers:
            producer.answer()
        who = {"producers": producers, "broker": [broker], "consumers": listeners}
        used = {name: sum(map(cpu_seconds, members)) for name, members in who.items()}
        for producer in producers:
            producer.ask()
        begun = min(producer.answer()["begun"] for producer in producers)
        heard = wait_until_heard(
            listeners, lambda heard: sum(one.events_ever for one in heard) >= PRODUCERS * events, "all to be heard"
        )
        seconds = max(one.last_at for one in heard) - begun
        case = f"{partitions} partition{'s' if partitions > 1 else ''}"
        log.add(PART, case, "events", [PRODUCERS * events / seconds], "/s")
        for name, members in who.items():
            share = (sum(map(cpu_seconds, members)) - used[name]) / seconds
            log.add(PART, case, f"cores of {name}", [share], "")

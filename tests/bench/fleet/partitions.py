# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much goes through one broker, the more partitions a topic has, each with a consumer of its own: one that decodes each
event, and one that then waits, as for an action."""

from __future__ import annotations

from contextlib import ExitStack

from bench.results import Log
from lab.kafka import SERVER_OPTIONS, Broker
from lab.processes import cpu_seconds

from .processes import Driven, Listening, Place, make_topic, wait_until_heard

PART, ACTING = "partitions", "partitions, consumers that act"
PARTITIONS = (1, 2, 4, 8)
PRODUCERS = 4
ROUNDS = 5
ACTION = 0.001  # seconds
KINDS = {PART: (20_000, 0.0), ACTING: (2_000, ACTION)}  # events of each producer, seconds that each takes a consumer


def measure(log: Log, place: Place, smoke: bool) -> None:
    cases = PARTITIONS[:2] if smoke else PARTITIONS
    with Broker(place.folder / "broker-partitions", java_options=SERVER_OPTIONS) as broker:
        for kind, (events, action) in KINDS.items():
            found: dict[int, list[dict[str, float]]] = {partitions: [] for partitions in cases}
            for number in range(2 if smoke else ROUNDS):
                for partitions in cases:
                    topic = f"{'acted' if action else 'decoded'}-{partitions}-{number}"
                    figures = _through(place, broker, topic, partitions, 500 if smoke else events, action)
                    found[partitions].append(figures)
            for partitions, rounds in found.items():
                case = f"{partitions} partition{'s' if partitions > 1 else ''}"
                for subject in rounds[0]:
                    values = [figures[subject] for figures in rounds]
                    log.add(kind, case, subject, values, "/s" if subject == "events" else "")


def _through(place: Place, broker: Broker, topic: str, partitions: int, events: int, action: float) -> dict[str, float]:
    """Figures of one round by subject."""
    make_topic(broker.address, partitions, topic)
    with ExitStack() as stack:
        listeners = [
            stack.enter_context(Listening(place, broker.address, topic, action)) for _number in range(partitions)
        ]
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
        shares = {
            f"cores of {name}": (sum(map(cpu_seconds, members)) - used[name]) / seconds for name, members in who.items()
        }
        return {"events": PRODUCERS * events / seconds, **shares}

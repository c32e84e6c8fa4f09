# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A consumer: ``python -m bench.fleet.listener ADDRESS TOPIC GROUP ACTION``. It decodes each event and knows what it has
already; then it waits for ACTION seconds, as one does that acts on each.

For each line on its input it answers with one of JSON: what it heard since the last one (``Heard``). Ends with its input.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from typing import NamedTuple

from confluent_kafka import Consumer, Message

BATCH = 500  # messages taken from librdkafka at once


class Heard(NamedTuple):
    """Since the last answer; what ends in ``_ever`` is of all time."""

    events: int
    median: float  # seconds from the look that saw it to us, on one wall clock
    p99: float
    longest: float
    lag: int  # messages that the broker has and we have not
    events_ever: int
    repeated_ever: int
    missing_ever: int  # numbers below a host's highest that never came
    bytes_ever: int  # of the messages' values
    hosts_ever: int
    fewest_ever: int  # events of one host
    last_at: float  # when something was heard, in seconds since the epoch
    partitions: int  # that are ours now


class Listener:
    def __init__(self, address: str, topic: str, group: str, action: float) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": address,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "topic.metadata.refresh.interval.ms": 1000,
                "allow.auto.create.topics": True,
                "log_level": 0,
            }
        )
        self._consumer.subscribe([topic])
        self._action = action
        self._delays: list[float] = []
        self._sequences: dict[str, set[int]] = defaultdict(set)
        self._repeated = 0
        self._bytes = 0
        self._last_at = 0.0

    def listen(self, seconds: float) -> None:
        """Takes what comes within that time, or the first batch."""
        messages = self._consumer.consume(BATCH, seconds)
        now = time.time()
        for message in messages:
            if message.error() is None:
                self._hear(message, now)
                if self._action:
                    time.sleep(self._action)
                    now = time.time()
                self._last_at = now

    def _hear(self, message: Message, now: float) -> None:
        value = message.value()
        self._bytes += len(value)
        event = json.loads(value)["wireguard"]
        self._delays.append(now - event["observed_at_epoch"])
        known = self._sequences[event["host"]]
        if event["sequence"] in known:
            self._repeated += 1
        known.add(event["sequence"])

    def heard(self) -> Heard:
        delays, self._delays = sorted(self._delays), []
        lag = 0
        places = self._consumer.position(self._consumer.assignment())
        for place in places:
            # As of the last answer to us: asking the broker would be waiting for it.
            _low, high = self._consumer.get_watermark_offsets(place, cached=True)
            lag += max(0, high - max(place.offset, 0))
        return Heard(
            len(delays),
            delays[len(delays) // 2] if delays else 0.0,
            delays[len(delays) * 99 // 100] if delays else 0.0,
            delays[-1] if delays else 0.0,
            lag,
            sum(map(len, self._sequences.values())) + self._repeated,
            self._repeated,
            sum(max(known) - len(known) for known in self._sequences.values()),
            self._bytes,
            len(self._sequences),
            min(map(len, self._sequences.values()), default=0),
            self._last_at,
            len(places),
        )

    def close(self) -> None:
        self._consumer.close()


def main(address: str, topic: str, group: str, action: str) -> None:
    listener = Listener(address, topic, group, float(action))
    asked = threading.Semaphore(0)
    ended = threading.Event()

    def read() -> None:
        for _line in sys.stdin:
            asked.release()
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    while not ended.is_set():
        listener.listen(0.1)
        if asked.acquire(blocking=False):
            print(json.dumps(listener.heard()._asdict()), flush=True)
    listener.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

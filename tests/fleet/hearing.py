# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens to a topic: every message from its beginning, the mirror kept from the events, and what must hold of them all."""

from __future__ import annotations

import json
import threading
import uuid
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import apply
from confluent_kafka import Consumer, KafkaException
from integration.following import Event, Mirror, dump, mirrored
from lab import Interface, LabTimeout, wait_for

PATIENCE = 90.0  # seconds; a broker that comes back is found again within some ten


class Hearing:
    """A consumer in a thread of its own until its block ends. What it heard before is dropped, told by `meta.uuid`."""

    def __init__(self, address: str, topic: str, settings: Mapping[str, str] | None = None) -> None:
        self.mirror: Mirror = {}
        self.events: list[Event] = []
        self.repeated = 0
        self.wrong: list[str] = []  # what must never be
        self.by_uuid: dict[str, Event] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": address,
                "group.id": uuid.uuid4().hex,
                "auto.offset.reset": "earliest",
                "topic.metadata.refresh.interval.ms": 500,
                "allow.auto.create.topics": True,
                "log_level": 0,
                **(settings or {}),
            }
        )
        self._consumer.subscribe([topic])
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hearing", daemon=True)

    def __enter__(self) -> Hearing:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(PATIENCE)
        self._consumer.close()

    def of(self, kind: str) -> list[Event]:
        return [event for event in list(self.events) if event["type"] == kind]

    def wait_for_truth(self, host: str, interface: Interface) -> None:
        """Waits until the mirror is what wg(8) says of an interface; on failure both are shown."""

        def told() -> dict[str, Any]:
            return mirrored(self.mirror, interface.name, interface.host.namespace, host)

        try:
            wait_for(lambda: told() == dump(interface), PATIENCE, "the mirror to be what wg shows")
        except LabTimeout:
            assert told() == dump(interface)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                message = self._consumer.poll(0.1)
            except KafkaException:
                continue  # the broker is away
            if message is not None and message.error() is None:
                self._hear(message.key(), json.loads(message.value()))

    def _hear(self, key: bytes, envelope: dict[str, Any]) -> None:
        event, name = envelope["wireguard"], envelope["meta"]["uuid"]
        known = self.by_uuid.setdefault(name, event)
        if known is not event:
            self.repeated += 1
            if known != event:
                self.wrong.append(f"two events have the uuid {name}")
            return
        self.events.append(event)
        apply(self.mirror, event)


def sequences(events: list[Event]) -> dict[tuple[str, str | None], list[int]]:
    """The numbers that the events of each peer of each host have, in the order they were heard."""
    found: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for event in events:
        found[event["host"], event["public_key"]].append(event["sequence"])
    return found

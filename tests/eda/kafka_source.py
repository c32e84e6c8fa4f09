# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for ansible.eda.kafka, which only Galaxy has: what a real broker has, in the shape in which that puts it.

Its events (``receive_msg`` of ansible.eda 2.13): ``body``, decoded from JSON, and ``meta`` with ``source_offset``, ``produced_at``,
``headers`` and a ``uuid`` made of the offset, so that a message which is sent twice has two.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import datetime, timezone
from typing import Any

from confluent_kafka import Consumer

DOCUMENTATION = EXAMPLES = "---\n"


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": f"{args['host']}:{args['port']}",
            "group.id": args["group_id"],
            "auto.offset.reset": args.get("offset", "latest"),
            "allow.auto.create.topics": True,
            "topic.metadata.refresh.interval.ms": 500,
        }
    )
    consumer.subscribe([args["topic"]])
    loop = asyncio.get_running_loop()
    while True:
        message = await loop.run_in_executor(None, consumer.poll, 0.5)
        if message is None or message.error() is not None:
            continue
        place = f"{message.topic()}:{message.partition()}:{message.offset()}"
        produced = datetime.fromtimestamp(message.timestamp()[1] / 1000, timezone.utc)
        meta = {
            "source_offset": place,
            "produced_at": produced.isoformat().replace("+00:00", "Z"),
            "headers": {name: value.decode() for name, value in message.headers() or ()},
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, place)),
        }
        await queue.put({"meta": meta, "body": json.loads(message.value())})

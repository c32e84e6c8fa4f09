# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for ansible.eda.kafka, which only Galaxy has: what a real broker has, in the shape in which that puts it.

Its events (``receive_msg`` of ansible.eda 2.13): ``body``, and ``meta`` with ``source_offset``, ``produced_at``, ``headers`` and
a ``uuid``. That is made of the offset, so that a message which is sent twice has two, unless ``message_uuid`` of the headers or the
body gives one. ``body`` is decoded from JSON, and the text itself where it is none. Headers that can't be decoded are left out. A
message gives no event where its value is not there, can't be decoded, or is as good as false: ``{}``, ``0``, ``""``.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import datetime, timezone
from typing import Any

from confluent_kafka import Consumer, Message

DOCUMENTATION = EXAMPLES = "---\n"

# Its arguments that librdkafka has under another name.
RENAMED = {
    "group_id": "group.id",
    "offset": "auto.offset.reset",
    "security_protocol": "security.protocol",
    "cafile": "ssl.ca.location",
    "certfile": "ssl.certificate.location",
    "keyfile": "ssl.key.location",
    "password": "ssl.key.password",
    "sasl_mechanism": "sasl.mechanism",
    "sasl_plain_username": "sasl.username",
    "sasl_plain_password": "sasl.password",
}
GIVEN = "message_uuid"
OTHERS = {"host", "port", "topic", "encoding", "check_hostname", "verify_mode"}


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    encoding = args.get("encoding", "utf-8")
    consumer = Consumer(settings_of(args))
    consumer.subscribe([args["topic"]])
    loop = asyncio.get_running_loop()
    while True:
        message = await loop.run_in_executor(None, consumer.poll, 0.5)
        if message is None or message.error() is not None:
            continue
        event = event_of(message, encoding)
        if event is not None:
            await queue.put(event)


def settings_of(args: dict[str, Any]) -> dict[str, Any]:
    """librdkafka's. ValueError for an argument that the real one would pass over: a rulebook is not to have any."""
    unknown = args.keys() - RENAMED.keys() - OTHERS
    if unknown:
        raise ValueError(f"There is no argument {', '.join(sorted(unknown))}")
    settings: dict[str, Any] = {
        "bootstrap.servers": f"{args['host']}:{args['port']}",
        "group.id": uuid.uuid4().hex,
        "auto.offset.reset": "latest",
        "allow.auto.create.topics": True,
        "topic.metadata.refresh.interval.ms": 500,
        "ssl.endpoint.identification.algorithm": "https" if args.get("check_hostname", True) else "none",
        "enable.ssl.certificate.verification": args.get("verify_mode", "CERT_REQUIRED") != "CERT_NONE",
        **{theirs: args[ours] for ours, theirs in RENAMED.items() if args.get(ours) is not None},
    }
    if any(args.get(name) for name in ("cafile", "certfile", "keyfile")):
        settings["security.protocol"] = settings.get("security.protocol", "PLAINTEXT").replace("PLAINTEXT", "SSL")
    return settings


def event_of(message: Message, encoding: str) -> dict[str, Any] | None:
    place = f"{message.topic()}:{message.partition()}:{message.offset()}"
    produced = datetime.fromtimestamp(message.timestamp()[1] / 1000, timezone.utc)
    headers: dict[str, str] = {}
    meta: dict[str, Any] = {"source_offset": place, "produced_at": produced.isoformat().replace("+00:00", "Z")}
    try:
        headers = {name: value.decode(encoding) for name, value in message.headers() or ()}
        meta["headers"] = headers
    except UnicodeError:
        pass
    body = body_of(message.value(), encoding)
    meta["uuid"] = str(uuid.uuid5(uuid.NAMESPACE_OID, place))
    given = headers.get(GIVEN, body.get(GIVEN) if isinstance(body, dict) else None)
    if given:
        meta["uuid" if is_uuid(given) else "message_id"] = given
    return {"meta": meta, "body": body} if body else None


def body_of(value: bytes | None, encoding: str) -> Any:
    if value is None:
        return None
    try:
        text = value.decode(encoding)
    except UnicodeError:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def is_uuid(given: Any) -> bool:
    try:
        uuid.UUID(given)
    except (ValueError, AttributeError):
        return False
    return True

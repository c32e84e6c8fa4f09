# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a topic may hold, and the rules of fleet_kafka.yml: an event that is there twice, and messages that are none of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest
import yaml
from collection import CHECKOUT
from confluent_kafka import Producer
from docs.pages import blocks
from eda.test_lift import envelope, key
from lab import Ansible, Running, wait_for
from lab.kafka import Broker

PATIENCE = 60.0  # seconds for the engine to start, or for a rule to fire
TOPIC = "wireguard"
(RULESET,) = yaml.safe_load((CHECKOUT / "extensions/eda/rulebooks/fleet_kafka.yml").read_text(encoding="utf-8"))
((ON_THE_PAGE,),) = (yaml.safe_load(text) for text in blocks("docs/publish.md", "yaml"))

# What the rulebook's own rules do not show.
OTHER_RULES = [
    {
        "name": "Tell as often as it comes",
        "condition": 'event.wireguard.type == "peer_added"',
        "action": {"debug": {"msg": "EACH {{ event.wireguard.public_key }} {{ event.meta | tojson }}"}},
    },
    {
        "name": "Tell what is foreign",
        "condition": "event.body is defined",
        "action": {"debug": {"msg": "FOREIGN {{ event.body | tojson }}"}},
    },
]


class Topic(NamedTuple):
    """A topic, and the rulebook that reads it."""

    producer: Producer
    running: Running

    def put(self, *values: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        for value in values:
            self.producer.produce(TOPIC, value, headers=list(headers))
        assert self.producer.flush(PATIENCE) == 0

    def metas(self, sent: dict[str, Any]) -> list[dict[str, Any]]:
        """event.meta of each time that an event came."""
        return [
            json.loads(text) for text in re.findall(rf"EACH {re.escape(key(sent))} (\{{.*\}})", self.running.output)
        ]

    def wait_for(self, sent: dict[str, Any], times: int) -> list[dict[str, Any]]:
        wait_for(lambda: len(self.metas(sent)) == times, PATIENCE, f"an event {times} times; {self.running.output}")
        return self.metas(sent)


@pytest.fixture(scope="module")
def topic(with_kafka: Ansible, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topic]:
    """One for all tests; each has peers of its own."""
    folder = tmp_path_factory.mktemp("topic")
    rulebook, inventory = folder / "rulebook.yml", folder / "inventory"
    ruleset = {**RULESET, "rules": [*RULESET["rules"], *OTHER_RULES]}
    rulebook.write_text(yaml.safe_dump([ruleset], sort_keys=False), encoding="utf-8")
    inventory.write_text("localhost\n", encoding="ascii")
    with Broker(folder / "broker") as broker:
        host, port = broker.address.split(":")
        where = {"host": host, "port": port, "topic": TOPIC, "group_id": "rules", "offset": "earliest"}
        variables = {f"kafka_{option}": value for option, value in where.items()}
        with with_kafka.rulebook(rulebook, inventory, variables=variables) as running:
            yield Topic(Producer({"bootstrap.servers": broker.address}), running)


def about(kind: str) -> dict[str, Any]:
    """An event of this type. Rules say the name where a peer has one: it has none, since they are to say which it is."""
    sent = envelope(kind, "gw1")
    sent["wireguard"]["name"] = None
    return sent


def value(sent: dict[str, Any]) -> bytes:
    return json.dumps(sent).encode()


def said(topic: Topic, sent: dict[str, Any]) -> int:
    return topic.running.output.count(f"gw1: {key(sent)} was removed from {sent['wireguard']['interface']}")


def test_an_event_that_kafka_has_twice_fires_once(topic: Topic) -> None:
    """By the rule that the page shows; one without a throttle fires twice, since the source takes them for two."""
    assert ON_THE_PAGE in RULESET["rules"]
    added, twice, last = about("peer_added"), about("peer_removed"), about("peer_removed")
    topic.put(*[value(sent) for sent in (added, added, twice, twice, last)])
    first, second = topic.wait_for(added, 2)
    assert first["source_offset"] != second["source_offset"]
    assert first["uuid"] == second["uuid"] == added["meta"]["uuid"]
    wait_for(lambda: said(topic, last), PATIENCE, "the rule to fire on what came last")
    assert said(topic, twice) == 1
    # The same once more, told anew: that is another event.
    twice["meta"]["uuid"] += "/again"
    topic.put(value(twice))
    wait_for(lambda: said(topic, twice) == 2, PATIENCE, "the rule to fire again")


def test_what_is_not_ours_gets_to_other_rules_and_the_source_lives_on(topic: Topic) -> None:
    sent = about("peer_added")
    topic.put(b"no JSON", b"", None, b"{}", b"0", b"\xff", b"[1]", b'{"wireguard": {"schema": 9}}')
    topic.put(value(sent), headers=[("from", b"\xff")])
    (meta,) = topic.wait_for(sent, 1)
    assert "headers" not in meta
    assert re.findall("FOREIGN (.*)", topic.running.output) == ['"no JSON"', "[1]", '{"wireguard": {"schema": 9}}']
    assert topic.running.returncode is None

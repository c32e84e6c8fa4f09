# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kafka sink: against librdkafka's own mock cluster, and, for errors that this one never makes, against a stand-in."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import confluent_kafka
import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _sink_kafka
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InvalidArgument, MissingDependency
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sink_kafka import KafkaOptions, KafkaSink, key_of
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sinks import SinkError, SinkRefused, SinkTooLarge
from lab.private import write_private

PATIENCE = 20.0  # seconds


def envelope(number: int, key: str | None = None, **more: Any) -> dict[str, Any]:
    event = {"host": "gw1", "netns": None, "interface": "wg0", "public_key": key, "sequence": number, **more}
    return {"meta": {"uuid": str(number)}, "wireguard": event}


# --- the mock cluster


@pytest.fixture(scope="module")
def brokers() -> Iterator[str]:
    """Where a cluster of three brokers listens, which lives in a producer of its own."""
    owner = confluent_kafka.Producer({"test.mock.num.brokers": 3, "bootstrap.servers": ""})
    found = owner.list_topics(timeout=PATIENCE).brokers.values()
    assert len(found) == 3, "the mock cluster is not alive"
    yield ",".join(f"{broker.host}:{broker.port}" for broker in found)
    owner.flush(0)


@pytest.fixture
def topic() -> str:
    return f"events-{uuid.uuid4().hex}"


def consume(brokers: str, topic: str, count: int) -> list[Any]:
    """So many messages of a topic, from its beginning, partition by partition."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": brokers, "group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    try:
        partitions = consumer.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in partitions])
        found: list[Any] = []
        deadline = time.monotonic() + PATIENCE
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                found.append(message)
        return found
    finally:
        consumer.close()


def test_what_was_sent_is_in_the_topic_with_a_peer_to_a_partition_in_order(brokers: str, topic: str) -> None:
    keys = [f"peer-{number}" for number in range(8)]
    sent = [envelope(number, keys[number % len(keys)]) for number in range(64)]
    sink = KafkaSink(KafkaOptions(topic, {"bootstrap.servers": brokers}))
    for start in range(0, len(sent), 16):
        sink.send(sent[start : start + 16])
    sink.close()
    messages = consume(brokers, topic, len(sent))
    assert sorted((json.loads(one.value()) for one in messages), key=lambda one: int(one["meta"]["uuid"])) == sent
    for key in keys:
        of_peer = [one for one in messages if one.key() == key_of(envelope(0, key))]
        assert len({one.partition() for one in of_peer}) == 1
        numbers = [json.loads(one.value())["wireguard"]["sequence"] for one in of_peer]
        assert numbers == sorted(numbers)
        assert len(numbers) == 8
    assert len({one.partition() for one in messages}) > 1


def test_the_key_is_host_namespace_interface_and_public_key() -> None:
    assert key_of(envelope(1, "KEY=")) == b'["gw1",null,"wg0","KEY="]'


def test_a_queue_smaller_than_a_part_only_takes_longer(brokers: str, topic: str) -> None:
    sink = KafkaSink(KafkaOptions(topic, {"bootstrap.servers": brokers, "queue.buffering.max.messages": "3"}))
    sink.send([envelope(number) for number in range(20)])
    sink.close()
    assert len(consume(brokers, topic, 20)) == 20


def test_an_event_too_large_is_refused_and_those_before_it_are_confirmed(brokers: str, topic: str) -> None:
    sink = KafkaSink(KafkaOptions(topic, {"bootstrap.servers": brokers, "message.max.bytes": 2000}))
    with pytest.raises(SinkTooLarge) as caught:
        sink.send([envelope(1), envelope(2, padding="x" * 3000), envelope(3)])
    assert caught.value.confirmed == 1
    assert "does not take an event as large as one is" in str(caught.value)
    assert "Raise message.max.bytes in the settings" in str(caught.value)
    sink.send([envelope(4)])
    sink.close()
    assert [json.loads(one.value()) for one in consume(brokers, topic, 2)] == [envelope(1), envelope(4)]


def test_no_broker_is_said_with_the_reason_and_it_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    where = {
        "bootstrap.servers": f"127.0.0.1:{port}",
        "message.timeout.ms": 300,
        "topic.metadata.propagation.max.ms": 0,
    }
    sink = KafkaSink(KafkaOptions("events", where))
    began = time.process_time()
    with pytest.raises(SinkError) as caught:
        sink.send([envelope(1)])
    assert not isinstance(caught.value, SinkRefused)
    assert str(caught.value).startswith(f"Kafka topic events at 127.0.0.1:{port} can't be reached: ")
    assert "Connection refused" in str(caught.value)
    assert str(caught.value).endswith(". It is tried again")
    assert time.process_time() - began < 1, "it waited busily"
    sink.close()


def test_a_broker_that_comes_later_gets_it(brokers: str, topic: str) -> None:
    """The first time nobody is there; the producer made for the second finds the cluster."""
    options = {"bootstrap.servers": "127.0.0.1:1", "message.timeout.ms": 200}
    sink = KafkaSink(KafkaOptions(topic, options))
    with pytest.raises(SinkError):
        sink.send([envelope(1)])
    options["bootstrap.servers"] = brokers
    options["message.timeout.ms"] = 20000
    sink._patience = PATIENCE
    sink.send([envelope(1)])
    sink.close()
    assert len(consume(brokers, topic, 1)) == 1


# --- a stand-in


class Error:
    def __init__(self, name: str, text: str = "as they say", fatal: bool = False) -> None:
        self._name, self._text, self._fatal = name, text, fatal

    def name(self) -> str:
        return self._name

    def str(self) -> str:
        return self._text

    def fatal(self) -> bool:
        return self._fatal


class KafkaException(Exception):
    pass


class StandIn:
    """In place of the library: `reports` are what becomes of the messages in turn; `heard`, what is told of all."""

    KafkaException = KafkaException

    def __init__(self, *reports: Error | None, heard: Error | None = None, produced: Error | None = None) -> None:
        self.reports = list(reports)
        self.heard = heard
        self.produced = produced
        self.made: list[dict[str, Any]] = []
        self.purged = 0

    def Producer(self, settings: dict[str, Any]) -> Any:
        self.made.append(settings)
        waiting: list[Callable[..., None]] = []

        def produce(_topic: str, _value: bytes, _key: bytes, on_delivery: Callable[..., None]) -> None:
            if self.produced is not None:
                raise KafkaException(self.produced)
            waiting.append(on_delivery)

        def poll(_seconds: float) -> None:
            if self.heard is not None:
                settings["error_cb"](self.heard)
            while waiting and self.reports:
                waiting.pop(0)(self.reports.pop(0), None)

        def purge() -> None:
            self.purged += 1
            waiting.clear()

        return SimpleNamespace(produce=produce, poll=poll, purge=purge, flush=lambda _seconds: 0)


def sink_of(library: StandIn, **settings: Any) -> KafkaSink:
    return KafkaSink(KafkaOptions("events", {"bootstrap.servers": "kafka1:9092", **settings}), lambda: library)


@pytest.mark.parametrize(
    ("name", "final", "sentence"),
    [
        ("_AUTHENTICATION", True, "does not take our user name and password (as they say). Check sasl.username"),
        ("SASL_AUTHENTICATION_FAILED", True, "does not take our user name and password"),
        (
            "_SSL",
            True,
            "can't be trusted, or does not trust us (as they say). Check ssl.ca.location, and that the broker's",
        ),
        ("TOPIC_AUTHORIZATION_FAILED", True, "is not open to us (as they say)"),
    ],
)
def test_what_lasts_is_said_at_once(name: str, final: bool, sentence: str) -> None:
    library = StandIn(heard=Error(name))
    with pytest.raises(SinkError) as caught:
        sink_of(library).send([envelope(1)])
    assert isinstance(caught.value, SinkRefused) == final
    assert str(caught.value).startswith("Kafka topic events at kafka1:9092 " + sentence)
    assert library.purged == 1


@pytest.mark.parametrize(
    ("name", "final", "sentence"),
    [
        ("_UNKNOWN_TOPIC", False, "is not there (as they say): create the topic, or check its name"),
        ("UNKNOWN_TOPIC_OR_PART", False, "is not there"),
        ("TOPIC_AUTHORIZATION_FAILED", True, "is not open to us"),
        ("MSG_SIZE_TOO_LARGE", True, "does not take an event as large as one is"),
        ("_MSG_TIMED_OUT", False, "can't be reached: as they say. It is tried again"),
        (
            "_ALL_BROKERS_DOWN",
            False,
            "can't be reached: no broker there speaks to us, and none says why. Check the port",
        ),
        ("NOT_ENOUGH_REPLICAS", False, "can't be reached: as they say. It is tried again"),
    ],
)
def test_what_is_said_of_a_report(name: str, final: bool, sentence: str) -> None:
    library = StandIn(None, Error(name), None)
    with pytest.raises(SinkError) as caught:
        sink_of(library).send([envelope(number) for number in range(3)])
    assert isinstance(caught.value, SinkRefused) == final
    assert str(caught.value).startswith("Kafka topic events at kafka1:9092 " + sentence)
    assert caught.value.confirmed == 1, "the third was delivered too, and comes again after the second"


@pytest.mark.parametrize(
    "circumstances",
    ["", " (after 0ms in state CONNECT)", " (after 5011ms in state CONNECT, 3 identical error(s) suppressed)"],
)
def test_what_is_the_same_is_said_in_the_same_words(circumstances: str) -> None:
    library = StandIn(Error("_MSG_TIMED_OUT"), heard=Error("_TRANSPORT", f"Connect failed{circumstances}"))
    with pytest.raises(SinkError) as caught:
        sink_of(library).send([envelope(1)])
    assert str(caught.value) == "Kafka topic events at kafka1:9092 can't be reached: Connect failed. It is tried again"


@pytest.mark.parametrize("name", ["_TRANSPORT", "_SSL"])
@pytest.mark.parametrize(
    "alert",
    [
        "ssl/tls alert bad certificate: SSL alert number 42",
        "tlsv13 alert certificate required: SSL alert number 116",
        "sslv3 alert certificate expired: SSL alert number 45",
        "tlsv1 alert unknown ca: SSL alert number 48",
    ],
)
def test_a_broker_that_does_not_take_our_certificate_is_no_broker_that_is_away(name: str, alert: str) -> None:
    text = f"Receive failed: error:0A000412:SSL routines::{alert} (after 5ms in state APIVERSION_QUERY)"
    with pytest.raises(SinkRefused) as caught:
        sink_of(StandIn(heard=Error(name, text))).send([envelope(1)])
    said = str(caught.value)
    assert said.startswith("Kafka topic events at kafka1:9092 does not take our certificate, or we have none (")
    assert f"{alert}). Check ssl.certificate.location" in said


def test_a_producer_that_is_at_an_end_is_made_anew() -> None:
    library = StandIn(heard=Error("_FATAL", "OutOfOrderSequence", fatal=True))
    sink = sink_of(library)
    with pytest.raises(SinkError, match="is at an end .OutOfOrderSequence.: a new one is begun") as caught:
        sink.send([envelope(1)])
    assert not isinstance(caught.value, SinkRefused)
    library.heard, library.reports = None, [None]
    sink.send([envelope(1)])
    assert (len(library.made), library.purged) == (2, 1)


def test_a_report_that_never_comes_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sink_kafka, "SPARE", 0.0)
    with pytest.raises(SinkError, match="can't be reached: no report came in time. It is tried again"):
        sink_of(StandIn(), **{"message.timeout.ms": 10}).send([envelope(1)])


def test_settings_are_passed_on_over_the_defaults_and_secrets_are_read(tmp_path: Path) -> None:
    write_private(tmp_path / "password", "hush\n")
    library = StandIn()
    sink_of(library, **{"sasl.password_file": str(tmp_path / "password"), "acks": "1", "linger.ms": "5"})
    (made,) = library.made
    assert {name: made[name] for name in ("sasl.password", "acks", "linger.ms", "enable.idempotence")} == {
        "sasl.password": "hush",
        "acks": "1",
        "linger.ms": "5",
        "enable.idempotence": True,
    }
    assert "sasl.password_file" not in made


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sasl.password": "hush"}, "settings has sasl.password, where everybody could read it: write it into a file"),
        ({"ssl.key.password": "hush"}, "give ssl.key.password_file"),
        ({"ssl.key.pem": "hush"}, "give ssl.key.pem_file"),
        (
            {"sasl.oauthbearer.assertion.private.key.pem": "hush"},
            "give sasl.oauthbearer.assertion.private.key.pem_file",
        ),
        (
            {"sasl.oauthbearer.assertion.private.key.passphrase": "hush"},
            "give sasl.oauthbearer.assertion.private.key.passphrase_file",
        ),
        ({"sasl.password_file": "/nowhere/p"}, "sasl.password_file in settings is /nowhere/p, which can't be read"),
        ({"acks": ["all"]}, "settings has acks, which must be a text, a number or true or false"),
        ({"bootstrap.servers": ""}, "settings has no bootstrap.servers: name at least one broker"),
        (
            {"no.such.setting": "1"},
            'settings are not what librdkafka takes: No such configuration property: "no.such.setting"',
        ),
        (
            {"acks": "many"},
            'settings are not what librdkafka takes: Invalid value for configuration property "request.required.acks"',
        ),
    ],
)
def test_settings_that_can_not_be(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        KafkaSink(KafkaOptions("events", {"bootstrap.servers": "127.0.0.1:1", **settings}))
    assert sentence in str(caught.value)
    assert "hush" not in str(caught.value)


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "confluent_kafka", None)
    with pytest.raises(
        MissingDependency, match="The sink kafka needs the Python library confluent-kafka for .*pip install"
    ):
        KafkaSink(KafkaOptions("events", {"bootstrap.servers": "127.0.0.1:1"}))

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sink that produces to a Kafka topic through librdkafka (the Python library confluent-kafka)."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ._errors import InvalidArgument, MissingDependency
from ._library import how_to_get
from ._sinks import Envelope, Sink, SinkError, SinkRefused, SinkTooLarge, read_secret
from ._tls import OUR_CERTIFICATE

# An event is there for good before it is confirmed, and librdkafka's own retries neither double nor reorder it.
DEFAULTS: Dict[str, Any] = {
    "client.id": "wirewatch",
    "enable.idempotence": True,
    "acks": "all",
    "message.timeout.ms": 30_000,  # until we hear that there is no broker; what was not confirmed is sent again
}
STEP = 0.1  # seconds between two looks at what was reported
SPARE = 10.0  # seconds beyond message.timeout.ms: after that librdkafka reports a message that it gave up
FILE = "_file"  # what a setting ends in that is read from a file

# Names of librdkafka's errors (rdkafka.h) that last until somebody acts.
AUTHENTICATION = ("_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM", "ILLEGAL_SASL_STATE")
AUTHORIZATION = ("TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED")
UNKNOWN = ("_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART", "TOPIC_EXCEPTION")
TOO_LARGE = ("MSG_SIZE_TOO_LARGE", "INVALID_MSG_SIZE", "RECORD_LIST_TOO_LARGE")
UNTRUSTED = ("_SSL",)
ALL_DOWN = "_ALL_BROKERS_DOWN"

# What librdkafka adds to a text (rdkafka_broker.c): it differs from try to try where what is wrong is the same.
CIRCUMSTANCES = re.compile(r" \(after \d+ms in state \w+(, \d+ identical error\(s\) suppressed)?\)")


class KafkaOptions(NamedTuple):
    """``settings`` are librdkafka's own, by its names; those that are secret end in ``_file`` and name a file."""

    topic: str
    settings: Mapping[str, Any]


class KafkaSink(Sink):
    """Confirmed is what the brokers reported to have, message by message.

    A message is the envelope in JSON. Its key is host, namespace, interface and public key in JSON, so the events of one peer go
    to one partition and keep their order.
    """

    def __init__(self, options: KafkaOptions, load: Optional[Callable[[], Any]] = None) -> None:
        """InvalidArgument where the settings can't be; MissingDependency without the library, which ``load`` gives."""
        self._options = options
        self.name = "Kafka topic %s at %s" % (
            options.topic,
            options.settings.get("bootstrap.servers", "(no broker named)"),
        )
        self._library = (load or _load)()
        if not options.settings.get("bootstrap.servers") and not options.settings.get("test.mock.num.brokers"):
            raise InvalidArgument(
                "settings has no bootstrap.servers: name at least one broker, as kafka1.example.org:9092"
            )
        self._settings()  # which reads the files
        self._trouble: Any = None  # the last error that was not about one message
        self._producer: Any = None
        self._make_producer()
        self._patience = self._time_out() / 1000 + SPARE

    def send(self, envelopes: Sequence[Envelope]) -> None:
        if self._producer is None:
            try:
                self._make_producer()
            except InvalidArgument as error:
                raise SinkRefused(str(error)) from None
        self._trouble = None
        reports: List[Any] = [_NOT_REPORTED] * len(envelopes)
        deadline = time.monotonic() + self._patience
        too_large: Any = None
        try:
            for number, envelope in enumerate(envelopes):
                try:
                    self._produce(number, envelope, reports, deadline)
                except self._library.KafkaException as error:
                    if error.args[0].name() not in TOO_LARGE:
                        raise
                    # librdkafka itself does not take it. Those before it are under way.
                    too_large = error.args[0]
                    del reports[number:]
                    break
            # By identity: the library's errors can't be compared with other objects.
            while any(report is _NOT_REPORTED for report in reports) and time.monotonic() < deadline:
                self._producer.poll(STEP)
                self._raise_what_lasts()
        except self._library.KafkaException as error:
            raise self._failed(error.args[0], reports) from None
        except SinkError as error:
            error.confirmed = _leading(reports)
            raise
        for report in reports:
            if report is not None:
                raise self._failed(report if report is not _NOT_REPORTED else self._trouble, reports)
        if too_large is not None:
            raise self._failed(too_large, reports)

    def close(self) -> None:
        self._drop_producer()

    def _produce(self, number: int, envelope: Envelope, reports: List[Any], deadline: float) -> None:
        def reported(error: Any, _message: Any) -> None:
            reports[number] = error

        value = json.dumps(envelope, allow_nan=False, separators=(",", ":")).encode("ascii")
        while True:
            try:
                self._producer.produce(self._options.topic, value, key_of(envelope), on_delivery=reported)
                return
            except BufferError:
                # The user made librdkafka's queue smaller than one part.
                if time.monotonic() >= deadline:
                    raise SinkError("%s takes nothing more: its queue is full. It is tried again" % self.name) from None
                self._producer.poll(STEP)
                self._raise_what_lasts()

    def _raise_what_lasts(self) -> None:
        """What is wrong with all messages, and will be until somebody acts, need not be waited for."""
        trouble = self._trouble
        if trouble is not None and (
            trouble.fatal()
            or trouble.name() in (*AUTHENTICATION, *AUTHORIZATION, *UNTRUSTED)
            # With TLS 1.3 it comes after the handshake: librdkafka takes it for a connection that was cut, and does not pause.
            or OUR_CERTIFICATE.search(trouble.str())
        ):
            raise self._failed(trouble, [])

    def _failed(self, error: Any, reports: List[Any]) -> SinkError:
        """The sentence for an error. Afterwards nothing that was not confirmed is under way any more."""
        confirmed = _leading(reports)
        name = error.name() if error is not None else ""
        # A message that timed out tells nothing; what was heard of the brokers meanwhile does.
        told = self._trouble if name in ("", "_MSG_TIMED_OUT", "_TIMED_OUT") and self._trouble is not None else error
        name, why = (told.name(), _one_line(told.str())) if told is not None else ("", "no report came in time")
        self._drop_producer()
        if told is not None and told.fatal():
            return SinkError("The producer for %s is at an end (%s): a new one is begun" % (self.name, why), confirmed)
        if name in AUTHENTICATION:
            return SinkRefused(
                "%s does not take our user name and password (%s). Check sasl.username, sasl.password_file and sasl.mechanism"
                % (self.name, why),
                confirmed,
            )
        if name in AUTHORIZATION:
            return SinkRefused(
                "%s is not open to us (%s): ask for the right to write to it" % (self.name, why), confirmed
            )
        if name in UNKNOWN:
            # Somebody is about to make it, or it is not known to all brokers yet.
            return SinkError(
                "%s is not there (%s): create the topic, or check its name. It is tried again" % (self.name, why),
                confirmed,
            )
        if name in TOO_LARGE:
            return SinkTooLarge(
                "%s does not take an event as large as one is (%s). Raise message.max.bytes in the settings, and max.message.bytes "
                "of the topic" % (self.name, why),
                confirmed,
            )
        if OUR_CERTIFICATE.search(why):
            return SinkRefused(
                "%s does not take our certificate, or we have none (%s). Check ssl.certificate.location, ssl.key.location, and "
                "that the broker trusts the authority of the certificate" % (self.name, why),
                confirmed,
            )
        if name in UNTRUSTED:
            return SinkRefused(
                "%s can't be trusted, or does not trust us (%s). Check ssl.ca.location, and that the broker's certificate has "
                "the name in bootstrap.servers" % (self.name, why),
                confirmed,
            )
        if name == ALL_DOWN:
            # One that hangs up while we introduce ourselves is told to librdkafka's own log alone.
            return SinkError(
                "%s can't be reached: no broker there speaks to us, and none says why. Check the port, and that "
                "security.protocol is the broker's. It is tried again" % self.name,
                confirmed,
            )
        return SinkError("%s can't be reached: %s. It is tried again" % (self.name, why), confirmed)

    def _make_producer(self) -> None:
        settings = {**DEFAULTS, **self._settings(), "error_cb": self._hear, "logger": _silent_logger()}
        try:
            self._producer = self._library.Producer(settings)
        except (self._library.KafkaException, ValueError, TypeError) as error:
            cause = error.args[0] if error.args else error
            why = _one_line(cause.str() if hasattr(cause, "str") else str(cause))
            raise InvalidArgument("settings are not what librdkafka takes: %s" % why) from None

    def _drop_producer(self) -> None:
        """Of what it still has, nothing is to arrive after what is sent next."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(0)

    def _hear(self, error: Any) -> None:
        # All brokers being down says less than why the last one is.
        if self._trouble is None or error.fatal() or error.name() != ALL_DOWN:
            self._trouble = error

    def _settings(self) -> Dict[str, Any]:
        return settings_with_secrets(self._options.settings)

    def _time_out(self) -> float:
        given = self._options.settings
        value = given.get("message.timeout.ms", given.get("delivery.timeout.ms", DEFAULTS["message.timeout.ms"]))
        # 0 is no time-out for librdkafka, and for us a long one.
        return float(value) or 300_000.0


_NOT_REPORTED = object()


def settings_with_secrets(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """librdkafka's settings, those ending in ``_file`` read. InvalidArgument for a secret that stands in the open."""
    found: Dict[str, Any] = {}
    for name, value in settings.items():
        if not isinstance(value, (str, int, float)):
            raise InvalidArgument("settings has %s, which must be a text, a number or true or false" % name)
        plain = name[: -len(FILE)] if name.endswith(FILE) else name
        if name.endswith(FILE) and _is_secret(plain):
            found[plain] = read_secret("%s in settings" % name, str(value))
        elif _is_secret(name):
            raise InvalidArgument(
                "settings has %s, where everybody could read it: write it into a file, and give %s%s"
                % (name, name, FILE)
            )
        else:
            found[name] = value
    return found


def key_of(envelope: Envelope) -> bytes:
    event = envelope["wireguard"]
    place = [event["host"], event["netns"], event["interface"], event["public_key"]]
    return json.dumps(place, separators=(",", ":")).encode("ascii")


def _is_secret(name: str) -> bool:
    return name.endswith(("password", "passphrase", "secret", "key.pem")) or name == "sasl.oauthbearer.config"


def _leading(reports: Sequence[Any]) -> int:
    """How many at the beginning are confirmed. Later ones come again: between them and the others is an order."""
    return next((number for number, report in enumerate(reports) if report is not None), len(reports))


def _one_line(text: str) -> str:
    return CIRCUMSTANCES.sub("", " ".join(text.split())).rstrip(".")[:300]


def _silent_logger() -> logging.Logger:
    """For librdkafka's own log, which would go to the standard error: what matters of it comes as an error, too."""
    logger = logging.getLogger("wirewatch.librdkafka")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger


def _load() -> Any:
    try:
        import confluent_kafka
    except ImportError:
        raise MissingDependency(
            "The sink kafka needs the Python library confluent-kafka for %s: %s"
            % (sys.executable, how_to_get("confluent-kafka", "python3-confluent-kafka"))
        ) from None
    return confluent_kafka

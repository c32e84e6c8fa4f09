# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a publisher is told: the arguments of a watch, and ``sink``; from a file, from the command line, checked."""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping, NamedTuple

from . import _options, _watch_options
from ._errors import InvalidArgument
from ._pretty import Pretty
from ._sink_kafka import KafkaOptions, KafkaSink
from ._sink_lines import LineSink, json_line
from ._sink_webhook import WebhookOptions, WebhookSink
from ._sinks import Sink
from ._watch_options import WatchArguments

STDOUT, WEBHOOK, KAFKA = "stdout", "webhook", "kafka"

# meta.hosts is for rulebooks that run beside the source: a rulebook elsewhere sets it by a filter.
ARGUMENTS = tuple(name for name in _watch_options.ARGUMENTS if name != "hosts")

SINKS = {STDOUT: ("pretty",), WEBHOOK: WebhookOptions._fields, KAFKA: KafkaOptions._fields}

TEXTS = (*(name for name in WebhookOptions._fields if name != "timeout"), "topic")


class PublishArguments(NamedTuple):
    """``sink`` has its ``type`` and that one's options."""

    watch: WatchArguments
    sink: Dict[str, Any]


def read_config(path: str) -> Dict[str, Any]:
    """The arguments that a file in JSON holds. InvalidArgument."""
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
    except OSError as error:
        raise InvalidArgument("config is %s, which can't be read: %s" % (path, error.strerror)) from None
    except ValueError as error:
        raise InvalidArgument("config is %s, which is not JSON: %s" % (path, error)) from None
    if not isinstance(config, dict):
        raise InvalidArgument("config is %s, which must hold one JSON object, of arguments by their names" % path)
    return config


def merge(config: Mapping[str, Any], given: Mapping[str, Any]) -> Dict[str, Any]:
    """Arguments of a file, and over them those of the command line; of a sink each option, where it is the same sink."""
    merged = {**config, **given}
    if "sink" in given:
        before = _sink_options(config.get("sink"))
        chosen = given["sink"].get("type", before["type"])
        sink = {**before, **given["sink"]} if chosen == before["type"] else dict(given["sink"])
        if "settings" in given["sink"] and isinstance(before.get("settings"), dict) and chosen == before["type"]:
            sink["settings"] = {**before["settings"], **given["sink"]["settings"]}
        merged["sink"] = {**sink, "type": chosen}
    return merged


def check(arguments: Mapping[str, Any]) -> PublishArguments:
    """InvalidArgument names the argument that can't be, what is wrong with it, and what would be right."""
    watch = {name: value for name, value in arguments.items() if name != "sink"}
    return PublishArguments(_watch_options.check(watch, ARGUMENTS), _checked_sink(_sink_options(arguments.get("sink"))))


def make_sink(options: Mapping[str, Any]) -> Sink:
    """The sink of checked options. InvalidArgument, MissingDependency."""
    kind = options["type"]
    given = {name: value for name, value in options.items() if name != "type"}
    if kind == WEBHOOK:
        return WebhookSink(WebhookOptions(**given))
    if kind == KAFKA:
        return KafkaSink(KafkaOptions(given["topic"], given.get("settings", {})))
    return LineSink(Pretty().line if given.get("pretty") else json_line)


def _sink_options(sink: Any) -> Dict[str, Any]:
    if sink is None:
        return {"type": STDOUT}
    if isinstance(sink, str):
        return {"type": sink}
    if not isinstance(sink, dict):
        raise InvalidArgument(
            "sink is %r and must be a name, or a dictionary with type and the options of that sink" % (sink,)
        )
    return {"type": STDOUT, **sink}


def _checked_sink(sink: Dict[str, Any]) -> Dict[str, Any]:
    kind = sink["type"]
    if kind not in SINKS:
        raise InvalidArgument("sink is %r. There are: %s" % (kind, ", ".join(SINKS)))
    for name, value in sink.items():
        if name != "type" and name not in SINKS[kind]:
            raise InvalidArgument("The sink %s has no option %s. There are: %s" % (kind, name, ", ".join(SINKS[kind])))
        if name in TEXTS:
            sink[name] = _options.text("%s of the sink" % name, value)
    for name in {WEBHOOK: ("url",), KAFKA: ("topic",)}.get(kind, ()):
        if name not in sink:
            raise InvalidArgument("The sink %s needs %s" % (kind, name))
    if "timeout" in sink:
        sink["timeout"] = _options.number("timeout", sink["timeout"], 0, above=True)
    if not isinstance(sink.get("settings", {}), dict):
        raise InvalidArgument("settings of the sink is %r and must be a dictionary" % (sink["settings"],))
    if not isinstance(sink.get("pretty", False), bool):
        raise InvalidArgument("pretty of the sink is %r and must be true or false" % (sink["pretty"],))
    return sink

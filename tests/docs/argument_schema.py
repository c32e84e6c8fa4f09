# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Schemas of the arguments of the event source and the event filter, for graphical editors of rulebooks.

They lie where those of the collection ansible.eda do, in schemas/NAME.json beside the plugin. Names, texts, types, choices and
defaults are those of its DOCUMENTATION; what YAML has no words for (bounds, what goes with what) is added here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import Timers
from ansible_collections.wirewatch.wireguard.plugins.module_utils._options import KEEPALIVE_MAX
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch_options import INTERVAL_LEAST
from docs.pages import CHECKOUT, documentation

Schema = dict[str, Any]

FOLDER = CHECKOUT / "extensions/eda/plugins"
TYPES = {"str": "string", "float": "number", "list": "array", "dict": "object"}
MARKUP = re.compile(r"\b[A-Z]\(([^)]*)\)")  # Ansible's C(…), V(…), O(…), M(…)

# 32 bytes in base64: the last of the 43 characters carries four bits.
PUBLIC_KEY = "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$"
TEXT = {"type": "string", "minLength": 1}
SECONDS = {"type": "integer", "minimum": 0, "maximum": KEEPALIVE_MAX}
# ansible-rulebook joins names with commas, and a name of nothing else would be no limit at all.
HOST = {"type": "string", "pattern": "[^ ,]"}


def by_key(values: Schema) -> Schema:
    return {"type": "object", "propertyNames": {"pattern": PUBLIC_KEY}, "additionalProperties": values}


SOURCE: dict[str, Schema] = {
    # A glob, or a name: at most 15 characters, no white space, no slash.
    "interfaces": {
        "minItems": 1,
        "items": {"type": "string", "pattern": r"^(?:[\s\S]*[*?\[][\s\S]*|(?!\.{1,2}$)[^\s/]{1,15})$"},
    },
    "netns": {"minItems": 1, "items": TEXT},
    "interval": {"minimum": INTERVAL_LEAST},
    "types": {"minItems": 1},
    "peers": {"minItems": 1, "items": {"type": "string", "pattern": PUBLIC_KEY}},
    "names": by_key({"type": "string"}),
    "state_file": TEXT,
    "host": TEXT,
    "hosts": {"minItems": 1, "items": TEXT},
    "expected_keepalive": {"oneOf": [SECONDS, by_key(SECONDS)]},
    "timers": {
        "additionalProperties": False,
        "properties": {
            name: {"type": "number", "minimum": 0, "default": default} for name, default in Timers()._asdict().items()
        },
    },
    "debounce": {"minimum": 0},
    "heartbeat": {"anyOf": [{"const": 0}, {"minimum": INTERVAL_LEAST}]},
}
TOGETHER = [
    {
        "if": {"properties": {"initial": {"const": "resume"}}, "required": ["initial"]},
        "then": {"required": ["state_file"]},
        "else": {"not": {"required": ["state_file"]}},
    },
    {
        "if": {"properties": {"heartbeat": {"exclusiveMinimum": 0}}, "required": ["heartbeat", "types"]},
        "then": {"properties": {"types": {"contains": {"const": "watch_heartbeat"}}}},
    },
]
FILTER: dict[str, Schema] = {
    "hosts": {
        "oneOf": [
            {"type": "boolean"},
            {
                "type": "object",
                "additionalProperties": {"oneOf": [HOST, {"type": "array", "minItems": 1, "items": HOST}]},
            },
        ]
    }
}


def plain(text: str | list[str]) -> str:
    """A description without Ansible's markup."""
    return MARKUP.sub(r"\1", text if isinstance(text, str) else " ".join(text))


def of_option(name: str, option: Schema, more: Schema) -> Schema:
    made: Schema = {"title": name.replace("_", " ").capitalize(), "description": plain(option["description"])}
    if option["type"] != "raw":
        made["type"] = TYPES[option["type"]]
    if option["type"] == "list":
        made["items"] = {"type": TYPES[option["elements"]]}
    if "choices" in option:
        (made["items"] if option["type"] == "list" else made)["enum"] = option["choices"]
    if "default" in option:
        made["default"] = option["default"]
    return {**made, **more}


def schema(plugin: str, title: str, description: str, more: dict[str, Schema], together: list[Schema]) -> Schema:
    options, _examples = documentation(plugin)
    made: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        "type": "object",
        "properties": {name: of_option(name, option, more.get(name, {})) for name, option in options.items()},
        "additionalProperties": False,
    }
    return {**made, "allOf": together} if together else made


def schemas() -> dict[Path, Schema]:
    """What is to be in the files."""
    return {
        FOLDER / "event_source/schemas/wg_events.json": schema(
            "event_source/wg_events.py",
            "WireGuard source plugin",
            "An event source of ansible-rulebook that streams what changes on WireGuard interfaces.",
            SOURCE,
            TOGETHER,
        ),
        FOLDER / "event_filter/schemas/lift.json": schema(
            "event_filter/lift.py",
            "WireGuard filter plugin",
            "An event filter of ansible-rulebook that brings WireGuard events to where rules look for them.",
            FILTER,
            [],
        ),
    }


def rewrite() -> None:
    for path, made in schemas().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")

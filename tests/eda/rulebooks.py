# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rulebooks for the real ansible-rulebook, and what their rules said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sender import PAUSES
from lab import Running, wait_for

PATIENCE = 90.0  # seconds for a rule to fire, and before it the engine to start; a poll and a rule take well below one
PATIENCE_WITH_PAUSE = PATIENCE + PAUSES.longest  # of a publisher that found nobody before

# What a rule says of its event; null is None there.
_SAYING = "FIRED {{ event.wireguard.type }} {{ event.wireguard.interface }} {{ event.wireguard.public_key }}" + "".join(
    f" {key}={{{{ event.wireguard.{key} }}}}"
    for key in ("initial", "sequence", "previous", "current", "first", "reason")
)
_SAID = re.compile(
    r"FIRED (\w+) (\S+) (\S+) initial=(\w+) sequence=(\d+) previous=(.*?) current=(.*?) first=(.*?) reason=(.*)"
)


class Fired(NamedTuple):
    """One rule that fired, as texts."""

    type: str
    interface: str
    public_key: str
    initial: str
    sequence: str
    previous: str
    current: str
    first: str
    reason: str


def write_rulebook(folder: Path, arguments: dict[str, Any], *others: dict[str, Any], types: Sequence[str] = ()) -> Path:
    """A rulebook with one source: `others` are its first rules, then one for each type (or for any) that says it."""
    conditions = [f'event.wireguard.type == "{kind}"' for kind in types] or ["event.wireguard.schema == 1"]
    rules = [*others]
    rules += [
        {"name": f"Rule {number}", "condition": condition, "action": {"debug": {"msg": _SAYING}}}
        for number, condition in enumerate(conditions, 1)
    ]
    ruleset = {
        "name": "Test",
        "hosts": "all",
        "match_multiple_rules": True,
        "sources": [{"wirewatch.wireguard.wg_events": arguments}],
        "rules": rules,
    }
    path = folder / "rulebook.yml"
    path.write_text(yaml.safe_dump([ruleset], sort_keys=False), encoding="utf-8")
    return path


def fired(running: Running) -> list[Fired]:
    """All that fired so far, in order."""
    return [Fired(*found.groups()) for found in _SAID.finditer(running.output)]


def wait_for_rule(running: Running, kind: str, timeout: float = PATIENCE, **fields: str) -> Fired:
    """Waits for a rule that fired on an event of this type with these values."""

    def seen() -> Fired | None:
        if running.returncode is not None:
            raise running.failed(f"ended before a rule fired on {kind}.")
        for one in fired(running):
            if one.type == kind and all(getattr(one, name) == value for name, value in fields.items()):
                return one
        return None

    return wait_for(seen, timeout, f"a rule to fire on {kind} with {fields}; {running.output}")

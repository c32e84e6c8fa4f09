# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schemas for graphical editors say what DOCUMENTATION says, and take what the code takes."""

from __future__ import annotations

import json
import logging
import runpy
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InvalidArgument
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch_options import check
from docs import argument_schema
from docs.pages import documentation
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

SOURCE, FILTER = argument_schema.schemas()
KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
LIFT = runpy.run_path(str(argument_schema.FOLDER / "event_filter/lift.py"))

# For each argument what is right and what is wrong in itself, in the shapes that DOCUMENTATION names.
RIGHT: dict[str, list[Any]] = {
    "interfaces": [["wg0"], ["wg*", "office"], ["[a b]*/"], ["a" * 15]],
    "netns": [["vpn"], ["/proc/1/ns/net", "vpn"]],
    "interval": [1, 0.05, 0.5, 3600],
    "types": [["peer_added"], ["watch_heartbeat", "peer_removed"]],
    "peers": [[KEY], [KEY, KEY]],
    "names": [{}, {KEY: "office"}],
    "initial": ["emit", "skip", "resume"],
    "state_file": ["/var/lib/wirewatch/state.db"],
    "host": ["gw1"],
    "hosts": [["gw1"], ["gw1", "gw2"]],
    "expected_keepalive": [0, 25, 25.0, 65535, {}, {KEY: 25}],
    "timers": [{}, {"slack": 5}, {"reject_after": 0, "renewal": 240.5}],
    "debounce": [0, 0.01, 10],
    "heartbeat": [0, 0.05, 60],
}
WRONG: dict[str, list[Any]] = {
    "interfaces": [[], [""], ["a b"], ["a/b"], ["."], [".."], ["a" * 16], [7.5], {"wg0": 1}],
    "netns": [[], [""], [7.5], 7.5],
    "interval": [0, 0.049, -1, True, "often", []],
    "types": [[], ["peer_moved"], [7], {"peer_added": True}],
    "peers": [[], ["office"], [KEY[:-1]], [KEY[:-2] + "h="], {KEY: "office"}],
    "names": [[KEY], {"office": "office"}, 7],
    "initial": ["all", 7, True],
    "state_file": ["", 7.5, ["state.db"]],
    "host": ["", 7.5, ["gw1"]],
    "hosts": [[], [""], [7.5], {"gw1": "gw1"}],
    "expected_keepalive": [-1, 65536, 25.5, True, [25], {KEY: -1}, {"office": 25}],
    "timers": [{"slack": -1}, {"patience": 5}, [5], 5],
    "debounce": [-1, True, []],
    "heartbeat": [-1, 0.01, True, []],
    "interfces": [["wg0"]],
}
# More that the source puts up with, for people who write by hand; an editor writes the one shape that is documented.
LENIENT: list[dict[str, Any]] = [
    {"interfaces": "wg0"},
    {"interval": "0.5"},
    {"netns": [None, "vpn"]},
    {"names": {KEY: 7}},
    {"host": 7},
    {"interfaces": [7]},
    {"peers": None},
]

HOSTS_RIGHT: list[Any] = [True, False, {}, {"gw1": "gw1"}, {"gw1": ["gw1", "gw2"]}]
HOSTS_WRONG: list[Any] = ["gw1", ["gw1"], 7, {"gw1": ""}, {"gw1": []}, {"gw1": [" , "]}, {"gw1": 7}, {"gw1": [7]}]


def validator(path: Any) -> Draft202012Validator:
    made = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def source_takes(arguments: dict[str, Any]) -> bool:
    try:
        check(arguments)
    except InvalidArgument:
        return False
    return True


def test_the_schemas_are_what_the_documentation_says(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite-docs"):
        argument_schema.rewrite()
    for path, made in argument_schema.schemas().items():
        assert json.loads(path.read_text(encoding="utf-8")) == made


@pytest.mark.parametrize("name", WRONG)
def test_the_schema_of_the_source_takes_what_the_source_takes(name: str) -> None:
    valid = validator(SOURCE)
    for value in RIGHT.get(name, []):
        arguments = {name: value}
        if "resume" in (value, arguments.get("initial")) or name == "state_file":
            arguments = {"initial": "resume", "state_file": "/state.db", **arguments}
        assert valid.is_valid(arguments) and source_takes(arguments), arguments
    for value in WRONG[name]:
        assert not valid.is_valid({name: value}) and not source_takes({name: value}), value


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in RIGHT.items()}))
def test_what_goes_with_what_is_the_same_to_both(arguments: dict[str, Any]) -> None:
    assert validator(SOURCE).is_valid(arguments) == source_takes(arguments)


@pytest.mark.parametrize("arguments", LENIENT, ids=str)
def test_the_source_puts_up_with_more(arguments: dict[str, Any]) -> None:
    assert source_takes(arguments)
    assert not validator(SOURCE).is_valid(arguments)


@pytest.mark.parametrize("hosts", HOSTS_RIGHT + HOSTS_WRONG, ids=str)
def test_the_schema_of_the_filter_takes_what_the_filter_does_not_complain_of(
    hosts: Any, caplog: pytest.LogCaptureFixture
) -> None:
    LIFT["_said"].clear()
    with caplog.at_level(logging.WARNING):
        LIFT["main"]({"wireguard": {"schema": 1, "type": "peer_added", "host": "gw1"}}, hosts=hosts)
    assert validator(FILTER).is_valid({"hosts": hosts}) == (caplog.text == "")
    assert (hosts in HOSTS_RIGHT) == (caplog.text == "")


@pytest.mark.parametrize(("path", "plugin"), [(SOURCE, "event_source/wg_events.py"), (FILTER, "event_filter/lift.py")])
def test_the_documented_examples_fit_the_schema(path: Any, plugin: str) -> None:
    _options, examples = documentation(plugin)
    valid = validator(path)
    name = f"wirewatch.wireguard.{path.stem}"
    entries = [one for example in examples for one in (example, *example.get("filters", [])) if name in one]
    assert entries
    for entry in entries:
        valid.validate(entry[name] or {})

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of a watch: what is right, and the sentence for what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InvalidArgument
from ansible_collections.wirewatch.wireguard.plugins.module_utils._event import TYPES
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch_options import ARGUMENTS, check
from unit.watching import key, text

ALL_TYPES = ", ".join(TYPES)

QUOTES = (
    "Write it in quotes; where a template made that of a text, as ansible-rulebook's do, write "
    '"{{ … | string | tojson }}"'
)

WRONG: list[tuple[dict[Any, Any], str]] = [
    ({"interval": 0}, "interval is 0 and must be a number of at least 0.05"),
    ({"interval": -1}, "interval is -1 and must be a number of at least 0.05"),
    ({"interval": "soon"}, "interval is 'soon' and must be a number of at least 0.05"),
    ({"interval": True}, "interval is True and must be a number of at least 0.05"),
    ({"interval": float("nan")}, "interval is nan and must be a number of at least 0.05"),
    ({"interval": float("inf")}, "interval is inf and must be a number of at least 0.05"),
    ({"interval": None}, "interval is None and must be a number of at least 0.05"),
    (
        {"interfaces": []},
        "interfaces is an empty list, so there is nothing to look at: name at least one interface, or leave the option out "
        "for all of them",
    ),
    (
        {"interfaces": ["wg0", "a-name-of-17-char"]},
        "interfaces has 'a-name-of-17-char' with 17 characters; an interface name has at most 15",
    ),
    ({"interfaces": ["wg 0"]}, "interfaces has 'wg 0'; an interface name has no white space and no slash"),
    ({"interfaces": ["../wg0"]}, "interfaces has '../wg0'; an interface name has no white space and no slash"),
    ({"interfaces": [None]}, "interfaces has None, which is no interface name"),
    ({"interfaces": [1e5]}, f"interfaces is 100000.0 and must be a text. {QUOTES}"),
    ({"interfaces": 7}, "interfaces is 7 and must be a list"),
    ({"host": 1e5}, f"host is 100000.0 and must be a text. {QUOTES}"),
    ({"hosts": [True]}, f"hosts is True and must be a text. {QUOTES}"),
    ({"names": {text(1): 1e5}}, f"names of {text(1)} is 100000.0 and must be a text. {QUOTES}"),
    ({"interfaces": {"wg0": 1}}, "interfaces is {'wg0': 1} and must be a list"),
    ({"netns": []}, "netns is an empty list: name at least one, or leave it out for the source's own namespace"),
    ({"netns": [""]}, "netns has '', which is neither a name nor a path"),
    ({"types": []}, "types is an empty list, so no event would ever come: name some, or leave the option out"),
    ({"types": ["peer_lost"]}, f"types has 'peer_lost', which is no event type. There are: {ALL_TYPES}"),
    ({"types": [["peer_lost"]]}, f"types has ['peer_lost'], which is no event type. There are: {ALL_TYPES}"),
    ({"peers": []}, "peers is an empty list: name at least one peer, or leave the option out for all"),
    (
        {"peers": ["c2hvcnQ="]},
        "peers has 'c2hvcnQ=', which is no WireGuard public key: it has 8 characters, and a key in base64 has 44",
    ),
    (
        {"peers": ["!" + text(1)[1:]]},
        f"peers has '!{text(1)[1:]}', which is no WireGuard public key: it has the character '!', which base64 of 32 bytes "
        "has not",
    ),
    ({"names": ["office"]}, "names must be a dictionary of public keys and names"),
    (
        {"names": {"office": text(1)}},
        "names has 'office' before its public key: the key comes first, and then the name",
    ),
    (
        {"names": {"office": "home"}},
        "names has 'office', which is no WireGuard public key: it has 6 characters, and a key in base64 has 44",
    ),
    ({"initial": "all"}, "initial is 'all'. There are: emit, skip, resume"),
    ({"initial": "resume"}, "initial is resume, which needs state_file: the path of a file to remember in"),
    (
        {"state_file": "/var/lib/x.db"},
        "state_file is set and initial is emit: only initial: resume uses a state file",
    ),
    ({"initial": "resume", "state_file": ["x"]}, "state_file is ['x'] and must be a text"),
    ({"host": ""}, "host is '' and must be a text"),
    (
        {"hosts": []},
        "hosts is [] and must name at least one host of the inventory: an empty list would run playbooks on all",
    ),
    (
        {"hosts": ["gw1", None]},
        "hosts is ['gw1', None] and must name at least one host of the inventory: an empty list would run playbooks on all",
    ),
    ({"expected_keepalive": -1}, "expected_keepalive is -1 and must be a number of at least 0 and at most 65535"),
    ({"expected_keepalive": 65536}, "expected_keepalive is 65536 and must be a number of at least 0 and at most 65535"),
    ({"expected_keepalive": 2.5}, "expected_keepalive is 2.5 and must be a whole number of seconds"),
    ({"debounce": -1}, "debounce is -1 and must be a number of at least 0"),
    ({"heartbeat": -1}, "heartbeat is -1 and must be a number of at least 0"),
    ({"heartbeat": 0.001}, "heartbeat is 0.001 and must be 0 for none, or at least 0.05"),
    (
        {"heartbeat": 60, "types": ["peer_removed"]},
        "heartbeat is 60 and types leaves out watch_heartbeat, so none would ever come: add it to types, or leave heartbeat "
        "out",
    ),
    ({"interfaecs": ["wg0"]}, f"There is no argument interfaecs. There are: {', '.join(ARGUMENTS)}"),
    ({"feedback": True, 1: 2}, f"There is no argument 1, feedback. There are: {', '.join(ARGUMENTS)}"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG, ids=lambda value: str(value)[:60])
def test_what_is_wrong_is_said_in_a_sentence(arguments: dict[Any, Any], sentence: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check(arguments)
    assert str(caught.value) == sentence


def test_everything_set() -> None:
    options, state_file, hosts = check(
        {
            "interfaces": ["wg0", "lab*"],
            "netns": ["blue", None, "blue"],
            "interval": 0.05,
            "types": ["peer_removed", "watch_heartbeat"],
            "peers": [text(2), text(1), text(2)],
            "names": {text(1): "office", text(2): 7},
            "initial": "resume",
            "state_file": "/var/lib/x.db",
            "host": "gw1",
            "hosts": ["gw1", "gw2"],
            "expected_keepalive": 25,
            "debounce": 10,
            "heartbeat": 60,
        }
    )
    assert options.patterns == ["wg0", "lab*"]
    assert options.netns == ["blue", None]
    assert options.interval == 0.05
    assert options.types == {"peer_removed", "watch_heartbeat"}
    assert options.peers == {key(1), key(2)}
    assert options.names == {key(1): "office", key(2): "7"}
    assert (options.initial, options.host, options.liveness.expected_keepalive) == ("resume", "gw1", 25)
    assert (options.debounce, options.heartbeat) == (10.0, 60.0)
    assert (state_file, hosts) == ("/var/lib/x.db", ["gw1", "gw2"])


def test_what_templates_make_of_values_is_understood() -> None:
    """A rulebook's variable may arrive as text, and a list of one as that one."""
    options, _state_file, hosts = check(
        {"interval": "2.5", "interfaces": "wg0", "hosts": "gw1", "expected_keepalive": "25"}
    )
    assert (options.interval, options.patterns, options.liveness.expected_keepalive) == (2.5, ["wg0"], 25)
    assert hosts == ["gw1"]


def test_a_name_of_fifteen_characters_and_a_longer_glob_are_fine() -> None:
    names = ["a" * 15, "a-glob-of-17-char*"]
    assert check({"interfaces": names}).options.patterns == names


def test_the_host_is_the_systems_unless_given() -> None:
    import platform

    assert check({}).options.host == platform.node()


def test_a_whole_number_is_the_text_that_a_template_made_it_of() -> None:
    given = {"interfaces": [7], "netns": [10], "host": 1, "names": {text(1): 5}, "hosts": [2], "initial": "resume"}
    options, state_file, hosts = check({**given, "state_file": 3})
    assert (options.patterns, options.netns, options.host, options.names) == (["7"], ["10"], "1", {key(1): "5"})
    assert (state_file, hosts) == ("3", ["2"])

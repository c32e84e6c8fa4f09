# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event filter lift: what goes in, what comes out, and that nothing makes it raise."""

from __future__ import annotations

import copy
import logging
import runpy
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

FILTER = "extensions/eda/plugins/event_filter/lift.py"
TRANSPORT = {"endpoint": "events", "headers": {"Host": "rules.example.com"}}
HOSTS = {"gw1": "edge1", "gw2": ["edge2", "edge2-standby"]}

Lift = Callable[..., Any]


@pytest.fixture(scope="module")
def load(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Lift]:
    """As the engine does it for each source: no import, and nothing shared between two."""
    # From elsewhere: under ansible-test, runpy would be told that a file of the collection is a folder.
    path = shutil.copy(checkout / FILTER, tmp_path_factory.mktemp("filter"))
    return lambda: runpy.run_path(path)["main"]


@pytest.fixture
def lift(load: Callable[[], Lift]) -> Lift:
    return load()


def wireguard(host: Any = "gw1", **fields: Any) -> dict[str, Any]:
    return {"schema": 1, "type": "peer_removed", "host": host, "public_key": None, **fields}


def envelope(host: Any = "gw1", uuid: Any = "gw1/boot/run/1", **fields: Any) -> dict[str, Any]:
    return {"wireguard": wireguard(host, **fields), "meta": {"uuid": uuid}}


FOREIGN = [
    {},
    {"wireguard": None},
    {"wireguard": []},
    {"wireguard": {"schema": 2, "type": "peer_removed"}},
    {"wireguard": {"schema": "1", "type": "peer_removed"}},
    {"wireguard": {"schema": True, "type": "peer_removed"}},
    {"wireguard": {"schema": 1}},
    {"wireguard": {"schema": 1, "type": ""}},
    {"wireguard": {"schema": 1, "type": None}},
    {"wireguard": {"type": "peer_removed"}},
    {"events": []},
    {"events": None},
    {"events": {"wireguard": {"schema": 1, "type": "peer_removed"}}},
    {"events": [1, None, "x", [], {}]},
    "text",
    ["list", envelope()],
    None,
    0,
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=repr)
@pytest.mark.parametrize("hosts", [None, True, HOSTS], ids=["no hosts", "true", "mapping"])
def test_what_is_not_ours_passes_as_the_same_object(lift: Lift, foreign: Any, hosts: Any) -> None:
    for event in (foreign, {"payload": foreign, "meta": {}}, {"body": foreign, "meta": {}}, {"alert": foreign}):
        before = copy.deepcopy(event)
        assert lift(event, hosts=hosts) is event
        assert event == before


@pytest.mark.parametrize("carrier", ["body", "payload"])
def test_an_event_is_brought_to_the_top(lift: Lift, carrier: str) -> None:
    event = {carrier: envelope(), "meta": {**TRANSPORT, "source": {"name": "s"}}, "timestamp": 5}
    before = copy.deepcopy(event)
    assert lift(event) == {
        "wireguard": wireguard(),
        "meta": {**TRANSPORT, "source": {"name": "s"}, "uuid": "gw1/boot/run/1"},
        "timestamp": 5,
    }
    assert event == before, "others may hold on to it"


def test_an_event_at_the_top_stays_what_it_is(lift: Lift) -> None:
    """The local source's, and what eda.builtin.event_splitter makes of a batch."""
    event = {**envelope(), "payload": envelope("gw2")}
    assert lift(event) is event


@pytest.mark.parametrize("carrier", ["body", "payload"])
def test_a_batch_becomes_its_events_in_order(lift: Lift, carrier: str) -> None:
    batch = [envelope(uuid=str(number), sequence=number) for number in range(3)]
    lifted = lift({carrier: {"events": batch, "sent": 1}, "meta": TRANSPORT})
    assert lifted == [
        {"wireguard": wireguard(sequence=number), "meta": {**TRANSPORT, "uuid": str(number)}} for number in range(3)
    ]
    metas = [one["meta"] for one in lifted]
    assert len({id(meta) for meta in metas}) == 3, "the engine writes into them"


def test_what_is_foreign_in_a_batch_stays_together_in_its_place(lift: Lift) -> None:
    event = {"payload": {"events": [1, envelope(), None, envelope("gw2")], "sent": 1}, "meta": TRANSPORT}
    first, second, rest = lift(event)
    assert (first["wireguard"]["host"], second["wireguard"]["host"]) == ("gw1", "gw2")
    assert rest == {"payload": {"events": [1, None], "sent": 1}, "meta": TRANSPORT}


@pytest.mark.parametrize(
    ("meta", "sent", "merged"),
    [
        ({}, {"uuid": "u"}, {"uuid": "u"}),
        ({"uuid": "t"}, {"uuid": "u"}, {"uuid": "u"}),
        ({"uuid": "t"}, {}, {"uuid": "t"}),
        ({"uuid": "t"}, {"uuid": ""}, {"uuid": "t"}),
        ({}, {"uuid": 5}, {}),
        ({}, None, {}),
        ({}, "text", {}),
        (None, {"uuid": "u"}, {"uuid": "u"}),
        ({"headers": {"a": "b"}}, {"uuid": "u", "hosts": [], "source": 1, "headers": 2}, {"headers": {"a": "b"}, "uuid": "u"}),
        ({"hosts": ["set-by-another-filter"]}, {"hosts": ["sent"]}, {"hosts": ["set-by-another-filter"]}),
    ],
)  # fmt: skip
def test_meta_is_the_transports_and_only_uuid_the_senders(lift: Lift, meta: Any, sent: Any, merged: Any) -> None:
    assert lift({"payload": {"wireguard": wireguard(), "meta": sent}, "meta": meta})["meta"] == merged


def test_meta_comes_up_where_the_transport_gave_none(lift: Lift) -> None:
    """As the Kafka source does where it can't decode the headers."""
    assert lift({"body": envelope()}) == envelope()


@pytest.mark.parametrize(
    ("hosts", "host", "limited"),
    [
        (HOSTS, "gw1", ["edge1"]),
        (HOSTS, "gw2", ["edge2", "edge2-standby"]),
        (HOSTS, "gw3", None),
        (HOSTS, None, None),
        (HOSTS, ["gw1"], None),
        ({}, "gw1", None),
        (True, "gw1.example.com", ["gw1.example.com"]),
        (True, "gw_1-a", ["gw_1-a"]),
        (True, None, None),
        (True, 7, None),
        # Each would be a pattern of --limit, or no limit at all.
        *((True, host, None) for host in ("", " ", "all", "ungrouped", "*", "gw1,gw2", "gw1:gw2", "!gw1", "~gw", "@file")),
        *((True, host, None) for host in ("gw1\n", "gw[0:9]", "&gw1", "-i", ".", "gw1 gw2")),
        (False, "gw1", "kept"),
        (None, "gw1", "kept"),
    ],
)  # fmt: skip
def test_actions_are_limited_to_hosts(lift: Lift, hosts: Any, host: Any, limited: Any) -> None:
    """In an event of each kind, whatever was in meta.hosts before. Never to an empty list: that is every host."""
    before = {**TRANSPORT, "hosts": "kept"}
    after = {**TRANSPORT} if limited is None else {**TRANSPORT, "hosts": limited}
    alone = lift({"payload": {"wireguard": wireguard(host)}, "meta": before}, hosts=hosts)
    (batched,) = lift({"payload": {"events": [{"wireguard": wireguard(host)}]}, "meta": before}, hosts=hosts)
    at_top = lift({"wireguard": wireguard(host), "meta": before}, hosts=hosts)
    assert alone == batched == at_top == {"wireguard": wireguard(host), "meta": after}
    assert before["hosts"] == "kept"


def test_the_list_of_an_argument_is_given_to_nobody(lift: Lift) -> None:
    event = lift({"body": envelope("gw2")}, hosts=HOSTS)
    event["meta"]["hosts"].append("other")
    assert HOSTS["gw2"] == ["edge2", "edge2-standby"]


MUST_BE = "hosts must be true, or a dictionary"
ENTRY = "hosts has for gw1 neither"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"hosts": "gw1"}, MUST_BE),
        ({"hosts": "{{ hosts }}"}, MUST_BE),
        ({"hosts": ["gw1"]}, MUST_BE),
        ({"hosts": 1}, MUST_BE),
        *(
            ({"hosts": {"gw1": wrong}}, ENTRY)
            for wrong in ([], "", " ", [""], ["a", ","], None, 5, {"a": 1}, [1], True)
        ),
        ({"hots": True}, "There is no argument hots"),
        ({"event": 1, "self": 2}, "There is no argument event, self"),
    ],
)
def test_a_wrong_argument_is_told_of_once_and_has_no_effect(
    lift: Lift, arguments: dict[str, Any], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    for event in ({"body": envelope()}, {"payload": {"events": [envelope()]}}, {"alert": 1}):
        for _time in range(2):
            assert lift(event, **arguments) == lift(event)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"wirewatch.wireguard.lift: {sentence}")


def test_a_wrong_entry_leaves_the_others_in_force(lift: Lift) -> None:
    hosts = {"gw1": [], "gw2": "edge2"}
    assert "hosts" not in lift({"body": envelope("gw1")}, hosts=hosts)["meta"]
    assert lift({"body": envelope("gw2")}, hosts=hosts)["meta"]["hosts"] == ["edge2"]


def test_each_source_complains_for_itself(load: Callable[[], Lift], caplog: pytest.LogCaptureFixture) -> None:
    load()({}, hosts=1)
    load()({}, hosts=1)
    assert len(caplog.records) == 2


# --- templates

TEMPLATES = ["{{ lookup('pipe', 'id') }}", "a {% if true %}", "{# a", "#jinja2:variable_start_string:'[%'\n[% x }}"]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("place", ["value", "key", "inside a list", "uuid", "a header of the transport"])
def test_of_an_event_with_a_template_nothing_is_left(
    lift: Lift, template: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A playbook gets it as extra variables, and Ansible runs what it finds there."""
    bad = envelope(name=template)
    headers: dict[str, Any] = {}
    if place == "key":
        bad = envelope(**{template: 1})
    elif place == "inside a list":
        bad = envelope(peer={"allowed_ips": ["10.0.0.2/32", template]})
    elif place == "uuid":
        bad = envelope(uuid=template)
    elif place == "a header of the transport":
        bad, headers = envelope(), {"User-Agent": template}
    meta = {"headers": headers}
    with caplog.at_level(logging.WARNING):
        assert lift({"payload": bad, "meta": meta}) == {}
        assert lift({**bad, "meta": {**bad["meta"], **meta}}) == {}
        good = envelope(uuid="b")
        (left, other) = lift({"payload": {"events": [bad, good]}, "meta": {} if headers else meta})
        assert other["wireguard"] == good["wireguard"]
        assert left == {} or headers
    assert [record.args for record in caplog.records] == [
        ("An event held a Jinja template, which a playbook would have run: nothing is left of it",)
    ]


def test_braces_alone_are_no_template(lift: Lift) -> None:
    event = envelope(name="{'a': {'b': 1}} {x} }} %} {")
    assert lift(event) is event


# --- anything at all

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NAMES = st.sampled_from(["wireguard", "meta", "events", "body", "payload", "schema", "type", "host", "hosts", "uuid"])
VALUES = SCALARS | st.just(1) | st.sampled_from(["gw1", "gw2", "peer_removed", "all", "", "{{ x }}"])
JSON = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=5)
)
ENVELOPES = st.fixed_dictionaries(
    {"wireguard": st.fixed_dictionaries({"schema": st.just(1), "type": st.just("peer_added"), "host": JSON})},
    optional={"meta": st.fixed_dictionaries({}, optional={"uuid": JSON, "hosts": JSON}) | JSON},
)
MESSAGES = ENVELOPES | st.fixed_dictionaries({"events": st.lists(ENVELOPES | JSON, max_size=4)}) | JSON
EVENTS = JSON | st.fixed_dictionaries(
    {}, optional={"body": MESSAGES, "payload": MESSAGES, "meta": JSON, "wireguard": JSON}
)


def ours(event: Any) -> bool:
    """Said anew, and not as the filter says it."""
    try:
        inner = event["wireguard"]
        return isinstance(inner, dict) and inner["schema"] == 1 and inner["schema"] is not True and inner["type"] > ""
    except (KeyError, TypeError, IndexError):
        return False


@given(event=EVENTS, hosts=st.none() | st.booleans() | st.just(HOSTS) | JSON)
def test_anything_passes_without_an_error(load: Callable[[], Lift], event: Any, hosts: Any) -> None:
    before = copy.deepcopy(event)
    result = load()(event, hosts=hosts)
    assert repr(event) == repr(before), "changed in place"
    if result is event:
        carried = [event.get(carrier) for carrier in ("body", "payload")] if isinstance(event, dict) else []
        assert ours(event) or not any(map(ours, carried))
        return
    lifted = result if isinstance(result, list) else [result]
    assert [one for one in lifted[:-1] if one and not ours(one)] == []
    assert not lifted[-1] or ours(lifted[-1]) or (isinstance(result, list) and len(lifted) > 1)
    for one in filter(ours, lifted):
        assert isinstance(one["meta"], dict)
        if hosts is True or isinstance(hosts, dict):
            assert one["meta"].get("hosts", ["none"]) not in ([], [""])

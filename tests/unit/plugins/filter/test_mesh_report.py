# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter mesh_report: what comes first, where things are drawn, what changed since the last report."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.wirewatch.wireguard.plugins.filter.mesh_pairs import mesh_pairs
from ansible_collections.wirewatch.wireguard.plugins.filter.mesh_report import MOST_ROWS, FilterModule
from browser.meshes import Results, full, host, key, large, peer, small

FIRST, SECOND, THIRD = ("2026-11-25T12:00:0%dZ" % second for second in range(3))

mesh_report = FilterModule().filters()["mesh_report"]


def report(results: Results, made: str = FIRST, last: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """What is shown after a report that showed `last`."""
    page = f'<p>page</p>\n<script type="application/json" id="mesh-facts">{last["facts"]}</script>' if last else None
    return mesh_report(results, mesh_pairs(results, **options), made, page, **options)


def changes(before: Results, after: Results) -> list[str]:
    shown = report(after, SECOND, report(before))["changes"]
    assert shown["changed"] == bool(shown["list"])
    assert shown["since"] == FIRST
    return [change["text"] for change in shown["list"]]


def pair(a_sees: dict[str, Any] | None, b_sees: dict[str, Any] | None) -> Results:
    """Two hosts, each with the other as its peer, or not."""
    return {
        "a": host("a", *([] if a_sees is None else [peer("b", 1, **a_sees)])),
        "b": host("b", *([] if b_sees is None else [peer("a", 0, **b_sees)])),
    }


# --- trouble


def test_each_side_of_a_pair_is_a_row_and_the_worst_comes_first() -> None:
    rows = report(small())["rows"]
    assert [(row["state"], row["host"], row["peer_host"], row["problem"]) for row in rows] == [
        ("missing", "hub", "east", "missing on hub"),
        ("down", "west", "hub", "down on west"),
        ("up", "east", "hub", "missing on hub"),
        ("up", "hub", "west", "down on west"),
    ]


def test_trouble_is_in_the_order_of_state_then_silence_then_name() -> None:
    sees = [("never", None), ("up", 5), ("down", 300), ("idle", 900), ("down", 4000), ("inactive", 10), ("up", 50)]
    peers = [peer(f"p{number}", number, state, age) for number, (state, age) in enumerate(sees)]
    others = {f"p{number}": host(f"p{number}", peer("hub", 9, age=1)) for number in range(len(sees))}
    rows = report({"hub": host("hub", *peers), **others})["rows"]
    assert [row["peer_host"] for row in rows if row["host"] == "hub"] == ["p4", "p2", "p0", "p5", "p3", "p6", "p1"]


def test_hosts_that_could_not_be_read_come_first_and_names_count_as_people_do() -> None:
    results = {**small(), "gw10": {}, "gw2": {"msg": "no route"}, "gw3": host("gw3"), "gw20": host("gw20")}
    shown = report(results)
    assert shown["hosts"] == ["gw2", "gw10", "hub", "east", "west", "gw3", "gw20"]
    assert [row["problem"] for row in shown["rows"][:2]] == [
        "gw2 could not be read: no route",
        "gw10 could not be read: it was not asked",
    ]
    assert shown["unread"] == 2


def test_a_row_says_what_was_seen_for_people_too() -> None:
    row = next(row for row in report(small())["rows"] if (row["host"], row["peer_host"]) == ("east", "hub"))
    assert {
        name: row[name] for name in ("interface", "peer_interface", "endpoint", "allowed_ips", "age", "rx_bytes")
    } == {
        "interface": "wg0",
        "peer_interface": "wg0",
        "endpoint": "192.0.2.1:51820",
        "allowed_ips": ["10.0.0.0/16"],
        "age": 112.0,
        "rx_bytes": 48213,
    }
    assert (row["ago"], row["received"], row["sent"]) == ("1 min 52 s", "47.08 KiB", "49.85 KiB")


def test_of_a_side_that_lacks_the_peer_nothing_is_made_up() -> None:
    row = report(small())["rows"][0]
    assert row["state"] == "missing"
    assert [row[name] for name in ("endpoint", "age", "rx_bytes", "ago", "received")] == [None] * 5


def test_the_figures_count_pairs_hosts_and_peers_from_outside() -> None:
    shown = report(small())
    assert shown["pairs"] == {"all": 2, "connected": 0}
    assert shown["outside"] == 1
    assert shown["states"] == {"missing": 1, "down": 1, "up": 2}


@pytest.mark.parametrize("pairs", [[{}], [{"host": "a"}], ["a"], [{"host": "a", "peer_host": "b"}], None], ids=repr)
def test_something_else_than_results_and_pairs_is_refused_in_a_sentence(pairs: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="give both whole"):
        mesh_report(small(), pairs, FIRST)
    with pytest.raises(AnsibleFilterError, match="give both whole"):
        mesh_report([], mesh_pairs(small()), FIRST)


# --- drawings


def test_a_small_mesh_is_a_circle_with_an_arrow_each_way() -> None:
    drawn = report(small())["circle"]
    middle = drawn["nodes"][0]["x"]
    assert [node["name"] for node in drawn["nodes"]] == ["hub", "east", "west"]
    assert drawn["nodes"][0]["text_y"] < drawn["nodes"][0]["y"], "the name of the top one is not above it"
    assert [node["anchor"] for node in drawn["nodes"]] == ["middle", "start", "end"]
    assert float(drawn["nodes"][1]["x"]) > float(middle) > float(drawn["nodes"][2]["x"])
    links = [(line["link"]["host"], line["link"]["peer_host"]) for line in drawn["lines"]]
    assert links == [("hub", "west"), ("east", "hub"), ("west", "hub"), ("hub", "east")], "the worst is not on top"


def test_arrows_lead_from_rim_to_rim_and_the_two_of_a_pair_lie_apart() -> None:
    drawn = report(pair({}, {}))["circle"]
    at = {node["name"]: (float(node["x"]), float(node["y"])) for node in drawn["nodes"]}
    middles = []
    for line in drawn["lines"]:
        numbers = list(map(float, re.findall(r"-?[\d.]+", line["path"])))
        tip = list(map(float, re.findall(r"-?[\d.]+", line["head"])))[:2]
        assert math.dist(numbers[:2], at[line["link"]["host"]]) == pytest.approx(10, abs=0.2)
        assert math.dist(tip, at[line["link"]["peer_host"]]) == pytest.approx(10, abs=0.2)
        middles.append((float(line["x"]), float(line["y"])))
    assert math.dist(*middles) > 20


def test_everything_drawn_is_inside() -> None:
    names = [f"a-host-with-a-very-long-name-{number}" for number in range(24)]
    results = {own: host(own, *(peer(other, 1) for other in names if other != own)) for own in names}
    drawn = report(results)["circle"]
    assert len(drawn["lines"]) == 24 * 23
    for node in drawn["nodes"]:
        width = {"start": (0, 1), "middle": (0.5, 0.5), "end": (1, 0)}[node["anchor"]]
        left, right = (len(node["label"]) * 7.5 * part for part in width)
        assert left <= float(node["text_x"]) <= drawn["width"] - right
    for line in drawn["lines"]:
        assert 0 < float(line["x"]) < drawn["width"]
        assert 0 < float(line["y"]) < drawn["height"]


def test_a_second_pair_of_interfaces_between_two_hosts_has_a_line_of_its_own() -> None:
    two = {
        "a": {"devices": [*host("a", peer("b", 1))["devices"], *host("a1", peer("b1", 1), interface="wg1")["devices"]]},
        "b": {"devices": [*host("b", peer("a", 0))["devices"], *host("b1", peer("a1", 0), interface="wg1")["devices"]]},
    }
    lines = report(two)["circle"]["lines"]
    assert len({(line["x"], line["y"]) for line in lines}) == len(lines) == 4


def test_a_mesh_of_one_host_or_none_is_drawn_without_complaint() -> None:
    assert report({})["circle"] is None
    drawn = report({"alone": host("alone")})["circle"]
    assert (len(drawn["nodes"]), drawn["lines"]) == (1, [])


def test_a_large_mesh_is_a_matrix_and_a_circle_of_what_is_wrong() -> None:
    shown = report(large())
    assert len(shown["circle"]["nodes"]) == 24
    assert all(line["link"]["problem"] for line in shown["circle"]["lines"])
    assert shown["matrix"]["size"] == 3000
    assert (shown["matrix"]["labels"], shown["matrix"]["room"]) == ([], 0)
    healthy = {f"h{number}": host(f"h{number}") for number in range(25)}
    assert report(healthy)["circle"] is None


def test_cells_of_one_state_beside_each_other_are_one_stroke_and_the_worst_lies_on_top() -> None:
    names = [f"h{number:02}" for number in range(25)]
    results = {own: host(own, *(peer(other, 1) for other in names if other != own)) for own in names}
    drawn = report(results)["matrix"]
    assert (drawn["labels"], drawn["room"]) == (names, 28)
    assert drawn["paths"]["up"].startswith("M10 5h240M0 15h10M20 15h230")
    results["h03"] = host("h03", peer("h01", 1, "down"), peer("h02", 1))
    shown = report(results)
    assert shown["hosts"][0] == "h03"
    assert list(shown["matrix"]["paths"]) == ["up", "down", "missing"]
    column = shown["hosts"].index("h01") * 10
    assert shown["matrix"]["paths"]["down"] == f"M{column} 5h10"


def test_more_rows_than_a_page_holds_are_cut_and_counted() -> None:
    results = full(50)
    shown = report(results)
    assert (len(shown["rows"]), shown["links"]) == (MOST_ROWS, 2450)
    assert shown["rows"][0]["problem"] is not None


# --- what changed

UP = {"state": "up"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((UP, UP), ({"state": "down"}, UP), ["a wg0 sees b wg0: state up -> down"]),
        (({"state": "down"}, UP), (UP, UP), ["a wg0 sees b wg0: state down -> up"]),
        ((UP, UP), ({"state": "idle", "age": 900.0}, UP), []),
        ((UP, UP), ({"age": 99.0, "rx_bytes": 5, "tx_bytes": 6}, UP), []),
        ((UP, UP), (UP, None), ["b wg0 sees a wg0: state up -> missing"]),
        ((UP, None), (UP, UP), ["b wg0 sees a wg0: state missing -> up"]),
        (
            (None, None),
            (UP, UP),
            ["a wg0 sees b wg0: state no peer -> up", "b wg0 sees a wg0: state no peer -> up"],
        ),
        (
            (UP, UP),
            (UP, {"endpoint": None, "allowed_ips": [], "persistent_keepalive": 0}),
            [
                "b wg0 sees a wg0: allowed IPs 10.0.0.1/32 -> none",
                "b wg0 sees a wg0: endpoint 192.0.2.1:51820 -> none",
                "b wg0 sees a wg0: keepalive 25 s -> off",
            ],
        ),
        (
            (UP, UP),
            ({"endpoint": "198.51.100.4:4"}, {"state": "never"}),
            ["b wg0 sees a wg0: state up -> never", "a wg0 sees b wg0: endpoint 192.0.2.2:51820 -> 198.51.100.4:4"],
        ),
    ],
)
def test_what_changed_is_said_with_the_worse_first(before: tuple, after: tuple, expected: list[str]) -> None:
    assert changes(pair(*before), pair(*after)) == expected


def test_a_host_that_can_not_be_read_is_one_change_and_not_one_for_each_of_its_links() -> None:
    gone = {"unreachable": True, "msg": "no route"}
    assert changes(small(), small(west=gone)) == ["west: host read -> west could not be read: no route"]
    assert changes(small(west=gone), small()) == ["west: host west could not be read: no route -> read"]
    without = {name: one for name, one in small().items() if name != "west"}
    assert changes(small(), without) == ["west: host read -> not asked"]
    assert changes(without, small()) == ["west: host not asked -> read"]


def test_without_a_report_to_compare_with_all_is_new() -> None:
    shown = report(small())["changes"]
    assert shown == {"changed": True, "since": None, "list": [], "more": 0, "earlier": None}


def test_what_changed_is_carried_on_while_nothing_else_does() -> None:
    healthy = pair(UP, UP)
    first = report(healthy)
    second = report(pair(UP, {"state": "down"}), SECOND, first)
    third = report(pair(UP, {"state": "down", "age": 99.0}), THIRD, second)
    assert third["changes"]["changed"] is False
    assert (third["changes"]["since"], third["changes"]["list"]) == (SECOND, [])
    assert third["changes"]["earlier"]["since"] == FIRST
    assert [one["text"] for one in third["changes"]["earlier"]["list"]] == ["b wg0 sees a wg0: state up -> down"]
    fourth = report(healthy, "2026-11-25T12:00:03Z", third)
    assert [one["text"] for one in fourth["changes"]["list"]] == ["b wg0 sees a wg0: state down -> up"]


def test_of_very_many_changes_the_worst_are_kept() -> None:
    before, after = full(20), full(20)
    for number, device in enumerate(one["devices"][0] for one in after.values()):
        for one in device["peers"]:
            one["allowed_ips"] = ["192.168.0.0/16"]
        before[f"gw{number:03}"]["devices"][0]["peers"][0]["state"] = "up"
        device["peers"][0]["state"] = "down"
    shown = report(after, SECOND, report(before))["changes"]
    assert (len(shown["list"]), shown["more"]) == (200, 20 * 19 + 20 - 200)
    assert [one["worse"] for one in shown["list"]] == [True] * 20 + [False] * 180


def test_the_facts_can_stand_in_a_script_element() -> None:
    name = "</script><img src=x onerror=alert(1)>&<!--"
    results = {name: host(name, peer("b", 1)), "b": host("b", peer(name, 0))}
    facts = report(results)["facts"]
    assert not set("<>&") & set(facts)
    assert changes(results, {**results, "b": host("b", peer(name, 0, "down"))}) == [
        f"b wg0 sees {name} wg0: state up -> down"
    ]


@pytest.mark.parametrize(
    ("found", "put"),
    [
        ('"schema":1', '"schema":2'),
        ('"up"', '"sideways"'),
        ('"links":[[0,', '"links":[[99,'),
        ('"links":', '"lines":'),
        ('"places":[', '"places":[7,'),
        ("{", "["),
        ("mesh-facts", "others"),
    ],
)
def test_a_page_that_is_damaged_or_of_another_version_is_no_last_report(found: str, put: str) -> None:
    facts = report(small())["facts"]
    page = f'<script type="application/json" id="mesh-facts">{facts}</script>'
    assert found in page
    shown = mesh_report(small(), mesh_pairs(small()), SECOND, page.replace(found, put))
    assert shown["changes"]["since"] is None


def test_no_key_is_in_what_is_shown() -> None:
    shown = repr(report(small()))
    assert not any(key(name) in shown for name in ("hub", "east", "west", "laptop"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lst": ""}, "mesh_report has no option lst. There are: pairs, made, last, allowed_states"),
        (
            {"allowed_states": ["up", "upp"]},
            "allowed_states of mesh_report has 'upp', which is no state of a peer. There are: never",
        ),
    ],
)
def test_a_misspelt_option_is_refused_with_those_that_there_are(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AnsibleFilterError, match=sentence):
        mesh_report({}, [], FIRST, **options)

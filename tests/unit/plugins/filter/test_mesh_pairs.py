# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter mesh_pairs: who is whose peer, and what is wrong between them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.wirewatch.wireguard.plugins.filter.mesh_pairs import FilterModule

mesh_pairs = FilterModule().filters()["mesh_pairs"]


def device(own: str | None, interface: str = "wg0", **peers: str) -> dict[str, Any]:
    """An interface with this public key; `peers` are states by public key."""
    return {
        "interface": interface,
        "public_key": own,
        "peers": [{"public_key": key, "state": state} for key, state in peers.items()],
    }


def host(*devices: dict[str, Any]) -> dict[str, Any]:
    return {"devices": list(devices)}


def problems(results: dict[str, Any], **options: Any) -> list[tuple]:
    return [(row["host"], row["peer_host"], row["problem"]) for row in mesh_pairs(results, **options)]


def test_a_pair_is_one_row_with_both_sides() -> None:
    assert mesh_pairs({"b": host(device("B", A="idle")), "a": host(device("A", B="up"))}) == [
        {
            "host": "a",
            "interface": "wg0",
            "state": "up",
            "peer_host": "b",
            "peer_interface": "wg0",
            "peer_state": "idle",
            "problem": None,
        }
    ]


@pytest.mark.parametrize(
    ("a_sees", "b_sees", "problem"),
    [
        ({"B": "up"}, {"A": "up"}, None),
        ({"B": "idle"}, {"A": "up"}, None),
        ({"B": "down"}, {"A": "up"}, "down on a"),
        ({"B": "down"}, {"A": "down"}, "down on a and b"),
        ({"B": "never"}, {"A": "down"}, "never on a, down on b"),
        ({"B": "up"}, {}, "missing on b"),
        ({}, {"A": "never"}, "missing on a, never on b"),
        ({"B": "inactive"}, {"A": "idle"}, "inactive on a"),
    ],
)
def test_what_is_wrong_is_said_of_the_side_that_sees_it(
    a_sees: dict[str, str], b_sees: dict[str, str], problem: str | None
) -> None:
    results = {"a": host(device("A", **a_sees)), "b": host(device("B", **b_sees))}
    assert problems(results) == [("a", "b", problem)]


def test_which_states_are_fine_can_be_said() -> None:
    results = {"a": host(device("A", B="idle")), "b": host(device("B", A="up"))}
    assert problems(results, allowed_states=["up"]) == [("a", "b", "idle on a")]


def test_peers_outside_of_the_group_are_no_part_of_it() -> None:
    assert mesh_pairs({"a": host(device("A", laptop="never"))}) == []


def test_spokes_that_know_nothing_of_each_other_are_fine_but_in_a_full_mesh() -> None:
    results = {
        "hub": host(device("H", E="up", W="up")),
        "east": host(device("E", H="up")),
        "west": host(device("W", H="up")),
    }
    connected = [("east", "hub", None), ("hub", "west", None)]
    assert problems(results) == connected
    assert sorted(problems(results, full_mesh=True)) == sorted([*connected, ("east", "west", "missing on both sides")])


def test_each_pair_of_interfaces_is_a_row_of_its_own() -> None:
    results = {
        "a": host(device("A0", "wg0", B0="up"), device("A1", "wg1", B1="down")),
        "b": host(device("B0", "wg0", A0="up"), device("B1", "wg1", A1="up")),
    }
    rows = mesh_pairs(results)
    assert [(row["interface"], row["peer_interface"], row["problem"]) for row in rows] == [
        ("wg0", "wg0", None),
        ("wg1", "wg1", "down on a"),
    ]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"msg": "There is no interface wg0", "devices": []}, "There is no interface wg0"),
        ({"unreachable": True, "msg": "no route to host"}, "no route to host"),
        ({}, "it was not asked"),
    ],
)
def test_a_host_that_could_not_be_read_is_a_row(result: dict[str, Any], reason: str) -> None:
    results = {"a": host(device("A", B="up")), "b": result}
    assert problems(results) == [("b", None, f"b could not be read: {reason}")]


def test_an_interface_without_a_key_is_nobodys_peer() -> None:
    results = {"a": host(device("A", B="up")), "b": host(device(None))}
    assert problems(results) == []


def test_two_hosts_with_one_key_are_told_apart_from_a_healthy_pair() -> None:
    results = {"a": host(device("A")), "b": host(device("A"))}
    assert problems(results) == [("a", "b", "both have the same private key: give each its own")]


@pytest.mark.parametrize("wrong", [[], "devices", None])
def test_something_else_than_results_is_refused_in_a_sentence(wrong: object) -> None:
    with pytest.raises(AnsibleFilterError, match="takes a dictionary: what wg_device_info returned, by host"):
        mesh_pairs(wrong)


def test_the_result_of_one_host_is_refused_in_a_sentence() -> None:
    with pytest.raises(AnsibleFilterError, match="on one host, and takes a dictionary of that by host"):
        mesh_pairs({"changed": False, "devices": [device("A")]})


@pytest.mark.parametrize("devices", [None, [{}], ["wg0"], [{"interface": "wg0", "public_key": "A"}]])
def test_devices_of_another_shape_are_refused_in_a_sentence(devices: object) -> None:
    with pytest.raises(AnsibleFilterError, match="not of the shape that wg_device_info returns"):
        mesh_pairs({"a": {"devices": devices}})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"allowed_state": ["up"]}, "mesh_pairs has no option allowed_state. There are: allowed_states, full_mesh"),
        (
            {"allowed_states": ["up", "upp"]},
            "allowed_states of mesh_pairs has 'upp', which is no state of a peer. There are: never",
        ),
    ],
)
def test_a_misspelt_option_is_refused_with_those_that_there_are(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AnsibleFilterError, match=sentence):
        mesh_pairs({}, **options)


def test_states_in_one_text_are_taken_as_a_list() -> None:
    """As -e mesh_check_allowed_states=up,idle gives them."""
    results = {"a": {"devices": [device("A", B="idle")]}, "b": {"devices": [device("B", A="up")]}}
    assert [row["problem"] for row in mesh_pairs(results, allowed_states="up,idle")] == [None]
    assert [row["problem"] for row in mesh_pairs(results, allowed_states="up")] == ["idle on a"]

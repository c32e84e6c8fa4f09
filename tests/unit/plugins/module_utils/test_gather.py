# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at interfaces: which ones, in which order, and what becomes of one that can't be read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _gather
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import (
    NoPrivilege,
    Temporary,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._gather import GatherError, GatherOptions, gather
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import LivenessOptions
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from unit.watching import World, key, peer, text


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """What gather reads from, its clock included."""
    world = World()
    monkeypatch.setattr(_gather, "find", lambda namespace, _backend: world.find(namespace))
    monkeypatch.setattr(
        _gather, "InterfaceReader", lambda namespace, interface, _backend: world.make_reader(namespace, interface)
    )
    monkeypatch.setattr(_gather.time, "time_ns", world.clock.wall_ns)
    return world


def names(*patterns: str, **options: Any) -> list[str]:
    return [record["interface"] for record in gather(GatherOptions(patterns, **options))]


def test_interfaces_come_in_the_order_asked_for_and_those_of_a_glob_by_name(world: World) -> None:
    for interface in ("wg2", "wg0", "vpn1", "wg1"):
        world.put(interface)
    assert names("*") == ["vpn1", "wg0", "wg1", "wg2"]
    assert names("wg1", "vpn*", "wg*") == ["wg1", "vpn1", "wg0", "wg2"]
    assert names("nosuch*") == []


def test_a_named_interface_is_read_without_finding_any(world: World) -> None:
    world.put("wg0")
    world.finding = Temporary("The links can't be listed")
    assert names("wg0") == ["wg0"]
    with pytest.raises(Temporary):
        names("wg*")


def test_a_found_interface_that_vanished_since_is_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("wg0")
    monkeypatch.setattr(_gather, "find", lambda _namespace, _backend: ["wg0", "wg1"])
    assert names("wg*") == ["wg0"]


def test_a_named_one_that_is_not_there_is_an_error_that_lists_those_that_are(world: World) -> None:
    world.put("wg0")
    world.put("vpn")
    with pytest.raises(GatherError) as error:
        names("wg0", "wg7", "vpn")
    assert str(error.value) == "There is no interface wg7. WireGuard interfaces here: vpn, wg0"
    assert [record["interface"] for record in error.value.records] == ["wg0"], "what was read before it is lost"


def test_the_list_says_of_which_namespace_it_is(world: World) -> None:
    assert _gather.with_existing("There is no wg7", Namespace("blue")) == (
        "There is no wg7. WireGuard interfaces in network namespace blue: none"
    )


def test_where_none_can_be_found_the_error_is_still_said(world: World) -> None:
    world.finding = Temporary("busy")
    with pytest.raises(GatherError, match="^There is no interface wg7$"):
        names("wg7")


def test_an_error_comes_with_what_was_read_before_it_and_every_reader_is_closed(world: World) -> None:
    world.put("wg0")
    world.fail("wg1", NoPrivilege("It needs CAP_NET_ADMIN"))
    with pytest.raises(GatherError, match="It needs CAP_NET_ADMIN") as error:
        names("wg*")
    assert [record["interface"] for record in error.value.records] == ["wg0"]
    assert [reader.closed for reader in world.readers] == [True, True]


def test_only_the_peers_asked_for_are_returned_with_names_and_states(world: World) -> None:
    world.put("wg0", peer(1, handshake=0), peer(2, handshake=0), peer(3))
    world.clock.sleep(300)
    (record,) = gather(
        GatherOptions(["wg0"], peers=[key(1), key(3)], names={key(3): "office"}, liveness=LivenessOptions(25))
    )
    assert [(one["public_key"], one["name"], one["state"]) for one in record["peers"]] == [
        (text(1), None, "down"),
        (text(3), "office", "never"),
    ]
    (record,) = gather(GatherOptions(["wg0"]))
    assert [one["state"] for one in record["peers"]] == ["idle", "idle", "never"]
    assert record["peers"][0]["last_handshake_age"] == 300

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One watched interface: looks, differences to what was told, trouble."""

from __future__ import annotations

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Device
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._target import Inventory, Target, Trouble
from unit.watching import World, peer


@pytest.fixture
def world() -> World:
    return World()


def target_of(world: World, named: bool = True) -> Target:
    return Target(world.make_reader(Namespace(None), "wg0"), world.clock, Inventory(), named)


def types(target: Target) -> list[str]:
    return [change.type for change in target.changes()]


# --- Trouble


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        ([None, None], []),
        (["a"], ["degraded"]),
        (["a", "a", "b", None, None], ["degraded", "recovered"]),
        (["a", None, "a", None], ["degraded", "recovered", "degraded", "recovered"]),
    ],
)
def test_trouble_is_told_once_when_it_begins_and_once_when_it_is_over(
    reasons: list[str | None], told: list[str]
) -> None:
    trouble, seen = Trouble(), []
    for trouble.reason in reasons:
        seen += [change.type for change in trouble.over(None) + trouble.begun(None)]
        trouble.confirm()
    assert seen == [f"watch_{kind}" for kind in told]


def test_trouble_that_was_not_confirmed_is_told_again() -> None:
    trouble = Trouble()
    trouble.reason = "a"
    assert trouble.begun(None) == trouble.begun(None) != []
    trouble.reason = None
    assert trouble.over(None) == []  # nobody was told that it had begun
    assert trouble.begun(None) == []


def test_a_reason_that_comes_after_the_question_is_not_taken_for_told() -> None:
    trouble = Trouble()
    assert trouble.begun(None) == []
    trouble.reason = "a"
    trouble.confirm()
    assert [change.reason for change in trouble.begun(None)] == ["a"]


# --- Target


def test_nothing_to_tell_before_the_first_look(world: World) -> None:
    assert list(target_of(world).changes()) == []


def test_changes_are_the_same_until_confirmed(world: World) -> None:
    world.put("wg0", peer(1))
    target = target_of(world)
    target.look()
    assert types(target) == types(target) == ["interface_added", "peer_added"]
    target.confirm()
    assert types(target) == []


def test_a_failure_before_the_first_snapshot_names_the_interface(world: World) -> None:
    world.fail("wg0", Temporary("It is busy"))
    target = target_of(world)
    target.look()
    (change,) = target.changes()
    assert (change.type, change.device, change.reason) == ("watch_degraded", Device("wg0"), "It is busy")


def test_a_found_interface_that_vanished_before_it_was_read_is_not_worth_a_word(world: World) -> None:
    target = target_of(world, named=False)
    target.look()
    assert types(target) == []
    assert target.is_over


def test_the_first_snapshot_after_a_failure_at_start_is_still_the_inventory(world: World) -> None:
    world.fail("wg0", Temporary("It is busy"))
    target = target_of(world)
    target.look()
    assert types(target) == ["watch_degraded"]
    target.confirm()
    world.put("wg0", peer(1))
    target.look()
    assert [(change.type, change.initial) for change in target.changes()] == [
        ("watch_recovered", False),
        ("interface_added", True),
        ("peer_added", True),
    ]


def test_it_is_over_when_it_is_gone_and_that_was_told(world: World) -> None:
    world.put("wg0")
    target = target_of(world)
    target.look()
    target.confirm()
    world.drop("wg0")
    target.look()
    assert not target.is_over
    target.confirm()
    assert target.is_over


def test_a_state_that_changed_and_changed_back_is_not_told(world: World) -> None:
    world.put("wg0", peer(1, handshake=0))
    target = target_of(world)
    target.look()
    target.confirm()
    world.put("wg0", peer(1, handshake=0), up=False)
    target.look()
    assert types(target) == ["interface_changed", "peer_state_changed"]
    world.put("wg0", peer(1, handshake=0))
    target.look()
    assert types(target) == []


def test_states_of_peers_that_nobody_knows_yet_are_not_changes(world: World) -> None:
    target = target_of(world)
    world.put("wg0", peer(1))
    target.look()
    world.put("wg0", peer(1, handshake=0))
    target.look()
    assert types(target) == ["interface_added", "peer_added"]


def test_a_peer_that_went_and_came_back_unseen_has_its_state_compared_with_the_told_one(world: World) -> None:
    world.put("wg0", peer(1, handshake=0))
    target = target_of(world)
    target.look()
    target.confirm()
    world.put("wg0")
    target.look()
    world.put("wg0", peer(1))
    target.look()
    changes = target.changes()
    assert [(change.type, change.previous, change.current) for change in changes] == [
        ("peer_recreated", None, None),
        ("peer_state_changed", "up", "never"),
    ]


@pytest.mark.parametrize("interface_goes", [False, True])
def test_a_removed_peer_keeps_the_state_it_was_last_seen_in(world: World, interface_goes: bool) -> None:
    world.put("wg0", peer(1, handshake=0))
    target = target_of(world)
    target.look()
    target.confirm()
    if interface_goes:
        world.drop("wg0")
    else:
        world.put("wg0")
    target.look()
    removed = target.finish(next(target.changes()))
    assert (removed.type, removed.liveness[0]) == ("peer_removed", "up")

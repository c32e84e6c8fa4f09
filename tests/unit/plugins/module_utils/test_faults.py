# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with who delivers: said once each, and one reason for all of it until it is over; and that nothing is watched."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._faults import Faults
from ansible_collections.wirewatch.wireguard.plugins.module_utils._memory import Memory
from ansible_collections.wirewatch.wireguard.plugins.module_utils._state import StateFile, StateFileError
from unit.watching import World

LOOKING = "Unexpected KeyError while looking; it is tried again at each poll"
FULL = "The disk is full"


def faults_and_what_is_said(world: World) -> tuple[Faults, list[str]]:
    """After one poll, which nobody was told of yet."""
    watcher = world.watcher()
    said: list[str] = []
    watcher.poll(True)
    return Faults(watcher, said.append), said


def world_with_an_interface() -> World:
    world = World()
    world.put("wg0")
    return world


def test_each_fault_is_said_once_and_all_that_last_are_the_reason() -> None:
    watcher = world_with_an_interface().watcher()
    watcher.poll(True)
    said: list[str] = []
    faults = Faults(watcher, said.append)
    full = [True]

    def write() -> None:
        if full:
            raise StateFileError(FULL)

    for _time in range(2):
        faults.of_looking(KeyError("what was read"))
        faults.write(write)
    assert said == [LOOKING, FULL]
    assert watcher.trouble.reason == f"{LOOKING}. {FULL}"
    faults.of_looking(None)
    assert watcher.trouble.reason == FULL
    full.clear()
    faults.write(write)
    assert watcher.trouble.reason is None
    faults.of_looking(KeyError())
    assert said == [LOOKING, FULL, LOOKING], "it was over in between"


def test_a_reason_of_an_event_is_said_unless_it_was_said_here_be_it_over_or_not() -> None:
    faults, said = faults_and_what_is_said(world_with_an_interface())
    faults.of_state_file(FULL)
    faults.of_looking(KeyError())
    faults.of_state_file(None)
    for reason in (None, FULL, f"{FULL}. {LOOKING}", LOOKING, "wg0 can't be read"):
        faults.say_reason({"reason": reason})
    assert said == [FULL, LOOKING, "wg0 can't be read"]


@pytest.mark.parametrize("interface", [None, "wg0"])
def test_that_nothing_is_watched_is_said_once_and_after_the_first_look_that_went_well(interface: str | None) -> None:
    world = World()
    if interface is not None:
        world.put(interface)
    faults, said = faults_and_what_is_said(world)
    faults.of_looking(KeyError())
    assert (said, faults.is_first_look) == ([LOOKING], True)
    for _look in range(2):
        faults.of_looking(None)
    assert not faults.is_first_look
    assert [sentence.endswith(". What appears is told") for sentence in said[1:]] == [True] * (interface is None)


def test_a_damaged_state_file_is_a_fault_until_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(bytes(8192))
    state = StateFile(str(path), "gw1")
    watcher = world_with_an_interface().watcher(told=state.state, initial="resume")
    said: list[str] = []
    memory = Memory(state, Faults(watcher, said.append))
    assert watcher.trouble.reason is not None and [watcher.trouble.reason] == said
    assert (memory.is_kept, memory.is_behind, memory.untold) == (True, False, [])
    (event,) = [event for event, _wanted in watcher.poll(True) if event["type"] == "interface_added"]
    memory.announce([event], [{"uuid": "1"}])
    assert (memory.is_behind, watcher.trouble.reason) == (True, None)
    memory.close()
    again = Memory(StateFile(str(path), "gw1"), Faults(watcher, said.append))
    assert again.untold == [(event, {"uuid": "1"})]
    again.note([event])
    again.write()
    assert not again.is_behind
    again.close()
    assert len(said) == 1


def test_without_a_state_file_nothing_is_remembered() -> None:
    faults, said = faults_and_what_is_said(world_with_an_interface())
    memory = Memory(None, faults)
    memory.announce([{"type": "peer_added", "sequence": 1}])
    memory.note([{"type": "peer_added", "sequence": 1}])
    memory.write()
    memory.close()
    assert (memory.is_kept, memory.is_behind, memory.untold, said) == (False, False, [], [])

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with who delivers: said once each, and one reason for all of it until it is over."""

from __future__ import annotations

from ansible_collections.wirewatch.wireguard.plugins.module_utils._faults import Faults
from ansible_collections.wirewatch.wireguard.plugins.module_utils._state import StateFileError
from ansible_collections.wirewatch.wireguard.plugins.module_utils._target import Complaint

LOOKING = "Unexpected KeyError while looking; it is tried again at each poll"
FULL = "The disk is full"


def test_each_fault_is_said_once_and_all_that_last_are_the_reason() -> None:
    complaint, said = Complaint(), []
    faults = Faults(complaint, said.append)
    full = [True]

    def write() -> None:
        if full:
            raise StateFileError(FULL)

    for _time in range(2):
        faults.of_looking(KeyError("what was read"))
        faults.write(write)
    assert said == [LOOKING, FULL]
    assert complaint.reason == f"{LOOKING}. {FULL}"
    faults.of_looking(None)
    assert complaint.reason == FULL
    full.clear()
    faults.write(write)
    assert complaint.reason is None
    faults.of_looking(KeyError())
    assert said == [LOOKING, FULL, LOOKING], "it was over in between"


def test_a_reason_of_an_event_is_said_unless_it_was_said_here() -> None:
    said: list[str] = []
    faults = Faults(Complaint(), said.append)
    faults.of_state_file(FULL)
    for reason in (None, FULL, "wg0 can't be read"):
        faults.say_reason({"reason": reason})
    assert said == [FULL, "wg0 can't be read"]

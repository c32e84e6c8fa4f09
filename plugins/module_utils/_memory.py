# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What who delivers events remembers of them for the next run, where there is a state file. Without one it remembers nothing."""

from __future__ import annotations

from typing import Iterable, List, Optional, Sequence, Tuple

from ._event import Event
from ._faults import Faults
from ._state import Meta, StateFile

PART = 256  # events that are told at once, having been written down: so many may come twice after a kill


class Memory:
    """A state file that can't be written is a fault, and no reason not to deliver: nothing here raises for that."""

    def __init__(self, state: Optional[StateFile], faults: Faults) -> None:
        self._state = state
        self._faults = faults
        if state is not None and state.complaint:
            faults.of_state_file(state.complaint)

    @property
    def is_kept(self) -> bool:
        """Whether there is a state file."""
        return self._state is not None

    @property
    def is_behind(self) -> bool:
        """Whether something is still to be written."""
        return self._state is not None and self._state.pending

    @property
    def untold(self) -> List[Tuple[Event, Optional[Meta]]]:
        """What the run before was telling when it ended: nobody knows how much of it was heard."""
        return list(zip(self._state.untold, self._state.untold_metas)) if self._state is not None else []

    def announce(self, events: List[Event], metas: Sequence[Optional[Meta]] = ()) -> None:
        """Writes down what is about to be told; ``metas`` are what stands beside each."""
        state = self._state
        if state is not None:
            self._faults.write(lambda: state.announce(events, metas))

    def note(self, events: Iterable[Event]) -> None:
        """Takes in what was told, without writing."""
        if self._state is not None:
            for event in events:
                self._state.note(event)

    def write(self, taken: bool = True) -> None:
        """Writes what was noted, if something was. Not ``taken``: it may be lost with this process yet."""
        state = self._state
        if state is not None and state.pending:
            self._faults.write(lambda: state.flush(taken))

    def close(self) -> None:
        if self._state is not None:
            self._state.close()

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with who delivers events, event source or publisher: it is said, and it is an event itself."""

from __future__ import annotations

from typing import Callable, Dict, Optional, Set

from ._event import Event
from ._state import StateFileError
from ._watch import Watcher


class Faults:
    """Each is said once to a person, and told by the watcher's next batch, if there is one; likewise that it is over."""

    def __init__(self, watcher: Watcher, say: Callable[[str], None]) -> None:
        self._watcher = watcher
        self._say = say
        self._sentences: Dict[str, str] = {}
        self._said: Set[str] = set()  # reasons that were told, whose event may come when they are over already
        self._looked = False

    @property
    def is_first_look(self) -> bool:
        """Whether no look went well yet: what the first one finds is to be heard here, be it nothing."""
        return not self._looked

    def of_looking(self, error: Optional[Exception]) -> None:
        """None once a look went well, before what it found is confirmed. What is unexpected now may be over at the next one."""
        sentence = None
        if error is not None:
            # Its text might hold what was read.
            sentence = "Unexpected %s while looking; it is tried again at each poll" % type(error).__name__
        elif not self._looked:
            self._looked = True
            nothing = self._watcher.complaint()
            if nothing is not None:
                self._say(nothing)
        self._set("looking", sentence)

    def of_state_file(self, sentence: Optional[str]) -> None:
        self._set("state file", sentence)

    def write(self, write: Callable[[], None]) -> None:
        """Calls what writes to the state file, and takes in whether it could."""
        try:
            write()
        except StateFileError as error:
            self.of_state_file(str(error))
        else:
            self.of_state_file(None)

    def say_reason(self, event: Event) -> None:
        """Says what an event tells to be wrong, but for what was said here."""
        if event["reason"] and event["reason"] not in self._said:
            self._say(event["reason"])

    def _set(self, about: str, sentence: Optional[str]) -> None:
        if sentence is None:
            self._sentences.pop(about, None)
        elif self._sentences.get(about) != sentence:
            self._sentences[about] = sentence
            self._say(sentence)
        reason = ". ".join(self._sentences.values()) or None
        self._watcher.trouble.reason = reason
        if reason is not None:
            self._said.add(reason)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with who delivers events, event source or publisher: it is said, and it is an event itself."""

from __future__ import annotations

from typing import Callable, Dict, Optional

from ._event import Event
from ._state import StateFileError
from ._target import Complaint


class Faults:
    """Each is said once to a person, and told by the watcher's next batch, if there is one; likewise that it is over."""

    def __init__(self, complaint: Complaint, say: Callable[[str], None]) -> None:
        """``complaint`` is the watcher's ``trouble``."""
        self._complaint = complaint
        self._say = say
        self._sentences: Dict[str, str] = {}

    def of_looking(self, error: Optional[Exception]) -> None:
        """None once a look went well. What is unexpected now may be over at the next one."""
        sentence = None
        if error is not None:
            # Its text might hold what was read.
            sentence = "Unexpected %s while looking; it is tried again at each poll" % type(error).__name__
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
        if event["reason"] and event["reason"] != self._complaint.reason:
            self._say(event["reason"])

    def _set(self, about: str, sentence: Optional[str]) -> None:
        if sentence is None:
            self._sentences.pop(about, None)
        elif self._sentences.get(about) != sentence:
            self._sentences[about] = sentence
            self._say(sentence)
        self._complaint.reason = ". ".join(self._sentences.values()) or None

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call that may take long, made in a thread aside: whoever looks at many interfaces can't wait for the slowest."""

from __future__ import annotations

import threading
from typing import Callable, Generic, List, Optional, TypeVar

from ._errors import Pending

Result = TypeVar("Result")


class _Call(Generic[Result]):
    """One call under way. The thread touches nothing else, so nobody minds how long it lives."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._results: List[Result] = []
        self._error: Optional[BaseException] = None
        self._done = threading.Event()
        threading.Thread(target=self._run, name="aside", daemon=True).start()

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def wait(self, seconds: float) -> bool:
        return self._done.wait(seconds)

    def result(self) -> Result:
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                # Its traceback leads to this frame: a circle, and all that the frames hold would wait for the collector.
                del error
        return self._results[0]


class Aside(Generic[Result]):
    """``function``, with a bound on how long its caller waits. Not for use by two threads at once."""

    def __init__(self, function: Callable[[], Result], patience: float, what: str) -> None:
        """``what`` is the sentence of Pending. ``patience`` is seconds."""
        self._function = function
        self._patience = patience
        self._what = what
        self._call: Optional[_Call[Result]] = None
        self._slow = False  # the call before took too long: the next is not waited for either

    def __call__(self) -> Result:
        """What ``function`` returns or raises; Pending while it has not, and the next call asks for the same one again."""
        begun = self._call is None
        if self._call is None:
            self._call = _Call(self._function)
        if not self._call.wait(self._patience if begun and not self._slow else 0):
            self._slow = True
            raise Pending(self._what)
        call, self._call = self._call, None
        self._slow = self._slow and not begun
        return call.result()

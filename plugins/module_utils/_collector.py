# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's cyclic garbage collector, kept out of where it finds nothing."""

from __future__ import annotations

import gc


class Pause:
    """While thousands of values are made, the collector does not look through them, and through all others, again and again.

    Snapshots and changes hold no circles, so it would free nothing; with 50,000 peers changed it took a third of a poll. It is
    the whole process's: where another thread has paused or stopped it, it is left to that one.
    """

    def __init__(self) -> None:
        self._is_ours = False

    def begin(self) -> None:
        if gc.isenabled():
            gc.disable()
            self._is_ours = True

    def end(self) -> None:
        if self._is_ours:
            self._is_ours = False
            gc.enable()

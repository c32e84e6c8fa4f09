# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that fails."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._state import StateFile, StateFileError


class FailingDisk:
    """No state file can be written until it is mended."""

    COMPLAINT = "The state file can't be written (disk I/O error)"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._fails = True
        commit = StateFile._commit

        def flaky(state: StateFile, statements: Any) -> None:
            if self._fails:
                raise StateFileError(self.COMPLAINT)
            commit(state, statements)

        monkeypatch.setattr(StateFile, "_commit", flaky)

    def mend(self) -> None:
        self._fails = False

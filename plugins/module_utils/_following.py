# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading on and on: each answer is held against the last one, and what did not change stays the same object."""

from __future__ import annotations

from ._pages import Pages
from ._reader import Ways
from ._reuse import Reuse

FOLLOWING = Ways(decoder=Pages, memory=Reuse)

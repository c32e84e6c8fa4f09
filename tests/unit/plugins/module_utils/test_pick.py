# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some values of a sequence, however many."""

from __future__ import annotations

import random

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._pick import NEVER_USED_AGAIN, pick


@pytest.mark.parametrize("count", [0, 1, 2, NEVER_USED_AGAIN, 100])
def test_the_values_at_the_positions_in_their_order(count: int) -> None:
    values = [str(number) for number in range(100)]
    positions = random.Random(count).sample(range(100), count)
    assert list(pick(positions)(values)) == [str(position) for position in positions]

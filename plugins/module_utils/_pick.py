# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some values of a sequence, in half the time of a comprehension."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Callable, Sequence

# Of tuples of this length CPython 3.11 keeps 2,000 that are freed and uses none of them again (Objects/tupleobject.c: what
# maybe_freelist_push takes and what maybe_freelist_pop gives differ by this one).
NEVER_USED_AGAIN = 20


def pick(positions: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What gives the values at these positions, in their order."""
    if len(positions) > 1 and len(positions) != NEVER_USED_AGAIN:
        return itemgetter(*positions)
    return lambda values: [values[position] for position in positions]

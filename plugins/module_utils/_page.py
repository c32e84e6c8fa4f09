# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A datagram of a dump as it is kept until the next one: its bytes without secrets, and how they are cut into peers."""

from __future__ import annotations

import struct
from collections import Counter
from functools import lru_cache
from itertools import accumulate, compress
from operator import ne
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ._fingerprint import fingerprint
from ._layout import layout_of
from ._netlink import Datagram
from ._wire import NO_KEY, Places


class Field(NamedTuple):
    """A part of a datagram: the block of a peer, or what stands between blocks. Places only where a peer begins."""

    size: int
    places: Optional[Places] = None
    goes_on: bool = False  # the peer has further blocks


GROUP = 12  # fields that are compared first together: about the root of how many a datagram has

_field = lru_cache(maxsize=4096)(Field)  # few are different


class Differences(NamedTuple):
    """The fields that differ between two datagrams that are cut alike, and their bytes in the one and in the other."""

    numbers: Sequence[int]
    old: Sequence[bytes]
    now: Sequence[bytes]

    def those(self, selectors: Sequence[bool]) -> Differences:
        """The fields that are selected."""
        numbers, old, now = self
        return Differences(
            list(compress(numbers, selectors)), list(compress(old, selectors)), list(compress(now, selectors))
        )


class Plan:
    """How datagrams are cut into fields. One for all that are cut alike, as most of a dump are."""

    __slots__ = ("fields", "layouts", "usual", "others", "ordinals", "whole", "_groups")

    def __init__(self, fields: Tuple[Field, ...]) -> None:
        self.fields = fields
        self.layouts = [layout_of(field.places, field.size) if field.places else None for field in fields]
        # Most have this layout. The numbers of those that have another, or none.
        self.usual = max(filter(None, self.layouts), key=Counter(self.layouts).__getitem__, default=None)
        self.others = frozenset(
            number for number, layout in enumerate(self.layouts) if layout is None or layout is not self.usual
        )
        # Which of the datagram's peers begins in each field, where one does.
        self.ordinals = [count - 1 for count in accumulate(field.places is not None for field in fields)]
        numbers = range(len(fields))
        starts = [0, *accumulate(field.size for field in fields)]
        self.whole = _group(numbers, fields, starts)
        self._groups = [_group(numbers[first : first + GROUP], fields, starts) for first in numbers[::GROUP]]

    def few_differences(self, before: bytearray, after: bytearray) -> Differences:
        """Where few fields are expected to differ: groups of them are compared first."""
        numbers: List[int] = []
        old: List[bytes] = []
        now: List[bytes] = []
        for group in self._groups:
            if not after.startswith(before[group.start : group.stop], group.start):
                found = group.differences(before, after)
                numbers += found.numbers
                old += found.old
                now += found.now
        return Differences(numbers, old, now)


class _Group(NamedTuple):
    """Some fields that lie one behind the other: from where to where, which they are, and how they are cut."""

    start: int
    stop: int
    numbers: range
    cut: struct.Struct

    def differences(self, before: bytearray, after: bytearray) -> Differences:
        old, now = self.cut.unpack_from(before, self.start), self.cut.unpack_from(after, self.start)
        numbers = list(compress(self.numbers, map(ne, old, now)))
        places = numbers if self.numbers[0] == 0 else [number - self.numbers[0] for number in numbers]
        return Differences(numbers, list(map(old.__getitem__, places)), list(map(now.__getitem__, places)))


def _group(numbers: range, fields: Sequence[Field], starts: Sequence[int]) -> _Group:
    cut = struct.Struct("=" + "".join(["%ds" % fields[number].size for number in numbers]))
    return _Group(starts[numbers.start], starts[numbers.stop], numbers, cut)


class Cut:
    """The fields of a datagram, as they are found from its first byte on."""

    def __init__(self) -> None:
        self.secrets: List[int] = []  # offsets
        self._fields: List[Field] = []
        self._position = 0

    def add(self, start: int, stop: int, places: Optional[Places] = None, goes_on: bool = False) -> None:
        """A block, with places where a peer begins with it; what lies before it is a field of its own."""
        if start > self._position:
            self._fields.append(_field(start - self._position))
        self._fields.append(_field(stop - start, places, goes_on))
        self._position = stop

    def page(self, datagram: Datagram, buffer: bytearray, plans: Dict[Tuple[Field, ...], Plan], first: int) -> Page:
        """In that buffer. ``first``: how many peers begin in the datagrams before it."""
        if self._position < len(datagram.data):
            self.add(self._position, len(datagram.data))
        fields = tuple(self._fields)
        plan = plans.get(fields)
        if plan is None:
            plan = plans[fields] = Plan(fields)
        return Page(datagram, buffer, self.secrets, plan, first)


class Page:
    """A datagram that was decoded: its bytes without secrets, how it is cut, and the position of its first peer in the dump.

    ``secrets`` are their places in it.
    """

    __slots__ = ("buffer", "size", "messages", "ends", "plan", "first", "data", "secrets", "_mark")

    def __init__(self, datagram: Datagram, buffer: bytearray, secrets: Sequence[int], plan: Plan, first: int) -> None:
        """``secrets``: where they begin."""
        self.size = len(datagram.data)
        self.messages, self.ends = datagram.messages, datagram.ends
        self.plan = plan
        self.first = first
        buffer[: self.size] = datagram.data
        self.secrets = [slice(at, at + len(NO_KEY)) for at in secrets]
        self._mark = fingerprint(*self.take_secrets(buffer))
        self.take(buffer)

    def take(self, buffer: bytearray) -> None:
        """It is what that buffer has, from now on."""
        self.buffer = buffer  # its first ``size`` bytes
        self.data = memoryview(buffer)[: self.size]

    def number_of(self, position: int) -> int:
        """Of the field in which the peer of that position begins."""
        return self.plan.ordinals.index(position - self.first)

    def take_secrets(self, buffer: bytearray) -> List[bytearray]:
        """Zeros stand in their places then."""
        secrets = list(map(buffer.__getitem__, self.secrets))
        for place in self.secrets:
            buffer[place] = NO_KEY
        return secrets

    def put_secrets(self, buffer: bytearray, secrets: Sequence[bytearray]) -> None:
        for place, secret in zip(self.secrets, secrets):
            buffer[place] = secret

    def has_these(self, secrets: Sequence[bytearray]) -> bool:
        return fingerprint(*secrets) == self._mark

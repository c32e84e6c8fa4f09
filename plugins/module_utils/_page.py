# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Datagrams of a dump as they are kept until the next one: their bytes without secrets, and how they are cut into peers."""

from __future__ import annotations

import struct
from collections import Counter
from functools import lru_cache
from itertools import accumulate, compress
from operator import ne, not_
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ._fingerprint import fingerprint
from ._inbox import Shape
from ._layout import layout_of
from ._netlink import Datagram
from ._pick import pick
from ._wire import NO_KEY, Places


class Field(NamedTuple):
    """A part of a datagram: the block of a peer, or what stands between blocks. Places only where a peer begins."""

    size: int
    places: Optional[Places] = None
    goes_on: bool = False  # the peer has further blocks


_field = lru_cache(maxsize=4096)(Field)  # few are different


# Fields that differ between two datagrams that are cut alike: their numbers, and their bytes in the one and in the other.
Differences = Tuple[Sequence[int], Sequence[bytes], Sequence[bytes]]


class Plan:
    """How datagrams are cut into fields. One for all that are cut alike, as most of a dump are."""

    __slots__ = ("fields", "layouts", "usual", "others", "ordinals", "_cut", "_numbers")

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
        self._cut = struct.Struct("=" + "".join(["%ds" % field.size for field in fields]))
        self._numbers = range(len(fields))

    def differences(self, before: bytearray, after: bytearray, start: int) -> Differences:
        """Of two datagrams that begin there."""
        old, now = self._cut.unpack_from(before, start), self._cut.unpack_from(after, start)
        numbers = list(compress(self._numbers, map(ne, old, now)))
        picked = pick(numbers)
        return numbers, picked(old), picked(now)


class Cut:
    """The fields of a datagram, as they are found from its first byte on."""

    def __init__(self) -> None:
        self.preshared_keys: List[int] = []  # offsets
        self.private_keys: List[int] = []
        self._fields: List[Field] = []
        self._position = 0

    def add(self, start: int, stop: int, places: Optional[Places] = None, goes_on: bool = False) -> None:
        """A block, with places where a peer begins with it; what lies before it is a field of its own."""
        if start > self._position:
            self._fields.append(_field(start - self._position))
        self._fields.append(_field(stop - start, places, goes_on))
        self._position = stop

    def plan(self, size: int, plans: Dict[Tuple[Field, ...], Plan]) -> Plan:
        """Of the datagram of that size; one of those where it is cut as they are."""
        if self._position < size:
            self.add(self._position, size)
        fields = tuple(self._fields)
        plan = plans.get(fields)
        if plan is None:
            plan = plans[fields] = Plan(fields)
        return plan


class Page:
    """A datagram that was decoded: where it is in its batch, how it is cut, and the position of its first peer in the dump."""

    __slots__ = ("start", "stop", "messages", "plan", "first")  # half the time of a named tuple's, for who reads many

    def __init__(self, start: int, stop: int, messages: Tuple[Tuple[int, int], ...], plan: Plan, first: int) -> None:
        self.start = start
        self.stop = stop
        self.messages = messages
        self.plan = plan
        self.first = first

    def number_of(self, position: int) -> int:
        """Of the field in which the peer of that position begins."""
        return self.plan.ordinals.index(position - self.first)


class Batch:
    """Datagrams that came with one call: their bytes without secrets, as they arrived, and a page for each.

    ``ends``: whether the dump does, with them. ``secrets`` are their places in the buffer.
    """

    __slots__ = (
        "shape",
        "pages",
        "ends",
        "secrets",
        "buffer",
        "_starts",
        "_known",
        "_preshared_keys",
        "_mark",
    )

    def __init__(
        self,
        shape: Shape,
        pages: Sequence[Page],
        datagrams: Sequence[Datagram],
        buffer: bytearray,
        preshared_keys: Sequence[int],
        private_keys: Sequence[int],
    ) -> None:
        """The keys: where they begin. The buffer, an empty one, is taken."""
        self.shape = shape
        self.pages = pages
        self.ends = datagrams[-1].ends
        for page, datagram in zip(pages, datagrams):
            buffer[page.start : page.stop] = datagram.data
        self._starts = [page.start for page in pages]
        self.secrets = [slice(at, at + len(NO_KEY)) for at in (*preshared_keys, *private_keys)]
        self._preshared_keys = len(preshared_keys)
        self._mark = fingerprint(*self.take_secrets(buffer)[: self._preshared_keys])
        self.take(buffer)

    def take(self, buffer: bytearray) -> None:
        """It is what that buffer has, from now on."""
        self.buffer = buffer
        view = memoryview(buffer)
        self._known = [view[page.start : page.stop] for page in self.pages]

    def datagrams(self, secrets: Sequence[bytearray]) -> List[Datagram]:
        """As they came, with these secrets in their places."""
        data = self.buffer[:]
        self.put_secrets(data, secrets)
        return [
            Datagram(bytes(data[page.start : page.stop]), page.messages, self.ends and page is self.pages[-1])
            for page in self.pages
        ]

    def changed(self, buffer: bytearray) -> List[Page]:
        """Those that have other bytes there."""
        return list(compress(self.pages, map(not_, map(buffer.startswith, self._known, self._starts))))

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
        """With another private key goes another public one, which is no secret."""
        count = self._preshared_keys
        return not count or fingerprint(*secrets[:count]) == self._mark

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A datagram of a dump as it is kept until the next one: its bytes without secrets, and how they are cut into peers."""

from __future__ import annotations

import struct
from functools import lru_cache
from itertools import compress
from operator import ne
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from ._fingerprint import fingerprint
from ._layout import layout_of
from ._model import Peer
from ._netlink import Datagram
from ._wire import NO_KEY, Places


class Field(NamedTuple):
    """A part of a datagram: the block of a peer, or what stands between blocks. Places only where a peer begins."""

    size: int
    places: Optional[Places] = None
    goes_on: bool = False  # the peer has further blocks


GROUP = 12  # fields that are compared first together: about the root of how many a datagram has

_field = lru_cache(maxsize=4096)(Field)  # few are different


class Plan:
    """How datagrams are cut into fields. One for all that are cut alike, as most of a dump are."""

    __slots__ = ("fields", "layouts", "_numbers", "_cut", "_groups")

    def __init__(self, fields: Tuple[Field, ...]) -> None:
        self.fields = fields
        self.layouts = [layout_of(field.places, field.size) if field.places else None for field in fields]
        self._numbers = range(len(fields))
        self._cut = _cut(fields)
        self._groups: List[_Group] = []
        start = 0
        for first in range(0, len(fields), GROUP):
            cut = _cut(fields[first : first + GROUP])
            self._groups.append(_Group(start, start + cut.size, self._numbers[first : first + GROUP], cut))
            start += cut.size

    def differences(self, before: bytes, after: bytes, sparse: bool) -> Tuple[List[int], List[bytes], List[bytes]]:
        """Numbers of the fields that differ between two datagrams, and their bytes in the one and in the other.

        ``sparse``: where few are expected to, groups of them are compared first.
        """
        if not sparse:
            return _different(self._numbers, self._cut.unpack(before), self._cut.unpack(after))
        numbers: List[int] = []
        old: List[bytes] = []
        now: List[bytes] = []
        for start, stop, some, cut in self._groups:
            if not after.startswith(before[start:stop], start):
                found = _different(some, cut.unpack_from(before, start), cut.unpack_from(after, start))
                numbers += found[0]
                old += found[1]
                now += found[2]
        return numbers, old, now


class _Group(NamedTuple):
    """Some fields that lie one behind the other: from where to where, which they are, and how they are cut."""

    start: int
    stop: int
    numbers: Sequence[int]
    cut: struct.Struct


def _cut(fields: Iterable[Field]) -> struct.Struct:
    return struct.Struct("=" + "".join(["%ds" % field.size for field in fields]))


def _different(
    numbers: Sequence[int], old: Sequence[bytes], now: Sequence[bytes]
) -> Tuple[List[int], List[bytes], List[bytes]]:
    differs = list(map(ne, old, now))
    return list(compress(numbers, differs)), list(compress(old, differs)), list(compress(now, differs))


class Cut:
    """The fields of a datagram, as they are found from its first byte on."""

    def __init__(self) -> None:
        self.secrets: List[int] = []  # offsets
        self._fields: List[Field] = []
        self._peers: List[Optional[Peer]] = []
        self._position = 0

    def add(
        self,
        start: int,
        stop: int,
        peer: Optional[Peer] = None,
        places: Optional[Places] = None,
        goes_on: bool = False,
    ) -> None:
        """A block, with its peer where that begins here; what lies before it is a field of its own."""
        if start > self._position:
            self._fields.append(_field(start - self._position))
            self._peers.append(None)
        self._fields.append(_field(stop - start, places, goes_on))
        self._peers.append(peer)
        self._position = stop

    def page(self, datagram: Datagram, plans: Dict[Tuple[Field, ...], Plan]) -> Page:
        if self._position < len(datagram.data):
            self.add(self._position, len(datagram.data))
        fields = tuple(self._fields)
        plan = plans.get(fields)
        if plan is None:
            plan = plans[fields] = Plan(fields)
        return Page(datagram, self.secrets, plan, self._peers)


class Page:
    """A datagram that was decoded: its bytes without secrets, how it is cut, and the peer that begins in each field.

    ``peers`` is handed on to the page that follows, and is that one's then.
    """

    __slots__ = ("data", "messages", "ends", "secrets", "mark", "plan", "peers")

    def __init__(self, datagram: Datagram, secrets: Sequence[int], plan: Plan, peers: List[Optional[Peer]]) -> None:
        self.secrets = tuple(secrets)  # offsets
        self.mark, self.data = self._without_secrets(datagram.data)
        self.messages, self.ends = datagram.messages, datagram.ends
        self.plan = plan
        self.peers = peers

    def recognise(self, buffer: bytearray, size: int) -> Optional[Datagram]:
        """The datagram, if these are its very bytes, or as many in the same messages.

        With the secrets that were kept out, for who decodes it again.
        """
        data = self.data
        if size != len(data):
            return None
        same = self._is_same(buffer)
        # What knows its page is made when it is asked for: a page that held what leads back to it would be freed by the collector
        # only, late.
        if same and not self.secrets:
            return Datagram(data, self.messages, self.ends, self)  # and nothing was copied
        at = 0
        for start, stop in () if same else (*self.messages, (size, size)):
            if buffer[at:start] != data[at:start]:
                return None  # another header: whatever it says is to be looked into
            at = stop
        return Datagram(bytes(memoryview(buffer)[:size]), self.messages, self.ends, self if same else None)

    def _is_same(self, buffer: bytearray) -> bool:
        """Whether these are its bytes, the secrets that were kept out included."""
        if not self.secrets:
            return buffer.startswith(self.data)
        at = 0
        for secret in (*self.secrets, len(self.data)):
            if not buffer.startswith(self.data[at:secret], at):
                return False
            at = secret + len(NO_KEY)
        return self._mark(buffer) == self.mark

    def follow(self, datagram: Datagram) -> Optional[Page]:
        """The page of a datagram that has the same fields and secrets. Of that, only lengths are looked at so far."""
        if (len(datagram.data), datagram.messages, datagram.ends) != (len(self.data), self.messages, self.ends):
            return None
        page = Page(datagram, self.secrets, self.plan, self.peers)
        return page if page.mark == self.mark else None

    def _without_secrets(self, data: bytes) -> Tuple[bytes, bytes]:
        if not self.secrets:
            return b"", data
        clean = bytearray(data)
        for at in self.secrets:
            clean[at : at + len(NO_KEY)] = NO_KEY
        return self._mark(data), bytes(clean)

    def _mark(self, data: Union[bytes, bytearray]) -> bytes:
        return fingerprint(*[data[at : at + len(NO_KEY)] for at in self.secrets])

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers with new counters, handshakes and endpoints, from blocks in which nothing else changed. Pure.

The fast path beside ``decode_peer`` of ``_wire.py``: what it gives is what that would give, or it gives nothing.
"""

from __future__ import annotations

import struct
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ._model import END_OF_TIME, Peer
from ._netlink import ATTRIBUTE_HEADER
from ._wire import IPV4, Places, decode_endpoint

HEADER = ATTRIBUTE_HEADER.size  # of a peer's block, which belongs to its field
SOCKADDR_IN = "2s6s8x"  # family; port and address, as in a packed endpoint
SOCKADDR_IN_BYTES = struct.calcsize("=" + SOCKADDR_IN)

ScopeName = Callable[[int], str]

_peer = partial(tuple.__new__, Peer)  # a third of the time of Peer(...), which is a function in Python
_ENDPOINT, _HANDSHAKE, _RX, _TX = map(Peer._fields.index, ("endpoint", "last_handshake_ns", "rx_bytes", "tx_bytes"))

WORD = 4  # bytes; all attributes are made of such (NLA_ALIGNTO)


class _Value(NamedTuple):
    """A value that may change all the time: its column where peers are rows, where it begins in a field, and its form there."""

    column: int
    start: int
    form: str

    @property
    def stop(self) -> int:
        return self.start + struct.calcsize("=" + self.form)


class Layout:
    """Takes from peers' fields of one length what changes all the time, and sees whether that is all.

    Value by value from all peers, which is done in C: on a busy hub most of them change from poll to poll.
    """

    __slots__ = ("_words", "_numbers", "_order", "_endpoint")

    def __init__(self, places: Places, size: int) -> None:
        numbers = [
            _Value(_HANDSHAKE, HEADER + places.last_handshake, "qq"),
            _Value(_RX, HEADER + places.rx_bytes, "Q"),
            _Value(_TX, HEADER + places.tx_bytes, "Q"),
        ]
        numbers.sort(key=itemgetter(1))
        self._numbers = _cut(numbers, size)
        at = [value.column for value in numbers for _one in value.form].index
        self._order = itemgetter(at(_HANDSHAKE), at(_HANDSHAKE) + 1, at(_RX), at(_TX))
        endpoints = []
        if places.endpoint:
            is_ipv4 = places.endpoint_length == SOCKADDR_IN_BYTES
            form = SOCKADDR_IN if is_ipv4 else "%ds" % places.endpoint_length
            endpoints.append(_Value(_ENDPOINT, HEADER + places.endpoint, form))
        self._endpoint = _cut(endpoints, size)
        # Each word of a value, in fields that are joined.
        self._words = [
            (value.column, [slice(word, None, size // WORD) for word in range(value.start // WORD, value.stop // WORD)])
            for value in numbers + endpoints
        ]

    def patched(
        self, peers: Sequence[Peer], before: Sequence[bytes], after: Sequence[bytes], scope_name: ScopeName
    ) -> Optional[List[Peer]]:
        """Peers with the new counters, handshakes and endpoints of their fields.

        None where anything else changed in one, or one has a time or an endpoint of IPv4's length that is none. MalformedReply
        where one has another endpoint that is none.
        """
        old, now = b"".join(before), b"".join(after)
        rest = bytearray(now)
        new_words, old_words = memoryview(rest).cast("I"), memoryview(old).cast("I")
        changed = set()
        for column, words in self._words:
            if any(new_words[word] != old_words[word] for word in words):
                changed.add(column)
                for word in words:
                    new_words[word] = old_words[word]
        # With the old values put back, nothing may be new.
        if rest != old:
            return None
        columns: List[Any] = list(zip(*peers))
        # What changed in none is not read.
        if _ENDPOINT in changed:
            raw = self._endpoint.iter_unpack
            columns[_ENDPOINT] = _endpoints(columns[_ENDPOINT], raw(old), raw(now), scope_name)
            changed.remove(_ENDPOINT)
        if changed:
            seconds, nanoseconds, columns[_RX], columns[_TX] = self._order(list(zip(*self._numbers.iter_unpack(now))))
            if _HANDSHAKE in changed:
                columns[_HANDSHAKE] = _handshakes(seconds, nanoseconds)
        return list(map(_peer, zip(*columns))) if None not in columns else None


def _cut(values: Sequence[_Value], size: int) -> struct.Struct:
    """Takes values, which are in the order of the bytes, out of a field."""
    form, position = "=", 0
    for value in values:
        form += "%dx%s" % (value.start - position, value.form)
        position = value.stop
    return struct.Struct(form + "%dx" % (size - position))


def _handshakes(seconds: Sequence[int], nanoseconds: Sequence[int]) -> Optional[List[int]]:
    """None where one is none."""
    if min(seconds) < 0 or max(seconds) >= END_OF_TIME or min(nanoseconds) < 0 or max(nanoseconds) >= 1_000_000_000:
        return None
    return [second * 1_000_000_000 + nanosecond // 1000 * 1000 for second, nanosecond in zip(seconds, nanoseconds)]


def _endpoints(
    endpoints: Sequence[bytes], old: Iterator[Tuple], now: Iterator[Tuple], scope_name: ScopeName
) -> Optional[Sequence[bytes]]:
    """Those of IPv4, as on most hubs, at a fraction of the cost. None where one has their length and is none."""
    cut = list(zip(*now))
    if len(cut) == 2:
        families, packed = cut
        return packed if families.count(IPV4) == len(families) else None
    return [
        endpoint if new == known else decode_endpoint(new, 0, len(new), scope_name)
        for endpoint, (known,), new in zip(endpoints, old, cut[0])
    ]


@lru_cache(maxsize=4096)
def layout_of(places: Places, size: int) -> Optional[Layout]:
    """Of a field of ``size`` bytes; None where its values are not all in it, or it is not made of words."""
    usual = places.last_handshake and places.rx_bytes and places.tx_bytes
    return Layout(places, size) if usual and not (size | places.endpoint_length) % WORD else None

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers with new counters, handshakes and endpoints, from blocks in which nothing else changed. Pure.

The fast path beside ``decode_peer`` of ``_wire.py``: what it gives is what that would give, or it gives nothing.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from itertools import chain, repeat
from operator import itemgetter, lt
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from ._model import END_OF_TIME, SECOND, Peer
from ._netlink import ATTRIBUTE_HEADER
from ._wire import Places, decode_endpoint

HEADER = ATTRIBUTE_HEADER.size  # of a peer's block, which belongs to its field
SOCKADDR_IN_BYTES, PORT_AND_ADDRESS = 16, slice(2, 8)  # of struct sockaddr_in; together they are a packed endpoint

ScopeName = Callable[[int], str]

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


class Patched(NamedTuple):
    """Peers with what changed. ``kinds`` are the names of the values of which one changed; ``fell``: whether a number fell."""

    peers: List[Peer]
    kinds: Set[str]
    fell: bool


class _Words(NamedTuple):
    """Each word of some values, in fields that are joined: of all those fields."""

    form: Any  # "H" or "I", as memoryview.cast wants it
    of_all: List[slice]


class Layout:
    """Takes from peers' fields of one length what changes all the time, and sees whether that is all.

    Value by value from all peers, which is done in C: on a busy hub most of them change from poll to poll.
    """

    __slots__ = (
        "exact",
        "_numbers",
        "_order",
        "_endpoint",
        "_is_ipv4",
        "_handshake_words",
        "_counter_words",
        "_endpoint_words",
    )

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
        # Kinds of values of which another in the bytes is another for the peer.
        self.exact = {"rx_bytes", "tx_bytes"}
        self._is_ipv4 = places.endpoint_length == SOCKADDR_IN_BYTES
        if self._is_ipv4:
            self.exact.add("endpoint")
            endpoints.append(_Value(_ENDPOINT, HEADER + places.endpoint + PORT_AND_ADDRESS.start, "6s"))
        elif places.endpoint:
            endpoints.append(_Value(_ENDPOINT, HEADER + places.endpoint, "%ds" % places.endpoint_length))
        self._endpoint = _cut(endpoints, size)
        self._handshake_words = _words([value for value in numbers if value.column == _HANDSHAKE], size)
        self._counter_words = _words([value for value in numbers if value.column != _HANDSHAKE], size)
        self._endpoint_words = _words(endpoints, size)

    def patched(
        self, peers: Sequence[Peer], before: Sequence[bytes], after: Sequence[bytes], scope_name: ScopeName
    ) -> Optional[Patched]:
        """Peers with the new counters, handshakes and endpoints of their fields.

        None where anything else changed in one, as the family of an IPv4 endpoint, or one has a time that is none. MalformedReply
        where one has another endpoint that is none.
        """
        old, now = b"".join(before), bytearray().join(after)
        columns: List[Any] = list(zip(*peers))
        kinds, fell = set(), False
        # What changed in none is not read. With the old values put back, nothing may be new.
        moved = _changed(self._endpoint_words, now, old)
        if moved:
            kinds.add("endpoint")
            endpoints = list(chain.from_iterable(self._endpoint.iter_unpack(now)))
            if not self._is_ipv4:
                known = chain.from_iterable(self._endpoint.iter_unpack(old))
                endpoints = _decoded(columns[_ENDPOINT], known, endpoints, scope_name)
            columns[_ENDPOINT] = endpoints
            _put_back(moved)
        if now != old:
            counted, shaken = _changed(self._counter_words, now, old), _changed(self._handshake_words, now, old)
            numbers = list(zip(*self._numbers.iter_unpack(now)))
            _put_back(counted + shaken)
            if now != old:
                return None
            seconds, nanoseconds, received, sent = self._order(numbers)
            if shaken:
                kinds.add("last_handshake_ns")
                handshakes = _handshakes(seconds, nanoseconds)
                if handshakes is None:
                    return None
                fell = any(map(lt, handshakes, columns[_HANDSHAKE]))
                columns[_HANDSHAKE] = handshakes
            if counted:
                kinds.update(("rx_bytes", "tx_bytes"))
                fell = fell or any(map(lt, received, columns[_RX])) or any(map(lt, sent, columns[_TX]))
                columns[_RX], columns[_TX] = received, sent
        # In a third of the time of Peer(...), which is a function in Python.
        return Patched(list(map(tuple.__new__, repeat(Peer), zip(*columns))), kinds, fell)


def _words(values: Sequence[_Value], size: int) -> _Words:
    form, word = ("H", 2) if any(value.start % WORD for value in values) else ("I", WORD)
    words = [range(value.start // word, value.stop // word) for value in values]
    return _Words(form, [slice(one, None, size // word) for one in chain.from_iterable(words)])


def _changed(words: _Words, now: bytearray, old: bytes) -> List[Tuple[memoryview, memoryview]]:
    """Those that are others than the old ones in one of the fields, as they lie there, and the old ones."""
    new_words, old_words = memoryview(now).cast(words.form), memoryview(old).cast(words.form)
    all_words = [(new_words[word], old_words[word]) for word in words.of_all]
    return [(new, old_one) for new, old_one in all_words if new != old_one]


def _put_back(changed: List[Tuple[memoryview, memoryview]]) -> None:
    for new, old in changed:
        new[:] = old


def _cut(values: Sequence[_Value], size: int) -> struct.Struct:
    """Takes values, which are in the order of the bytes, out of a field."""
    form, position = "=", 0
    for value in values:
        form += "%dx%s" % (value.start - position, value.form)
        position = value.stop
    return struct.Struct(form + "%dx" % (size - position))


def _handshakes(seconds: Sequence[int], nanoseconds: Sequence[int]) -> Optional[List[int]]:
    """None where one is none."""
    if min(seconds) < 0 or max(seconds) >= END_OF_TIME or min(nanoseconds) < 0 or max(nanoseconds) >= SECOND:
        return None
    return [second * SECOND + nanosecond // 1000 * 1000 for second, nanosecond in zip(seconds, nanoseconds)]


def _decoded(
    endpoints: Iterable[bytes], old: Iterable[bytes], now: Iterable[bytes], scope_name: ScopeName
) -> List[bytes]:
    """From what they were, and their bytes then and now."""
    return [
        endpoint if new == known else decode_endpoint(new, 0, len(new), scope_name)
        for endpoint, known, new in zip(endpoints, old, now)
    ]


@lru_cache(maxsize=4096)
def layout_of(places: Places, size: int) -> Optional[Layout]:
    """Of a field of ``size`` bytes; None where its values are not all in it, or it is not made of words."""
    usual = places.last_handshake and places.rx_bytes and places.tx_bytes
    return Layout(places, size) if usual and not (size | places.endpoint_length) % WORD else None

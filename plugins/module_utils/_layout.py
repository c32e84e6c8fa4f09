# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers with new counters, handshakes and endpoints, from blocks in which nothing else changed. Pure.

The fast path beside ``decode_peer`` of ``_wire.py``: what it gives is what that would give, or it gives nothing.
"""

from __future__ import annotations

import struct
from functools import lru_cache, partial
from itertools import compress
from operator import itemgetter, ne
from typing import Callable, List, Optional, Sequence

from ._model import END_OF_TIME, Peer
from ._netlink import ATTRIBUTE_HEADER
from ._wire import IPV4, Places, decode_endpoint

HEADER = ATTRIBUTE_HEADER.size  # of a peer's block, which belongs to its field
SOCKADDR_IN_BYTES = 16
SOCKADDR_IN = struct.Struct("=2x6s8x")  # without the family: port and address, as in a packed endpoint

ScopeName = Callable[[int], str]

_peer = partial(tuple.__new__, Peer)  # a third of the time of Peer(...), which is a function in Python


SEVERAL = 20  # peers from which on columns are quicker than one peer after the other


class Layout:
    """Cuts a peer's field of one length into what changes all the time, its endpoint, and the rest."""

    __slots__ = (
        "size",
        "_cut",
        "_rest",
        "_handshake",
        "_rx",
        "_tx",
        "_endpoint",
        "_at",
        "_length",
        "_counters",
        "_endpoints",
        "_order",
        "_mutable",
    )

    def __init__(self, places: Places, size: int) -> None:
        self.size = size
        # In the order of the bytes: place in the field, form, what it is.
        counters = sorted(
            [
                (HEADER + places.last_handshake, "qq", "handshake"),
                (HEADER + places.rx_bytes, "Q", "rx"),
                (HEADER + places.tx_bytes, "Q", "tx"),
            ]
        )
        self._at, self._length = HEADER + places.endpoint, places.endpoint_length
        values = list(counters)
        if places.endpoint:
            values.append((self._at, "%ds" % self._length, "endpoint"))
        form, rest, at, position = "=", [], 0, 0
        indexes = {"endpoint": 0}
        for place, what, name in sorted(values):
            form += "%ds%s" % (place - position, what)
            rest.append(at)
            indexes[name] = at + 1
            at += 1 + len(what.lstrip("0123456789"))
            position = place + struct.calcsize("=" + what)
        self._cut = struct.Struct(form + "%ds" % (size - position))
        self._rest = itemgetter(*rest, at)
        self._handshake = itemgetter(indexes["handshake"], indexes["handshake"] + 1)
        self._rx, self._tx, self._endpoint = indexes["rx"], indexes["tx"], indexes["endpoint"]
        form, position, names = "=", 0, []
        self._mutable: List[int] = []  # where those bytes stand that may change all the time
        for place, what, name in counters:
            form += "%dx%s" % (place - position, what)
            position = place + struct.calcsize("=" + what)
            self._mutable += range(place, position)
            names += [name] * len(what)
        self._counters = struct.Struct(form + "%dx" % (size - position))
        self._endpoints = struct.Struct("=%dx%ds%dx" % (self._at, self._length, size - self._at - self._length))
        seconds = names.index("handshake")
        self._order = itemgetter(seconds, seconds + 1, names.index("rx"), names.index("tx"))

    def patched(
        self, peers: Sequence[Peer], before: Sequence[bytes], after: Sequence[bytes], scope_name: ScopeName
    ) -> Optional[List[Peer]]:
        """Peers with the new counters, handshakes and endpoints of their fields.

        None where anything else changed in one, or has a time that is none.
        """
        if len(peers) >= SEVERAL:
            return self._patched_together(peers, b"".join(before), b"".join(after), scope_name)
        found = []
        for peer, old, now in zip(peers, before, after):
            one = self._patched(peer, self._cut.unpack(old), self._cut.unpack(now), scope_name)
            if one is None:
                return None
            found.append(one)
        return found

    def _patched(self, peer: Peer, old: tuple, now: tuple, scope_name: ScopeName) -> Optional[Peer]:
        if self._rest(now) != self._rest(old):
            return None
        key, secret, endpoint, allowed_ips, keepalive = peer[:5]
        if now[self._endpoint] != old[self._endpoint]:
            endpoint = decode_endpoint(now[self._endpoint], 0, self._length, scope_name)
        seconds, nanoseconds = self._handshake(now)
        if not (0 <= seconds < END_OF_TIME and 0 <= nanoseconds < 1_000_000_000):
            return None
        handshake = seconds * 1_000_000_000 + nanoseconds // 1000 * 1000
        return _peer((key, secret, endpoint, allowed_ips, keepalive, handshake, now[self._rx], now[self._tx]))

    def _patched_together(
        self, peers: Sequence[Peer], old: bytes, now: bytes, scope_name: ScopeName
    ) -> Optional[List[Peer]]:
        """The same column by column, in C: on a busy hub most peers change from poll to poll."""
        keys, secrets, endpoints, allowed_ips, keepalives = tuple(zip(*peers))[:5]
        # With the old values put back, nothing may be new.
        rest, size = bytearray(now), self.size
        for place in self._mutable:
            rest[place::size] = old[place::size]
        if rest != old:
            if not self._length:
                return None
            at, length = self._at, self._length
            for place in range(at, at + length):
                rest[place::size] = old[place::size]
            if rest != old:
                return None
            raw = [one for (one,) in self._endpoints.iter_unpack(now)]
            moved = list(map(ne, raw, [one for (one,) in self._endpoints.iter_unpack(old)]))
            found = iter(decode_endpoints(list(compress(raw, moved)), scope_name))
            endpoints = tuple([next(found) if new else endpoint for endpoint, new in zip(endpoints, moved)])
        seconds, nanoseconds, rx, tx = self._order(tuple(zip(*self._counters.iter_unpack(now))))
        if not (min(seconds) >= 0 and max(seconds) < END_OF_TIME):
            return None
        if not (min(nanoseconds) >= 0 and max(nanoseconds) < 1_000_000_000):
            return None
        handshakes = [
            second * 1_000_000_000 + nanosecond // 1000 * 1000 for second, nanosecond in zip(seconds, nanoseconds)
        ]
        return list(map(_peer, zip(keys, secrets, endpoints, allowed_ips, keepalives, handshakes, rx, tx)))


def decode_endpoints(endpoints: List[bytes], scope_name: Callable[[int], str]) -> List[bytes]:
    """Many of one length: where all are IPv4, as on most hubs, at a fraction of the cost."""
    together, size = b"".join(endpoints), SOCKADDR_IN_BYTES
    if len(together) == size * len(endpoints) and all(set(together[at::size]) == {IPV4[at]} for at in range(2)):
        return [packed for (packed,) in SOCKADDR_IN.iter_unpack(together)]
    return [decode_endpoint(endpoint, 0, len(endpoint), scope_name) for endpoint in endpoints]


@lru_cache(maxsize=4096)
def layout_of(places: Places, size: int) -> Optional[Layout]:
    """Of a field of ``size`` bytes; None where its values are not all in it."""
    return Layout(places, size) if places.last_handshake and places.rx_bytes and places.tx_bytes else None

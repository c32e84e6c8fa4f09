# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters and handshakes that rise without traffic: rewritten in the kernel's answer on its way to a reader.

The answer is received as ever, so the kernel's work is in what is timed. What the rewritten datagrams are is made beforehand:
between inbox and reader each is copied over what was received, some microseconds for each 32 KiB, counted against the reader.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from ansible_collections.wirewatch.wireguard.plugins.module_utils._inbox import Inbox
from ansible_collections.wirewatch.wireguard.plugins.module_utils._kernel import KernelReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import attributes

GROWN = 4  # polls after which the kernel's messages have grown to the buffer
MESSAGE_HEADERS = 16 + 4  # nlmsghdr, genlmsghdr
NLMSG_MIN_TYPE = 16  # below are control messages
WGDEVICE_A_PEERS = 8
WGPEER_A_LAST_HANDSHAKE_TIME, WGPEER_A_RX_BYTES, WGPEER_A_TX_BYTES = 6, 7, 8


class Values(NamedTuple):
    """Where a peer's values stand in a dump: number of the datagram, offsets in it."""

    datagram: int
    handshake: int
    rx: int
    tx: int


def find_values(datagrams: Sequence[bytes]) -> list[Values]:
    """Of each peer in the order of the dump; of a peer that is cut, those in its first block."""
    found = []
    for number, datagram in enumerate(datagrams):
        start = 0
        while start < len(datagram):
            length, kind = struct.unpack_from("=IH", datagram, start)
            if kind >= NLMSG_MIN_TYPE:
                for attribute, first, last in attributes(datagram, start + MESSAGE_HEADERS, start + length):
                    if attribute == WGDEVICE_A_PEERS:
                        found += _in_peers(number, datagram, first, last)
            start += (length + 3) & ~3
    return found


def _in_peers(number: int, datagram: bytes, start: int, stop: int) -> list[Values]:
    found = []
    for _index, first, last in attributes(datagram, start, stop):
        places = {kind: place for kind, place, _end in attributes(datagram, first, last)}
        if WGPEER_A_LAST_HANDSHAKE_TIME in places:
            found.append(
                Values(
                    number,
                    places[WGPEER_A_LAST_HANDSHAKE_TIME],
                    places[WGPEER_A_RX_BYTES],
                    places[WGPEER_A_TX_BYTES],
                )
            )
    return found


class RewrittenDump:
    """A recorded dump whose peers have a life."""

    def __init__(self, datagrams: Sequence[bytes], seed: int = 4, now: int = 1_800_000_000) -> None:
        """``now`` are seconds since the epoch."""
        self.datagrams = [bytearray(datagram) for datagram in datagrams]
        self._values = find_values(datagrams)
        self._random = random.Random(seed)
        self._now = now
        self.advance(1.0)

    def advance(self, share: float) -> int:
        """One second passes: a random share of the peers has packets and a handshake. Returns how many."""
        count = max(1, round(len(self._values) * share)) if share else 0
        self._now += 1
        self._move_on(self._random.sample(self._values, count) if count < len(self._values) else self._values)
        return count

    def advance_in_turn(self, share: float, now: int) -> None:
        """Up to a second, this share of the peers in each, by turns: as peers under traffic, none is left to luck for long."""
        count = max(1, round(len(self._values) * share)) * (now - self._now) % len(self._values)
        turn, self._values = self._values[:count], self._values[count:] + self._values[:count]
        self._now = now
        self._move_on(turn)

    def _move_on(self, peers: Sequence[Values]) -> None:
        for datagram, handshake, rx, tx in peers:
            buffer = self.datagrams[datagram]
            struct.pack_into("=qq", buffer, handshake, self._now, self._random.randrange(10**9))
            for place in (rx, tx):
                value = struct.unpack_from("=Q", buffer, place)[0]
                struct.pack_into("=Q", buffer, place, value + self._random.randrange(32, 100_000))


def rewrite(reader: Any) -> RewrittenDump:
    """Puts itself between a reader of the kernel and its inbox, for as long as its socket is open."""
    if not isinstance(reader, KernelReader):
        raise TypeError("it reads no interface of the kernel")
    reader.read()
    netlink = reader._netlink
    if netlink is None:
        raise RuntimeError("the reader has no open socket")
    between = Rewriting(netlink._inbox)
    for _number in range(GROWN):
        between.recording.clear()
        reader.read()
    between.dump = RewrittenDump(between.recording)
    return between.dump


class Rewriting:
    """Between an inbox and whoever receives by it: what came becomes what ``dump`` has at that place, once there is one."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._receive = inbox.receive
        inbox.receive = self.receive  # type: ignore[method-assign]
        self.recording: list[bytes] = []
        self.dump: RewrittenDump | None = None
        self._number = 0  # of the next datagram

    def receive(self) -> None:
        self._receive()
        for place, size in enumerate(self._inbox.shape.sizes):
            self._rewrite(self._inbox.buffer, place * self._inbox.room, size)

    def _rewrite(self, buffer: bytearray, start: int, size: int) -> None:
        if self.dump is None:
            self.recording.append(bytes(memoryview(buffer)[start : start + size]))
            return
        datagrams = self.dump.datagrams
        if len(datagrams[self._number]) != size:
            raise RuntimeError(
                f"the kernel's answer has {size} bytes where {len(datagrams[self._number])} were recorded"
            )
        buffer[start : start + size] = datagrams[self._number]
        self._number = (self._number + 1) % len(datagrams)

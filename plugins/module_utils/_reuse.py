# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory between two polls of a daemon: what did not change stays the same object.

Texts with a secret in them are never kept: they are compared by a hash under a random key of this process.
"""

from __future__ import annotations

from typing import Callable, Dict, Mapping, NamedTuple, Optional, Sequence

from ._errors import MalformedReply
from ._fingerprint import fingerprint
from ._model import SECOND, Device, Peer
from ._uapi import Reply, is_a_fact
from ._userspace import SECOND_TIME, TIMEOUT, Afresh, Answer

AGE_SLACK = int((TIMEOUT + 1) * SECOND)  # what an age may lack: that an answer takes, and that it is rounded
END = b"\nerrno=0\n\n"


class Age(NamedTuple):
    """The age of a handshake in nanoseconds as it was told at a moment, and the time that the handshake was taken for."""

    age: int
    monotonic_ns: int
    handshake_ns: int


class Reuse(Afresh):
    """Hands out last poll's objects where they still hold."""

    def __init__(self) -> None:
        self._known: Dict[bytes, Peer] = {}  # by its text, or the fingerprint of that where it holds a secret
        self._device: Optional[Device] = None
        self._own_key = (b"", b"")  # fingerprint of the private key, public key
        self._ages: Dict[bytes, Age] = {}  # by public key

    def cut(self, reply: bytes) -> Optional[Reply]:
        """As ``split_reply`` has it, without looking into peers; None for an answer that is not the usual one.

        Most of the peers' lines were seen before, and new ones are looked at by ``decode_peer``.
        """
        if not reply.endswith(END):
            return None
        texts = reply.split(b"\npublic_key=")
        texts[-1] = texts[-1][: -len(END)]  # of the whole answer that would be a copy of megabytes
        device, *peers = texts
        lines = device.split(b"\n")
        if device.startswith(b"public_key=") or not all(map(is_a_fact, lines)):
            return None
        return Reply(lines, peers, 0)

    def public_key(self, private_key: bytes) -> bytes:
        mark = fingerprint(private_key)
        if self._own_key[0] != mark:
            self._own_key = (mark, super().public_key(private_key))
        return self._own_key[1]

    def dated(self, peer: Peer, age: Optional[int], answer: Answer) -> Peer:
        """An age is turned into a time once, which is held while it grows as time does: a smaller one is a new handshake."""
        if age is None:
            self._ages.pop(peer.public_key, None)
            return peer
        known = self._ages.get(peer.public_key)
        if known is not None and age >= max(
            known.age, known.age + answer.monotonic_ns - known.monotonic_ns - AGE_SLACK
        ):
            handshake = known.handshake_ns
        else:
            handshake = answer.time_of(age)
        self._ages[peer.public_key] = Age(age, answer.monotonic_ns, handshake)
        return peer._replace(last_handshake_ns=handshake)

    def peers(self, texts: Sequence[bytes], decode: Callable[[bytes], Peer]) -> Mapping[bytes, Peer]:
        """Peers by public key; ``decode`` is called for a text that last poll did not have.

        Last poll's dict itself where nothing changed. An error leaves the memory as it was; MalformedReply where two texts
        are of one peer.
        """
        known = self._known
        before = self._device.peers if self._device is not None else {}
        # Sets, since a daemon tells its peers in another order each time.
        different = set(texts)
        if different == known.keys() and len(texts) == len(known):
            return before
        marks: Dict[bytes, Peer] = {}
        peers: Dict[bytes, Peer] = {}
        for text in texts:
            mark, peer = text, known.get(text)
            if peer is None:
                mark = fingerprint(text)
                peer = known.get(mark)
            if peer is None:
                peer = decode(text)
                if peer.preshared_key is None:
                    mark = text
                if peer == before.get(peer.public_key):
                    peer = before[peer.public_key]
            marks[mark] = peers[peer.public_key] = peer
        if len(peers) < len(texts):
            raise MalformedReply(SECOND_TIME)
        self._known = marks
        if self._ages:
            self._ages = {key: age for key, age in self._ages.items() if key in peers}
        if peers.keys() != before.keys():
            return peers
        changed = {key: peer for key, peer in peers.items() if peer is not before[key]}
        return {**before, **changed} if changed else before

    def device(self, device: Device) -> Device:
        """Last poll's device where nothing in it changed."""
        before = self._device
        if before is not None and before.peers is device.peers and before[:-1] == device[:-1]:
            return before
        self._device = device
        return device

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory between two polls of a daemon: what did not change stays the same object.

Texts with a secret in them are never kept: they are compared by a hash under a random key of this process.
"""

from __future__ import annotations

from typing import Callable, Dict, Mapping, Optional, Sequence

from ._errors import MalformedReply
from ._fingerprint import fingerprint
from ._model import Device, Peer
from ._userspace import SECOND_TIME, Afresh


class Reuse(Afresh):
    """Hands out last poll's objects where they still hold."""

    def __init__(self) -> None:
        self._known: Dict[bytes, Peer] = {}  # by its text, or the fingerprint of that where it holds a secret
        self._device: Optional[Device] = None

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

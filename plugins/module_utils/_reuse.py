# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory between two polls of one interface: what did not change stays the same object.

Raw bytes of a peer are compared by a hash under a random key of this process, never kept: they hold preshared keys.
"""

from __future__ import annotations

import hashlib
import os
from typing import Callable, Dict, Generic, Iterable, Optional, Tuple, TypeVar

from ._model import Device, Peer

_PROCESS_KEY = os.urandom(32)

Raw = TypeVar("Raw")


def fingerprint(*parts: bytes) -> bytes:
    """16 bytes that tell two secrets apart within this process and mean nothing outside of it."""
    digest = hashlib.blake2b(key=_PROCESS_KEY, digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.digest()


class Reuse(Generic[Raw]):
    """Hands out last poll's objects where they still hold."""

    def __init__(self) -> None:
        self._peers: Dict[bytes, Tuple[bytes, Peer]] = {}
        self._device: Optional[Device] = None

    def peers(self, raw: Iterable[Tuple[bytes, bytes, Raw]], decode: Callable[[bytes, Raw], Peer]) -> Dict[bytes, Peer]:
        """Peers by key of ``(key, fingerprint of its bytes, those bytes)``; ``decode`` is called only for changed ones.

        Last poll's dict itself where nothing changed. An error of ``decode`` leaves the memory as it was.
        """
        before = self._peers
        now: Dict[bytes, Tuple[bytes, Peer]] = {}
        same = True
        for key, mark, data in raw:
            known = before.get(key)
            if known is not None and known[0] == mark:
                now[key] = known
                continue
            peer = decode(key, data)
            if known is not None and known[1] == peer:
                peer = known[1]
            else:
                same = False
            now[key] = (mark, peer)
        self._peers = now
        if same and len(now) == len(before) and self._device is not None:
            return self._device.peers
        return {key: peer for key, (_mark, peer) in now.items()}

    def peer(self, key: bytes) -> Optional[Peer]:
        """The peer as it was in the last poll."""
        known = self._peers.get(key)
        return None if known is None else known[1]

    def device(self, device: Device) -> Device:
        """Last poll's device where nothing in it changed."""
        before = self._device
        if before is not None and before.peers is device.peers and before[:-1] == device[:-1]:
            return before
        self._device = device
        return device

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory between two polls of one interface: what did not change stays the same object.

Bytes with a secret in them are never kept: they are compared by a hash under a random key of this process.
"""

from __future__ import annotations

import hashlib
import os
from typing import Callable, Dict, Iterable, Optional, Tuple

from ._model import Device, Peer

_PROCESS_KEY = os.urandom(32)


def fingerprint(*parts: bytes) -> bytes:
    """16 bytes that tell two secrets apart within this process and mean nothing outside of it."""
    digest = hashlib.blake2b(key=_PROCESS_KEY, digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.digest()


class Reuse:
    """Hands out last poll's objects where they still hold."""

    def __init__(self) -> None:
        self._peers: Dict[
            bytes, Tuple[bytes, Peer]
        ] = {}  # by name: its bytes, or their fingerprint where they hold a secret
        self._device: Optional[Device] = None

    def peers(self, raw: Iterable[Tuple[bytes, bytes]], decode: Callable[[bytes, bytes], Peer]) -> Dict[bytes, Peer]:
        """Peers by public key of ``(name, bytes)``; ``decode`` is called with those, and only for changed ones.

        A name is what its daemon calls a peer, each a single time. Last poll's dict itself where nothing changed. An error
        of ``decode`` leaves the memory as it was.
        """
        before = self._peers
        now: Dict[bytes, Tuple[bytes, Peer]] = {}
        same = True
        for name, data in raw:
            known = before.get(name)
            if known is not None and (known[0] == data or (known[1].preshared_key and known[0] == fingerprint(data))):
                now[name] = known
                continue
            peer = decode(name, data)
            if known is not None and known[1] == peer:
                peer = known[1]
            else:
                same = False
            now[name] = (data if peer.preshared_key is None else fingerprint(data), peer)
        self._peers = now
        if same and len(now) == len(before) and self._device is not None:
            return self._device.peers
        return {peer.public_key: peer for _mark, peer in now.values()}

    def device(self, device: Device) -> Device:
        """Last poll's device where nothing in it changed."""
        before = self._device
        if before is not None and before.peers is device.peers and before[:-1] == device[:-1]:
            return before
        self._device = device
        return device

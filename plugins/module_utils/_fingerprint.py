# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands for a secret in memory: two are told apart by it, and nothing is told of either."""

from __future__ import annotations

import hashlib
import os
from typing import Union

_OF_THIS_PROCESS = hashlib.blake2b(key=os.urandom(32), digest_size=16)


def fingerprint(*parts: Union[bytes, bytearray]) -> bytes:
    """16 bytes that tell two secrets apart within this process and mean nothing outside of it."""
    digest = _OF_THIS_PROCESS.copy()
    for part in parts:
        digest.update(part)
    return digest.digest()

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands for a secret in memory: two are told apart by it, and nothing is told of either."""

from __future__ import annotations

import hashlib
import os
from typing import Union

_PROCESS_KEY = os.urandom(32)


def fingerprint(*parts: Union[bytes, bytearray]) -> bytes:
    """16 bytes that tell two secrets apart within this process and mean nothing outside of it."""
    digest = hashlib.blake2b(key=_PROCESS_KEY, digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.digest()

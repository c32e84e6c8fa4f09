# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public key that belongs to a private key (X25519, RFC 7748 section 5).

A userspace daemon hands out its private key and not the public one. The standard library has no X25519, and a managed
node need not have ``cryptography``. Runs in about a millisecond, and not in constant time: it runs as root on the host
that owns the key, once per key.
"""

from __future__ import annotations

_P = 2**255 - 19
_A24 = 121665
_BASE_POINT = 9


def public_key(private_key: bytes) -> bytes:
    """32 bytes to 32 bytes."""
    scalar = int.from_bytes(private_key, "little")
    scalar &= (1 << 254) - 8
    scalar |= 1 << 254
    x1, x2, z2, x3, z3 = _BASE_POINT, 1, 0, _BASE_POINT, 1
    swapped = 0
    for bit in range(254, -1, -1):
        current = (scalar >> bit) & 1
        if swapped ^ current:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swapped = current
        a, b = x2 + z2, x2 - z2
        aa, bb = a * a % _P, b * b % _P
        e = aa - bb
        da, cb = (x3 - z3) * a % _P, (x3 + z3) * b % _P
        x3 = (da + cb) ** 2 % _P
        z3 = x1 * (da - cb) ** 2 % _P
        x2 = aa * bb % _P
        z2 = e * (aa + _A24 * e) % _P
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, _P - 2, _P) % _P).to_bytes(32, "little")

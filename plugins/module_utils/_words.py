# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times and amounts as a person reads them."""

from __future__ import annotations

DAY, HOUR, MINUTE = 86400, 3600, 60  # seconds
UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s"))
BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
SHORT_KEY = 8  # characters of a public key that tell peers apart for a person


def duration(seconds: float) -> str:
    """``3 min 10 s``: the two largest units; ``0.4 s`` below ten seconds."""
    if seconds < 9.95:
        return "%g s" % round(max(0.0, seconds), 1)
    left = round(seconds)
    parts = []
    for size, unit in UNITS:
        if left >= size:
            parts.append("%d %s" % (left // size, unit))
            left %= size
        elif parts:
            parts.append("")
    return " ".join(part for part in parts[:2] if part)


def amount(count: int) -> str:
    """Bytes as ``wg`` shows them: ``1.21 KiB``."""
    if count < 1024:
        return "%d B" % count
    size, unit = float(count), 0
    while size >= 1024 and unit < len(BYTES) - 1:
        size /= 1024
        unit += 1
    return "%.2f %s" % (size, BYTES[unit])


def short_key(key: str) -> str:
    return key[:SHORT_KEY] + "…"


def plain(text: str) -> str:
    """Without what a terminal would take for a command: names come from users, and interfaces may be called nearly anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)

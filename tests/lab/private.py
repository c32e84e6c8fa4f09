# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with secrets, which nobody but their owner may open: others are refused."""

from __future__ import annotations

from pathlib import Path


def write_private(path: Path, text: str) -> Path:
    """Writes the file, its mode being 0600 from the beginning; returns the path."""
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")
    return path

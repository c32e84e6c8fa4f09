# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs last: nothing that the whole run printed or wrote holds a private or preshared key of a test network."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def spellings(key: str) -> Iterator[bytes]:
    """A key as WireGuard's tools and protocols write it: base64, hexadecimal, and the bytes themselves."""
    raw = base64.b64decode(key)
    yield key.encode()
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield raw


def holds_secret(content: bytes, needles: list[bytes]) -> bool:
    return any(needle in content for needle in needles)


def test_the_search_finds_each_spelling() -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    needles = list(spellings(key))
    for spelling in needles:
        assert holds_secret(b"before " + spelling + b" after", needles)
    assert not holds_secret(b"before and after", needles)


def test_no_secret_in_anything_the_run_printed_or_wrote() -> None:
    if "WW_RUN_FOLDER" not in os.environ:
        pytest.skip("only scripts/test collects all that a run prints and writes in one folder")
    secrets = Path(os.environ["WW_SECRETS_FILE"])
    keys = secrets.read_text().split() if secrets.exists() else []
    assert keys, "no test network listed its keys, so this search would find nothing whatever there is"
    needles = [spelling for key in keys for spelling in spellings(key)]
    files = [path for path in Path(os.environ["WW_RUN_FOLDER"]).rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 10, "hardly anything was collected"
    found = [str(path) for path in files if holds_secret(path.read_bytes(), needles)]
    assert not found, "these hold a private or preshared key"

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs last: nothing that the whole run printed or wrote holds a private or preshared key of a test network."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import random
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.leaks import LEAST, Search, spellings

# Keys of this test's own: it writes them down, and a search for them elsewhere would find them here.
KEYS = [base64.b64encode(random.Random(f"search {number}").randbytes(32)).decode() for number in range(4)]
ODD = [  # with quotes, backslashes and all that base64 has
    base64.b64encode(b"'\"\\\n\0\xff" * 5 + b"'\"").decode(),
    base64.b64encode(bytes(range(32))).decode(),
    base64.b64encode(b"\xfb\xef\xbe\xff" * 2 + random.Random("odd").randbytes(24)).decode(),
]
SEARCH = Search(KEYS)
RAW = {key: base64.b64decode(key) for key in KEYS + ODD}

# As others write a key; made here in another way than there.
WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda key: key,
    "base64": base64.b64encode,
    "base64 without padding": lambda key: base64.b64encode(key).rstrip(b"="),
    "base64, url-safe": base64.urlsafe_b64encode,
    "base64, url-safe, without padding": lambda key: base64.urlsafe_b64encode(key).rstrip(b"="),
    "base64 in JSON": lambda key: json.dumps({"k": base64.b64encode(key).decode()}).encode(),
    "base64 in JSON, slashes escaped": lambda key: base64.b64encode(key).replace(b"/", rb"\/"),
    "hex": lambda key: key.hex().encode(),
    "upper hex": lambda key: key.hex().upper().encode(),
    "hex as a word of one answer": lambda key: b"private_key=" + key.hex().encode() + b"\nlisten_port=1\n",
    "repr": lambda key: repr(key).encode(),
    "repr in a longer one": lambda key: repr({"reply": b"x" + key + b"y"}).encode(),
    "repr in JSON": lambda key: json.dumps(repr(b"x" + key + b"y")).encode(),
    "each byte escaped": lambda key: b"".join(b"\\x%02x" % byte for byte in key),
    "text in JSON": lambda key: json.dumps(key.decode("latin-1")).encode(),
    "a list": lambda key: str(list(key)).encode(),
    "a list in JSON": lambda key: json.dumps(list(key), separators=(",", ":")).encode(),
    "a number": lambda key: str(int.from_bytes(key, "little")).encode(),
    "hex in base64": lambda key: base64.b64encode(b"private_key=" + key.hex().encode() + b"\n"),
    "raw in base64": lambda key: base64.b64encode(b"ab" + key + b"cd"),
    "the first half in hex": lambda key: key[:16].hex().encode(),
    "the second half in hex": lambda key: key[16:].hex().encode(),
    "the middle": lambda key: key[6:24],
}


def in_file(path: Path, content: bytes) -> None:
    path.write_bytes(random.Random(content).randbytes(1001) + content + b"x" * 1000)


def in_gzip(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(b"x" * 1000 + content))


def in_script(path: Path, content: bytes) -> None:
    """As Ansible sends a module: a zip file in base64 in a script."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.py", random.Random("filler").randbytes(1000))
        archive.writestr("two.py", b"x" * 1000 + content)
    path.write_bytes(b"#!/usr/bin/python\nZIPDATA = %r\n" % base64.b64encode(packed.getvalue()).decode().encode())


def in_database(path: Path, content: bytes) -> None:
    """One of 4 KiB pages, which the row does not fit into."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE facts (facts BLOB)")
        connection.execute("INSERT INTO facts VALUES (?)", (b"x" * 5000 + content + b"y" * 5000,))
    connection.close()


@pytest.mark.parametrize("place", [in_file, in_gzip, in_script, in_database])
@pytest.mark.parametrize("way", WRITTEN)
def test_the_search_finds_each_spelling_at_each_place(
    way: str, place: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    for number, key in enumerate(KEYS):
        path = tmp_path / str(number)
        place(path, WRITTEN[way](RAW[key]))
        found = SEARCH.leaks(path)
        assert [{find.key for find in finds} for finds in found.values()] == [{number}], f"key {number}"
        path.unlink()


@pytest.mark.parametrize("key", ODD)
@pytest.mark.parametrize("way", WRITTEN)
def test_the_search_finds_odd_keys(way: str, key: str) -> None:
    search = Search([key])
    for shift in range(8):
        assert search.finds(b"." * shift + WRITTEN[way](RAW[key]) + b".")


def test_the_search_knows_what_is_none() -> None:
    for seed in range(100):
        other = random.Random(f"other {seed}").randbytes(32)
        assert not SEARCH.finds(b"".join(spelling for spelling in spellings(base64.b64encode(other).decode()).values()))
    assert not SEARCH.finds(b"")
    assert not SEARCH.finds(RAW[KEYS[0]][: LEAST - 1] + bytes(40)), "seven bytes in hex may be anything"


def test_a_find_does_not_show_the_key() -> None:
    found = SEARCH.finds(KEYS[0].encode())
    assert {find.key for find in found} == {0}
    assert not SEARCH.finds(repr(found).encode())


def test_no_secret_in_anything_the_run_printed_or_wrote(figure: Callable[[str], None]) -> None:
    if "WW_RUN_FOLDER" not in os.environ:
        pytest.skip("only scripts/test collects all that a run prints and writes in one folder")
    secrets = Path(os.environ["WW_SECRETS_FILE"])
    keys = secrets.read_text().split() if secrets.exists() else []
    assert keys, "no test network listed its keys, so this search would find nothing whatever there is"
    search = Search(keys)
    found = search.leaks(Path(os.environ["WW_RUN_FOLDER"]))
    assert search.files > 10, "hardly anything was collected"
    assert not found, "these hold a private or preshared key"
    figure(f"{search}: none there")

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for keys in what a run wrote: in every form that a key may take, whole or half of it, packed or not."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

WORD = 8  # bytes
LEAST = 16  # bytes of a spelling that count as a find, or a quarter of it: at least 64 bits of the key in each form

_PACKED = re.compile(rb"[A-Za-z0-9+/]{400,}={0,2}")  # as the modules that Ansible wraps into a script
_LAYERS = 4  # of what is packed into one another


def spellings(key: str) -> dict[str, bytes]:
    """A key (base64) as tools, protocols, Python and JSON write it, by the name of the form."""
    raw = base64.b64decode(key)
    text = raw.decode("latin-1")
    # What an escaped quote looks like depends on what stands beside it.
    shown = [repr(raw)[2:-1], repr(b'"' + raw)[3:-1], "".join(f"\\x{byte:02x}" for byte in raw)]
    forms = {
        "raw": raw,
        "raw, as UTF-8": text.encode(),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "he:xx": raw.hex(":"),
        "he xx": raw.hex(" "),
        "hex, reversed": raw[::-1].hex(),  # as a number shows it
        "number": str(int.from_bytes(raw, "little")),
        "number, big-endian": str(int.from_bytes(raw, "big")),
        "list": str(list(raw))[1:-1],
        "list, compact": ",".join(map(str, raw)),
        "octal": "".join(f"\\{byte:03o}" for byte in raw),
        "base64": key,
        "base64, url-safe": base64.urlsafe_b64encode(raw),
        "base64, in JSON": key.replace("/", "\\/"),
        "base64, in ASCII JSON": key.replace("/", "\\u002f").replace("+", "\\u002b"),
        "base64, in a URL": quote(key, safe=""),
        "str in JSON": json.dumps(text)[1:-1],
        "surrogates in JSON": json.dumps(raw.decode("utf-8", "surrogateescape"))[1:-1],
    }
    for number, one in enumerate(shown):
        forms |= {f"repr {number}": one, f"repr {number}, in JSON": json.dumps(one)[1:-1]}
    for name, inner in (("raw", raw), ("hex", raw.hex().encode()), ("base64", key.encode())):
        for shift in range(3):  # where it begins in what was encoded as a whole, modulo three
            whole = base64.b64encode(bytes(shift) + inner)
            forms[f"base64 of {name} at {shift}"] = whole[shift + (shift > 0) : 8 * (shift + len(inner)) // 6]
    return {name: form if isinstance(form, bytes) else form.encode() for name, form in forms.items()}


class Find(NamedTuple):
    """Never the key itself: this is printed."""

    key: int  # which of those searched for
    form: str


class Search:
    """Looks for keys. `files`, `parts` and `bytes` count what was looked through.

    Spellings are known by each of their words of eight bytes, and content is looked at in words: so the time depends neither
    on the number of keys nor of forms, and a piece of a key is found as well.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = list(dict.fromkeys(keys))
        self.files = self.parts = self.bytes = 0
        self._words: dict[int, list[tuple[Find, bytes, int]]] = {}
        for number, key in enumerate(self.keys):
            for form, spelling in spellings(key).items():
                for at in range(len(spelling) - WORD + 1):
                    (word,) = memoryview(spelling[at : at + WORD]).cast("Q")
                    self._words.setdefault(word, []).append((Find(number, form), spelling, at))

    def finds(self, content: bytes) -> set[Find]:
        """The keys in these bytes."""
        self.parts += 1
        self.bytes += len(content)
        words = memoryview(content)[: len(content) // WORD * WORD].cast("Q")
        if self._words.keys().isdisjoint(words):
            return set()
        found = set()
        for number, word in enumerate(words):
            for find, spelling, at in self._words.get(word, ()):
                if _common(content, number * WORD, spelling, at) >= max(LEAST, len(spelling) // 4):
                    found.add(find)
        return found

    def leaks(self, *paths: Path) -> dict[str, set[Find]]:
        """The keys in these files, and in all files of these folders, by file; what is packed in them is unpacked."""
        found: dict[str, set[Find]] = {}
        for path in paths:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file() and not file.is_symlink():
                    self.files += 1
                    for content in unpacked(file.read_bytes()):
                        finds = self.finds(content)
                        if finds:
                            found.setdefault(str(file), set()).update(finds)
        return found

    def __str__(self) -> str:
        forms = len(spellings(self.keys[0]))
        return (
            f"{len(self.keys)} keys in {forms} forms searched for in {self.files:,} files "
            f"({self.parts:,} parts, {self.bytes / 1e6:.1f} MB)"
        )


def _common(content: bytes, at: int, spelling: bytes, offset: int) -> int:
    """How much of the spelling stands there, around the word that is at both places."""
    first, last = 0, WORD
    while min(at, offset) > first and content[at - first - 1] == spelling[offset - first - 1]:
        first += 1
    while offset + last < len(spelling) and at + last < len(content) and content[at + last] == spelling[offset + last]:
        last += 1
    return first + last


def unpacked(content: bytes, layers: int = _LAYERS) -> Iterator[bytes]:
    """The content, and what is packed in it: by gzip, as members of a zip file, in long base64."""
    yield content
    if not layers:
        return
    inner: list[bytes] = []
    try:
        if content.startswith(b"\x1f\x8b"):
            inner.append(gzip.decompress(content))
        elif content.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                inner += map(archive.read, archive.namelist())
        else:
            for run in _PACKED.findall(content):
                inner.append(base64.b64decode(run[: len(run) // 4 * 4]))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, binascii.Error):
        pass  # it only looked packed
    for one in inner:
        yield from unpacked(one, layers - 1)

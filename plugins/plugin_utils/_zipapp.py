# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The publisher as one file: ``plugins/module_utils`` in a zip that ``python3`` runs. ``python3 _zipapp.py [OUTPUT]`` writes it.

The same sources give the same bytes, wherever and whenever.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from pathlib import Path

COLLECTION = Path(__file__).resolve().parent.parent.parent
NEEDS_ANSIBLE = {"_arguments.py"}
MAIN = """\
import sys

try:
    from wirewatch._command import main

    status = main()
except KeyboardInterrupt:
    status = 0  # while it was loaded
sys.exit(status)
"""
MOMENT = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell


def build() -> bytes:
    files = {"__main__.py": MAIN.encode(), "wirewatch/__init__.py": b"", "wirewatch/VERSION": _version().encode()}
    for path in (COLLECTION / "plugins" / "module_utils").glob("*.py"):
        if path.name not in NEEDS_ANSIBLE:
            files["wirewatch/%s" % path.name] = path.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return b"#!/usr/bin/env python3\n" + packed.getvalue()


def _version() -> str:
    """That of the collection: an installed one has it in MANIFEST.json, a checkout in galaxy.yml."""
    manifest = COLLECTION / "MANIFEST.json"
    if manifest.exists():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    found = re.search(r"^version: *(\S+)", (COLLECTION / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else "unknown"


if __name__ == "__main__":
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "wirewatch.pyz")
    output.write_bytes(build())
    output.chmod(0o755)

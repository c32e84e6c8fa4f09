# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the recordings anew, in a quarter of an hour: as root, with the tests' own environment and ``nft`` of nftables.

::

    cd tests && PYTHONDONTWRITEBYTECODE=1 "$(../scripts/setup test)/bin/python" -m recordings
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

FOLDER = Path(__file__).parent / "liveness"


def main() -> None:
    importlib.import_module("conftest")  # which makes the collection importable
    from lab import Network
    from recordings.scenarios import record

    with Network(backend="userspace") as network:
        for recording in record(network):
            text = json.dumps(recording) + "\n"
            (FOLDER / f"{recording['scenario']}.json").write_text(text, encoding="utf-8")
            print(recording["scenario"], flush=True)


if __name__ == "__main__":
    main()

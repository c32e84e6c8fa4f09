# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet costs: ``python -m bench.fleet`` with the options of ``--help``, run by scripts/bench fleet."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from collection import CHECKOUT, make_importable

PARTS = ("hosts", "quiet", "partitions", "rulebook", "outages")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench fleet", description="Measures publishers at the scale of a fleet."
    )
    parser.add_argument("--smoke", action="store_true", help="a minute of it, to see that it works; writes no page")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; again for each. Writes no page")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "docs" / "scaling.md", help="the page to write")
    parser.add_argument(
        "--keep",
        type=Path,
        help="a folder for what is measured: parts that an earlier run has left there are taken from it",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wirewatch-bench-") as name:
        folder = Path(name)
        import_folder = make_importable(folder / "import")
        sys.path.append(str(import_folder))
        from importlib import import_module

        from bench import machine
        from bench.results import Log

        from . import report
        from .processes import Place

        place, rows = Place(folder, import_folder), []
        kept = options.keep or folder / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        for part in options.only or PARTS:
            if not (kept / part).exists():
                import_module(f"bench.fleet.{part}").measure(Log(folder / f"{part}.rows"), place, options.smoke)
                shutil.move(folder / f"{part}.rows", kept / part)
            rows += Log(kept / part).rows()
        page = report.page(rows, machine.description(native=True))
        print(page)
        if not options.smoke and not options.only:
            options.output.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

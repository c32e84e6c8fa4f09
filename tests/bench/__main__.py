# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All measurements: ``python -m bench`` with the options of ``--help``, run by scripts/bench, which does the set-up."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from collection import CHECKOUT, install, make_importable

PROGRAMS = "programs"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measures the collection against what else there is."
    )
    parser.add_argument("--smoke", action="store_true", help="a minute of it, to see that it works; writes no page")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "docs" / "performance.md", help="the page to write")
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
        from . import host, machine, report, yardsticks
        from .results import Log

        programs, missing = {}, {}
        for yardstick, build in yardsticks.YARDSTICKS.items() if not options.smoke else ():
            print(f"building {yardstick}", flush=True)
            try:
                programs[yardstick] = build(machine.CACHE / PROGRAMS)
            except yardsticks.NotBuilt as error:
                missing[yardstick] = str(error)
        native = machine.has_wireguard()
        size = "smoke" if options.smoke else "whole"
        environment = {
            "PYTHONPATH": os.pathsep.join([str(import_folder), str(CHECKOUT / "tests")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.environ["PATH"],
        }

        def measure_kernel(rows: Path) -> None:
            command = [sys.executable, "-m", "bench.kernel", str(rows), size]
            command += [f"{yardstick}={program}" for yardstick, program in programs.items()]
            if native:
                machine.run_natively(command, environment)
            else:
                print("measuring in a user-mode kernel", flush=True)
                machine.run_in_user_mode(command, environment, folder)

        def measure_host(rows: Path) -> None:
            host.main(Log(rows), install(folder / "collections"), import_folder, options.smoke)

        rows = []
        kept = options.keep or folder / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        for part, measure in {"kernel": measure_kernel, "host": measure_host}.items():
            if not (kept / part).exists():
                try:
                    measure(folder / part)
                except machine.NoResult as error:
                    print(f"scripts/bench: {error}", file=sys.stderr)
                    return 1
                shutil.move(folder / part, kept / part)
            rows += Log(kept / part).rows()
        page = report.page(rows, machine.description(native), missing)
        print(page)
        if not options.smoke:
            options.output.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

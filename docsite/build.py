# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the site: the repository's pages and, by antsibull-docs, one for each plugin and role. Fetches nothing.

Exit status: that of the step that failed. A warning is a failure.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from collection import CHECKOUT
from static.sanity import copy_tracked_files

HERE = Path(__file__).resolve().parent


def document_plugins(place: Path, collections: Path) -> None:
    """A page for each module, filter, lookup and role, and their index."""
    place.mkdir()
    command = ["collection", "--use-current", "--squash-hierarchy", "--dest-dir", str(place), "wirewatch.wireguard"]
    run("antsibull-docs", *command, ANSIBLE_COLLECTIONS_PATH=str(collections))
    # It says that no plugin reads a variable of the environment.
    (place / "environment_variables.rst").unlink()


def run(tool: str, *arguments: str, **environment: str) -> None:
    """A tool of the same environment as this Python. antsibull-docs looks for ansible-doc on the path."""
    folder = Path(sys.executable).parent
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([folder / tool, *arguments], check=True, env={**os.environ, "PATH": path, **environment})


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/docs", description="Builds the site of wirewatch.wireguard.")
    parser.add_argument("output", nargs="?", type=Path, default=HERE / "built", help="where to, else docsite/built")
    output = parser.parse_args().output.resolve()
    with tempfile.TemporaryDirectory(prefix="ww-docs-") as name:
        folder = Path(name)
        # Pages are read where they lie in the repository, so that links between them, and to other files, hold.
        source = copy_tracked_files(CHECKOUT, folder)
        settings = ["-q", "-W", "--keep-going", "-j", "auto", "-c", str(HERE), "-d", str(folder / "doctrees")]
        shutil.rmtree(output, ignore_errors=True)
        try:
            document_plugins(source / "plugins-and-roles", folder)
            run("sphinx-build", "-b", "html", *settings, str(source), str(output))
        except subprocess.CalledProcessError as error:
            print(f"The site could not be built: {Path(error.cmd[0]).name} failed, see above.", file=sys.stderr)
            return error.returncode
    print(f"The site is in {output}: begin with index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())

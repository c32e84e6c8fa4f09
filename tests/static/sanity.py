# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of ansible-test's sanity tests, on a copy of the checkout at the path that ansible-test insists on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# ansible-test fetches get-pip.py from a site of its own, which many networks close off. This stand-in does the same with
# pip's own wheel, which comes from the package index like everything else.
GET_PIP = """\
import runpy
import sys

sys.path.insert(0, {wheel!r})
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.argv = ["pip", "install", *wanted]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
PIP_VERSION = "24.2"  # what ansible-test of ansible-core 2.17 and later asks for


def home() -> Path:
    """Where ansible-test keeps its virtual environments from one run to the next; a home of its own."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "wirewatch", "ansible-test")
    scripts = cache / ".ansible" / "test" / "cache"
    script = scripts / f"get_pip_{PIP_VERSION.replace('.', '_')}.py"
    if not script.exists():
        scripts.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"pip=={PIP_VERSION}", "-d", str(cache)],
            check=True,
            capture_output=True,
        )
        (wheel,) = cache.glob(f"pip-{PIP_VERSION}-*.whl")
        script.write_text(GET_PIP.format(wheel=str(wheel)), encoding="utf-8")
    return cache


def copy_tracked_files(checkout: Path, folder: Path) -> Path:
    """The files that git knows, those added since and not ignored included, in a repository of their own."""
    place = folder / "ansible_collections" / "wirewatch" / "wireguard"
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={checkout}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=checkout,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (checkout / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(checkout / name, place / name)
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=place, check=True, capture_output=True)
    return place

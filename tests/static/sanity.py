# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of ansible-test's sanity tests, on a copy of the checkout at the path that ansible-test insists on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

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


class Core(NamedTuple):
    """An ansible-core in a virtual environment of its own, made by scripts/setup for each series that a Python here can run."""

    series: str
    programs: Path

    def home(self) -> Path:
        """Where ansible-test keeps its virtual environments from one run to the next; a home of its own."""
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "wirewatch", "ansible-test")
        scripts = cache / ".ansible" / "test" / "cache"
        (source,) = self.programs.parent.glob(
            "lib/python3*/site-packages/ansible_test/_internal/python_requirements.py"
        )
        for wanted in re.findall(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8")):
            script = scripts / f"get_pip_{wanted.replace('.', '_')}.py"
            if not script.exists():
                scripts.mkdir(parents=True, exist_ok=True)
                download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"pip=={wanted}"]
                subprocess.run([*download, "-d", str(cache)], check=True, capture_output=True)
                (wheel,) = cache.glob(f"pip-{wanted}-*.whl")
                script.write_text(GET_PIP.format(wheel=str(wheel)), encoding="utf-8")
        return cache


def cores() -> list[Core]:
    """From the oldest to the newest, this environment's own among them."""
    own = ".".join(version("ansible-core").split(".")[:2])
    others = {path.parent.name: path.parent / "bin" for path in Path(sys.prefix).glob("cores/*/complete")}
    programs = {**others, own: Path(sys.executable).parent}
    return [Core(series, programs[series]) for series in sorted(programs, key=lambda series: int(series.split(".")[1]))]


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

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The molecule scenarios, run by the real molecule as a developer runs them: one network for all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from collection import CHECKOUT
from static.sanity import copy_tracked_files

SCENARIOS = sorted(path.parent.name for path in (CHECKOUT / "extensions/molecule").glob("*/molecule.yml"))


class Molecule(NamedTuple):
    """molecule in a copy of the checkout at the path that a collection has."""

    checkout: Path
    ephemeral: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Exit status and output, which stays in a file for the search for secrets."""
        log = self.ephemeral.parent / "molecule.log"
        with log.open("wb") as file:
            status = subprocess.run(
                [str(Path(sys.executable).with_name("molecule")), *arguments],
                cwd=self.checkout,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=600,
                check=False,
            ).returncode
        return status, log.read_text(encoding="utf-8", errors="replace")


@pytest.fixture(scope="module")
def molecule(secrets_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Molecule]:
    folder = tmp_path_factory.mktemp("molecule")
    checkout = copy_tracked_files(CHECKOUT, folder)
    ephemeral = folder / "ephemeral"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "PY_COLORS": "0",
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "MOLECULE_EPHEMERAL_DIRECTORY": str(ephemeral),
        "WW_SECRETS_FILE": str(secrets_file),
    }
    yield Molecule(checkout, ephemeral, environment)
    # However it ended: what keeps the network is told to take it down.
    keeper = [sys.executable, str(checkout / "extensions/molecule/network.py"), "down", str(ephemeral / "network")]
    subprocess.run(keeper, check=True)


def test_every_module_and_role_has_a_scenario() -> None:
    modules = {path.stem for path in (CHECKOUT / "plugins/modules").glob("*.py")}
    roles = {path.name for path in (CHECKOUT / "roles").iterdir() if path.is_dir()}
    assert {"wg_device_info", "mesh_check"} <= modules | roles
    assert (modules | roles) - set(SCENARIOS) == set()
    # One that checks nothing would pass.
    assert [name for name in SCENARIOS if name != "default" and not has(name, "converge.yml", "verify.yml")] == []


def has(scenario: str, *files: str) -> bool:
    return all((CHECKOUT / "extensions/molecule" / scenario / name).is_file() for name in files)


def test_every_scenario_passes(molecule: Molecule) -> None:
    status, output = molecule("test", "--all", "--destroy", "always")
    assert status == 0, output[-20000:]
    for scenario in SCENARIOS:
        last = "destroy" if scenario == "default" else "verify"
        assert f"[{scenario} > {last}] Executed: Successful" in output, output[-20000:]
    assert not (molecule.ephemeral / "network").exists(), "the network was not taken down"

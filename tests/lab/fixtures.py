# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pytest fixtures of the lab; the core of the lab does not know pytest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .commands import run
from .network import Network
from .player import Player
from .processes import Ansible


@pytest.fixture
def network() -> Iterator[Network]:
    """An empty network on wireguard-go, for one test."""
    with Network(backend="userspace") as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def secrets_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the lab lists every private and preshared key that it makes: the whole run's list, else one of our own."""
    given = os.environ.get("WW_SECRETS_FILE")
    path = Path(given) if given else tmp_path_factory.mktemp("secrets") / "secrets"
    os.environ["WW_SECRETS_FILE"] = str(path)
    yield path
    if not given:
        del os.environ["WW_SECRETS_FILE"]
        path.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def ansible(collections_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    """The real commands, with the collection as a user installs it."""
    return Ansible(collections_path, tmp_path_factory.mktemp("ansible"))


@pytest.fixture(scope="session")
def zipapp(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The publisher as hosts get it."""
    path = tmp_path_factory.mktemp("zipapp") / "wirewatch.pyz"
    run([str(checkout / "scripts/zipapp"), str(path)])
    return path


@pytest.fixture
def play(ansible: Ansible, secrets_file: Path) -> Player:
    """Plays short playbooks with the real ansible-playbook."""
    return Player(ansible, secrets_file)

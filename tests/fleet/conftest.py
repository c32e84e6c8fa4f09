# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of a fleet share: the zipapp, and a broker."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.kafka import Broker


@pytest.fixture(scope="session")
def zipapp(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zipapp") / "wirewatch.pyz"
    subprocess.run([str(checkout / "scripts" / "zipapp"), str(path)], check=True, capture_output=True)
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", settings={"num.partitions": 3}) as made:
        yield made

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of a fleet share: a broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.kafka import Broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", settings={"num.partitions": 3}) as made:
        yield made

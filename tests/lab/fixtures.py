# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pytest fixtures of the lab; the core of the lab does not know pytest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .network import Network


@pytest.fixture
def network() -> Iterator[Network]:
    """An empty network on wireguard-go, for one test."""
    with Network(backend="userspace") as made:
        yield made

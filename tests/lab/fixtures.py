# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pytest fixtures of the lab; the core of the lab does not know pytest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .network import Network
from .star import Star, star


@pytest.fixture
def network() -> Iterator[Network]:
    """An empty network on wireguard-go, for one test."""
    with Network(backend="userspace") as made:
        yield made


@pytest.fixture(scope="module")
def shared_star() -> Iterator[Star]:
    """A hub and two spokes on wireguard-go that have shaken hands; for tests of one module that change nothing."""
    with Network(backend="userspace") as made:
        built = star(made, keepalive=25)
        built.shake_hands()
        yield built

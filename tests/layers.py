# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of tests: their order, and those that run beside the others."""

from __future__ import annotations

# From what fails fastest to what takes longest; the search for secrets looks at what all the others left.
LAYERS = (
    "static",
    "unit",
    "model",
    "docs",
    "integration",
    "pythons",
    "molecule",
    "browser",
    "eda",
    "fleet",
    "kernel",
    "test_secrets.py",
)

# What mostly waits: for engines and timers, for brokers, for a machine with one processor.
BESIDE = ("eda", "fleet", "kernel")


def layer_of(nodeid: str) -> str:
    """The folder below tests, or the file there."""
    parts = nodeid.split("::")[0].split("/")
    return parts[1] if len(parts) > 1 else parts[0]

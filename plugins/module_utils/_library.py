# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to get a Python library that is not there: what helps depends on which Python looks for it."""

from __future__ import annotations

import os
import sys

SYSTEM_PYTHON = "/usr/bin/python3"  # the distribution's, for which its packages are


def how_to_get(library: str, package: str, executable: str = sys.executable) -> str:
    """The end of a sentence. A distribution's package is found by the distribution's own Python, and by no virtual environment."""
    if os.path.dirname(executable) == os.path.dirname(SYSTEM_PYTHON):
        return "install the package %s" % package
    return "run %s -m pip install %s, or use %s with the package %s" % (
        executable or "python3",
        library,
        SYSTEM_PYTHON,
        package,
    )

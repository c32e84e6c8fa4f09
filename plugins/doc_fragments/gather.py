# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that take one look."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  interfaces:
    description:
      - Names of interfaces, or globs such as V(wg*). Left out, it is all WireGuard interfaces of the namespace.
      - A name that does not exist is an error; a glob that finds nothing is not. M(wirewatch.wireguard.wg_device_info) warns where
        nothing is found at all.
      - An empty list is an error.
    type: list
    elements: str
"""

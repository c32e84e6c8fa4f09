# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of a test network as Ansible sees them: local connections whose modules run inside a namespace."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .commands import tool
from .network import Host, Network


def write_interpreter(host: Host, python: str = sys.executable) -> Path:
    """Write a script that Ansible can use as `ansible_python_interpreter`: Python, in the host's namespace."""
    path = host.network.folder / f"python-{host.name}"
    path.write_text(f'#!/bin/sh\nexec {tool("ip")} netns exec {host.namespace} {python} "$@"\n', encoding="utf-8")
    path.chmod(0o700)
    return path


def write_inventory(
    network: Network, python: str = sys.executable, groups: Mapping[str, Sequence[str]] | None = None
) -> Path:
    """Write an inventory of all hosts of the network and return its path. It holds no secret.

    Each host has `ansible_connection: local`, its interpreter, `netns`, `underlay_address`, and of its first WireGuard
    interface `wg_interface`, `wg_backend`, `wg_public_key`, `wg_address`. `groups` maps group names to host names.
    """
    hosts: dict[str, Any] = {}
    for host in network.hosts.values():
        hosts[host.name] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": str(write_interpreter(host, python)),
            "netns": host.namespace,
            **({"underlay_address": host.address} if host.addresses else {}),
            **_interface_variables(host),
        }
    children: dict[str, Any] = {
        name: {"hosts": {member: {} for member in members}} for name, members in (groups or {}).items()
    }
    path = network.folder / "inventory.json"
    path.write_text(json.dumps({"all": {"hosts": hosts, "children": children}}, indent=2), encoding="utf-8")
    return path


def _interface_variables(host: Host) -> dict[str, Any]:
    for interface in host.interfaces.values():
        return {
            "wg_interface": interface.name,
            "wg_backend": interface.backend,
            **({"wg_public_key": interface.public_key} if interface.keys else {}),
            **({"wg_address": interface.tunnel_address} if interface.address else {}),
        }
    return {}

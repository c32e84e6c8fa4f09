# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real WireGuard networks out of network namespaces, for the tests and the demo.

::

    with Network() as network:
        hub = network.host("hub", "192.0.2.1")
        east = network.host("east", "192.0.2.2")
        hub_wg = hub.wireguard("10.9.0.1/24", listen_port=51820)
        east_wg = east.wireguard("10.9.0.2/24")
        connect(east_wg, hub_wg, keepalive=25)
        east.ping("10.9.0.1")

Everything a network made is gone when its block ends: also after an exception, Ctrl-C and SIGTERM.
Only the standard library is used here; the machine must have iproute2, iputils-ping, wireguard-tools and,
where the kernel has no WireGuard, wireguard-go. It needs root.
"""

from __future__ import annotations

from .ansible import write_interpreter, write_inventory
from .commands import LabError, LabTimeout, wait_for
from .keys import KeyPair, generate_keys, generate_preshared_key
from .leftovers import traces
from .network import Host, Network
from .processes import Ansible, CommandFailed, Running, TaskResult
from .signals import Terminated, terminable
from .star import Star, star
from .wireguard import Interface, connect

__all__ = [
    "Ansible",
    "CommandFailed",
    "Host",
    "Interface",
    "KeyPair",
    "LabError",
    "LabTimeout",
    "Network",
    "Running",
    "Star",
    "TaskResult",
    "Terminated",
    "connect",
    "generate_keys",
    "generate_preshared_key",
    "star",
    "terminable",
    "traces",
    "wait_for",
    "write_interpreter",
    "write_inventory",
]

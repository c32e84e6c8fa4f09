#!/usr/bin/python
# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_device_info
short_description: Gather the state of WireGuard devices and their peers
version_added: 0.1.0
description:
  - Returns what WireGuard interfaces report of themselves and their peers. Keys, endpoints, allowed IPs, handshake times,
    counters, and a judgement on whether each peer is connected.
  - Reads the kernel's WireGuard over generic netlink, and userspace implementations (wireguard-go, boringtun) over their
    socket. Neither C(wg) nor any other command is run.
  - Only observes. No interface, namespace or socket is ever created, changed or removed.
  - Private and preshared keys never leave the module. Of a preshared key it is returned whether one is set.
author:
  - wirewatch developers (@wirewatch)
extends_documentation_fragment:
  - wirewatch.wireguard.observe
  - wirewatch.wireguard.gather
attributes:
  check_mode:
    support: full
    description: Nothing is ever changed, so check mode makes no difference.
  diff_mode:
    support: none
    description: Nothing is ever changed, so there is no difference to show.
seealso:
  - module: wirewatch.wireguard.wg_facts
  - module: wirewatch.wireguard.wg_peer_watch
"""

EXAMPLES = r"""
- name: Look at one interface
  wirewatch.wireguard.wg_device_info:
    interfaces: [wg0]
  become: true
  register: wireguard

- name: Name the peers that are not connected
  ansible.builtin.debug:
    msg: "{{ item.name or item.public_key }} is {{ item.state }}"
  loop: "{{ wireguard.devices | map(attribute='peers') | flatten | rejectattr('state', 'equalto', 'up') }}"
  loop_control:
    label: "{{ item.public_key }}"

- name: Look at all interfaces of a network namespace
  wirewatch.wireguard.wg_device_info:
    netns: vpn
  become: true

- name: Look at one peer, under a name people know
  wirewatch.wireguard.wg_device_info:
    interfaces: [wg0]
    peers: ["xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="]
    names:
      xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=: office
  become: true
"""

RETURN = r"""
devices:
  description:
    - The interfaces, in the order of O(interfaces), those found by one glob sorted by name.
    - When reading one of them fails, the devices read before it.
  returned: always
  type: list
  elements: dict
  contains:
    interface:
      description: Name of the interface.
      type: str
      returned: always
      sample: wg0
    ifindex:
      description: Index of the link, V(null) where the link is not visible from the network namespace asked for.
      type: int
      returned: always
      sample: 7
    netns:
      description: Network namespace as given in O(netns), V(null) for the caller's own.
      type: str
      returned: always
    backend:
      description: Where the interface lives, V(kernel) or V(userspace).
      type: str
      returned: always
      sample: kernel
    public_key:
      description: The interface's own public key, V(null) when no private key is set or the daemon does not tell it.
      type: str
      returned: always
      sample: HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=
    listen_port:
      description: UDP port it listens on, V(0) for none.
      type: int
      returned: always
      sample: 51820
    fwmark:
      description: Firewall mark of its packets, V(0) for none.
      type: int
      returned: always
      sample: 0
    up:
      description: Whether the link is administratively up, V(null) where the link is not visible.
      type: bool
      returned: always
    peers:
      description: The peers, sorted by public key; only those of O(peers) where that is given.
      type: list
      elements: dict
      returned: always
      contains:
        public_key:
          description: The peer's public key.
          type: str
          returned: always
          sample: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
        name:
          description: The name that O(names) gives it.
          type: str
          returned: always
        has_preshared_key:
          description: Whether a preshared key is set.
          type: bool
          returned: always
        endpoint:
          description: Address and port that packets are sent to, V(null) for none.
          type: str
          returned: always
          sample: "[2001:db8::7]:51820"
        endpoint_host:
          description: The address alone, a link-local one with its scope.
          type: str
          returned: always
          sample: 2001:db8::7
        endpoint_port:
          description: The port alone.
          type: int
          returned: always
          sample: 51820
        allowed_ips:
          description: Allowed IPs, IPv4 before IPv6, sorted by address.
          type: list
          elements: str
          returned: always
          sample: ["10.0.0.2/32", "2001:db8:1::/64"]
        persistent_keepalive:
          description: Interval in seconds, V(0) for off.
          type: int
          returned: always
          sample: 25
        last_handshake:
          description: Time of the last handshake (ISO 8601, UTC), V(null) for never.
          type: str
          returned: always
          sample: "2026-11-23T12:00:00.123456Z"
        last_handshake_epoch:
          description: The same in seconds since the epoch.
          type: float
          returned: always
          sample: 1795435200.123456
        last_handshake_age:
          description: Seconds since then by the host's clock, V(null) for never.
          type: float
          returned: always
          sample: 12.3
        rx_bytes:
          description: Bytes received from the peer.
          type: int
          returned: always
          sample: 92
        tx_bytes:
          description: Bytes sent to the peer.
          type: int
          returned: always
          sample: 148
        state:
          description:
            - Liveness as far as one look tells. V(never), V(up), V(down), V(idle) or V(inactive).
            - V(down) is only said where a keepalive is known, the peer's own or O(expected_keepalive).
          type: str
          returned: always
          sample: up
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _arguments
from ansible_collections.wirewatch.wireguard.plugins.module_utils._discovery import nothing_found
from ansible_collections.wirewatch.wireguard.plugins.module_utils._gather import gather


def look(params: Dict[str, Any]) -> Dict[str, Any]:
    options = _arguments.gather_options(params)
    devices = gather(options)
    return {"devices": devices, "warnings": [] if devices else [nothing_found([options.netns], options.patterns)]}


def main() -> None:
    module = AnsibleModule(argument_spec=_arguments.GATHER, supports_check_mode=True)
    _arguments.run(module, look)


if __name__ == "__main__":
    main()

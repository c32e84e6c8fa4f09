#!/usr/bin/python
# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_facts
short_description: Gather the state of WireGuard devices as facts
version_added: 0.1.0
description:
  - Returns what M(wirewatch.wireguard.wg_device_info) returns, as the fact C(ansible_facts.wireguard).
  - Can be one of the modules that C(gather_facts) runs, through C(ansible_facts_modules).
  - Only observes, and never returns a private or preshared key.
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
  - module: wirewatch.wireguard.wg_device_info
"""

EXAMPLES = r"""
- name: Gather WireGuard facts by a task
  wirewatch.wireguard.wg_facts:
  become: true

- name: Show the handshake ages
  ansible.builtin.debug:
    msg: "{{ ansible_facts.wireguard.devices | map(attribute='peers') | flatten | map(attribute='last_handshake_age') }}"

- name: Gather them with all other facts
  ansible.builtin.gather_facts:
  become: true
  vars:
    ansible_facts_modules:
      - ansible.builtin.setup
      - wirewatch.wireguard.wg_facts
"""

RETURN = r"""
ansible_facts:
  description: Facts to add to those of the host.
  returned: always
  type: dict
  contains:
    wireguard:
      description: All that is known of WireGuard on the host.
      returned: always
      type: dict
      contains:
        devices:
          description: The interfaces, each with its peers, with the keys that M(wirewatch.wireguard.wg_device_info) documents.
          returned: always
          type: list
          elements: dict
          sample:
            - interface: wg0
              ifindex: 7
              netns:
              backend: kernel
              public_key: HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=
              listen_port: 51820
              fwmark: 0
              up: true
              peers:
                - public_key: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
                  name:
                  has_preshared_key: false
                  endpoint: "192.0.2.7:51820"
                  endpoint_host: 192.0.2.7
                  endpoint_port: 51820
                  allowed_ips: ["10.0.0.2/32"]
                  persistent_keepalive: 25
                  last_handshake: "2026-11-23T12:00:00.123456Z"
                  last_handshake_epoch: 1795435200.123456
                  last_handshake_age: 12.3
                  rx_bytes: 92
                  tx_bytes: 148
                  state: up
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _arguments
from ansible_collections.wirewatch.wireguard.plugins.module_utils._gather import gather


def main() -> None:
    module = AnsibleModule(argument_spec=_arguments.GATHER, supports_check_mode=True)
    _arguments.run(
        module,
        lambda params: {"ansible_facts": {"wireguard": {"devices": gather(_arguments.gather_options(params))}}},
    )


if __name__ == "__main__":
    main()

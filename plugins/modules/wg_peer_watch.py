#!/usr/bin/python
# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_peer_watch
short_description: Wait until WireGuard peers reach a condition
version_added: 0.1.0
description:
  - Waits until peers of an interface have shaken hands, changed their endpoint, appeared, gone silent and so on, or until a
    time-out.
  - WireGuard notifies nobody, so the interface is read every O(sleep) seconds and compared.
  - Success and time-out return the same structure. A time-out says why, as far as it can be seen from this side.
  - Only observes. It sends no packet, so something else must give WireGuard a reason to shake hands.
author:
  - wirewatch developers (@wirewatch)
extends_documentation_fragment:
  - wirewatch.wireguard.observe
options:
  interface:
    description: Name of the interface.
    type: str
    required: true
  condition:
    description:
      - V(first_handshake), a handshake has completed since the peer was configured.
      - V(handshake), a handshake other than the one of the baseline.
      - V(endpoint_changed), another endpoint than at the baseline. With O(endpoint), the peer has come to that endpoint, be
        it before the first look or after.
      - V(allowed_ips_changed), another set of allowed IPs than at the baseline. With O(allowed_ips), the peer has come to
        that set.
      - V(present) and V(absent), the peer is configured, or is not.
      - V(recreated), the peer was removed and put back since the baseline, or the interface was.
      - V(up) and V(down), the liveness state.
      - V(traffic), more was received than at the baseline.
    type: str
    required: true
    choices:
      - first_handshake
      - handshake
      - endpoint_changed
      - allowed_ips_changed
      - present
      - absent
      - recreated
      - up
      - down
      - traffic
  match:
    description:
      - Whether the condition must hold for all the peers at one moment, or for any.
      - The peers are those of O(peers), else every peer that the interface has or had at the baseline. Without any peer only
        V(absent) holds.
    type: str
    choices: [all, any]
    default: all
  baseline:
    description:
      - RV(wirewatch.wireguard.wg_device_info#module:devices) of an earlier task. What changed since then counts, so that
        nothing is missed between the two tasks.
      - Left out, the first look of this task is the baseline.
    type: list
    elements: dict
  endpoint:
    description:
      - Expected endpoint, an IP address, or an address and a port. Narrows every condition but V(absent).
    type: str
  allowed_ips:
    description:
      - Expected set of allowed IPs, in any order. Narrows every condition but V(absent).
    type: list
    elements: str
  timeout:
    description:
      - Seconds to wait at the most, O(delay) included; fractions are fine. V(0) looks once.
      - There is always a look at the very end. A daemon that does not answer may delay it by 5 seconds.
    type: float
    default: 300
  delay:
    description: Seconds to wait before the first look.
    type: float
    default: 0
  sleep:
    description: Seconds between two looks.
    type: float
    default: 1
  msg:
    description: Text to fail with in place of the module's own, which is then found in RV(reason).
    type: str
attributes:
  action:
    description: Has an action plugin of the same name on the controller.
    support: full
    details: It says what is seen while the wait lasts, and outlives a connection that is lost meanwhile. See docs/wait.md.
  async:
    description: Can run with C(async).
    support: full
    details: The wait then runs whole on the host, without a word and without a connection.
  platform:
    description: Target systems that it runs on.
    support: full
    platforms: linux
  check_mode:
    support: full
    description: Looks once and does not wait; an unsatisfied condition is reported and is no failure.
  diff_mode:
    support: none
    description: Nothing is ever changed, so there is no difference to show.
notes:
  - A host that is not reached is tried again until the time-out, since the tunnel that is watched may be the way to it.
  - A condition that can no longer come true, since the peer was removed while waiting for its handshake, fails at once.
seealso:
  - module: wirewatch.wireguard.wg_device_info
  - module: ansible.builtin.wait_for
"""

EXAMPLES = r"""
- name: Wait until the tunnel to the office works
  wirewatch.wireguard.wg_peer_watch:
    interface: wg0
    peers: ["xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="]
    condition: first_handshake
    timeout: 60
  become: true

- name: Remember how things are before something is changed
  wirewatch.wireguard.wg_device_info:
    interfaces: [wg0]
  become: true
  register: before

- name: Move the peer to another address
  ansible.builtin.command: /usr/local/bin/move-office
  changed_when: true

- name: Wait until it is seen at another endpoint
  wirewatch.wireguard.wg_peer_watch:
    interface: wg0
    peers: ["xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="]
    condition: endpoint_changed
    baseline: "{{ before.devices }}"
    timeout: 120
    sleep: 0.5
  become: true

- name: Be sure that nobody of these is configured
  wirewatch.wireguard.wg_peer_watch:
    interface: wg0
    peers: "{{ revoked_keys }}"
    condition: absent
    timeout: 0
    msg: A revoked key is still configured
  become: true
"""

RETURN = r"""
interface:
  description: Name of the interface.
  returned: always
  type: str
  sample: wg0
netns:
  description: Network namespace as given in O(netns).
  returned: always
  type: str
condition:
  description: What was waited for.
  returned: always
  type: str
  sample: first_handshake
satisfied:
  description: Whether the condition came true.
  returned: when the interface could be read
  type: bool
peers:
  description: The peers it was about, in the order of O(peers), else sorted by public key.
  returned: when the interface could be read
  type: list
  elements: dict
  contains:
    public_key:
      description: The peer's public key.
      type: str
      returned: always
    name:
      description: The name that O(names) gives it.
      type: str
      returned: always
    satisfied:
      description: Whether the condition held for this peer at the last look.
      type: bool
      returned: always
    before:
      description:
        - The peer at the baseline, or when it was first seen after it; V(null) where it never was there.
        - Keys as those of a peer in RV(wirewatch.wireguard.wg_device_info#module:devices), with C(state) V(null).
      type: dict
      returned: always
    after:
      description: The peer at the last look, with the same keys; V(null) where it was not there.
      type: dict
      returned: always
events:
  description:
    - What changed since the baseline, of the peers asked for and the interface, the latest 1000 changes.
    - Each has the keys that the event source puts under C(wireguard).
  returned: when the interface could be read
  type: list
  elements: dict
elapsed:
  description: Seconds waited.
  returned: when the interface could be read
  type: float
  sample: 3.021
polls:
  description: How often the interface was looked at.
  returned: when the interface could be read
  type: int
  sample: 4
reason:
  description: Why it failed, in a sentence, whatever O(msg) says.
  returned: on failure of the condition
  type: str
  sample: >-
    Timed out after 60.0 s waiting for first_handshake on wg0 (0 of 1 peers satisfied).
    peer xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=: no endpoint and nothing received: the other side must start
msg:
  description: The same as RV(reason), or O(msg); in check mode a sentence that nothing was waited for.
  returned: on failure and in check mode
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _arguments
from ansible_collections.wirewatch.wireguard.plugins.module_utils._condition import CONDITIONS
from ansible_collections.wirewatch.wireguard.plugins.module_utils._peer_watch import watch_peers


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            _arguments.COMMON,
            interface={"type": "str", "required": True},
            condition={"type": "str", "required": True, "choices": list(CONDITIONS)},
            match={"type": "str", "choices": ["all", "any"], "default": "all"},
            baseline={"type": "list", "elements": "dict"},
            endpoint={"type": "str"},
            allowed_ips={"type": "list", "elements": "str"},
            timeout={"type": "float", "default": 300},
            delay={"type": "float", "default": 0},
            sleep={"type": "float", "default": 1},
            msg={"type": "str"},
        ),
        supports_check_mode=True,
    )
    _arguments.run(module, lambda params: watch_peers(params, module.check_mode))


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that all modules share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  netns:
    description:
      - Network namespace to look into, by name (as C(ip netns) lists it) or by path (C(/proc/PID/ns/net)).
      - Left out, it is the namespace that the module runs in.
      - Needs pyroute2 on the host. A namespace that does not exist is an error; none is ever created.
    type: str
  backend:
    description:
      - Which WireGuard to read. V(kernel) is the kernel's own, V(userspace) a daemon's socket in C(/var/run/wireguard).
      - V(auto) takes the kernel's interface of that name where there is one, else the daemon's.
    type: str
    choices: [auto, kernel, userspace]
    default: auto
  peers:
    description:
      - Public keys of the peers to look at, in base64. Left out, it is all of them.
    type: list
    elements: str
  names:
    description:
      - Names for peers by public key, to be found as RV(ignore:name) in results.
    type: dict
  expected_keepalive:
    description:
      - Persistent keepalive in seconds that the B(other) side of the peers uses, where this side has none. With it, silence
        of the other side can be told from idleness.
      - A peer's own interval comes first where it is set.
      - A dictionary gives it for each peer by public key, for those it leaves out it is unknown.
    type: raw
  timers:
    description:
      - Seconds that liveness is judged by, for implementations that do not use WireGuard's own. See docs/liveness.md.
      - V(reject_after) (180) is when a session ends, V(rekey_timeout) (5) when a handshake is repeated, V(renewal) (240) how
        late the other side may renew, V(traffic) (60) how recent traffic is, V(silence) (15) how long an answer may take, and
        V(slack) (0) is added to where a deadline is judged.
    type: dict
requirements:
  - Linux, Python 3.8 or later
  - the capability CAP_NET_ADMIN (usually O(ignore:become=true))
  - pyroute2 0.7.2 or later (on Python 3.8 at most 0.8.1) for O(netns)
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
"""

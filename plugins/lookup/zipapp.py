# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: zipapp
short_description: The publisher of WireGuard events as one file
version_added: 0.2.0
author:
  - wirewatch developers (@wirewatch)
description:
  - Packs the publisher C(wirewatch.pyz) out of this very collection and returns the path of that file, which is there until the
    run of Ansible ends. The role P(wirewatch.wireguard.event_publisher#role) ships it.
  - It runs with C(python3), 3.8 or later, on hosts that know nothing of Ansible.
options: {}
"""

EXAMPLES = r"""
- name: Put the publisher on a host, to be run by hand
  ansible.builtin.copy:
    src: "{{ lookup('wirewatch.wireguard.zipapp') }}"
    dest: /usr/local/bin/wirewatch
    mode: "0755"
"""

RETURN = r"""
_raw:
  description: The path of the file, on the controller.
  type: list
  elements: path
"""

import hashlib
import os
from typing import Any, List, Optional

from ansible import constants
from ansible.plugins.lookup import LookupBase
from ansible_collections.wirewatch.wireguard.plugins.plugin_utils._zipapp import build


class LookupModule(LookupBase):
    def run(self, terms: List[Any], variables: Optional[Any] = None, **kwargs: Any) -> List[str]:
        content = build()
        name = "wirewatch-%s.pyz" % hashlib.sha256(content).hexdigest()[:16]
        path = os.path.join(constants.DEFAULT_LOCAL_TMP, name)
        if not os.path.exists(path):
            part = "%s.%d" % (path, os.getpid())
            with open(part, "wb") as file:
                file.write(content)
            os.replace(part, path)
        return [path]

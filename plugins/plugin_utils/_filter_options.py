# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users may give the filters beside their input, checked: each error says what would be right."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import STATES


def check(name: str, known: Sequence[str], unknown: Mapping[str, Any], allowed_states: Any) -> List[str]:
    """The states. ``unknown`` are options that the filter ``name`` does not have; a text is a list as Ansible's options take it."""
    if unknown:
        raise AnsibleFilterError(
            "%s has no option %s. There are: %s" % (name, ", ".join(sorted(unknown)), ", ".join(known))
        )
    states = allowed_states.split(",") if isinstance(allowed_states, str) else list(allowed_states)
    wrong = [state for state in states if state not in STATES]
    if wrong:
        raise AnsibleFilterError(
            "allowed_states of %s has %r, which is no state of a peer. There are: %s"
            % (name, wrong[0], ", ".join(STATES))
        )
    return states

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users may give the filters beside their input, checked: each error says what would be right."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import STATES


def check(name: str, known: Sequence[str], unknown: Mapping[str, Any], allowed_states: Any) -> None:
    """``unknown`` are options that the filter ``name`` does not have."""
    if unknown:
        raise AnsibleFilterError(
            "%s has no option %s. There are: %s" % (name, ", ".join(sorted(unknown)), ", ".join(known))
        )
    if isinstance(allowed_states, (str, Mapping)) or not all(state in STATES for state in allowed_states):
        raise AnsibleFilterError(
            "allowed_states of %s is %r and must be a list of states. There are: %s"
            % (name, allowed_states if isinstance(allowed_states, str) else list(allowed_states), ", ".join(STATES))
        )

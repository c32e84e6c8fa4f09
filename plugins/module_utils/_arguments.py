# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' common options, and the one place where errors become fail_json. The only file here that knows Ansible."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.module_utils.basic import AnsibleModule

from . import _options
from ._discovery import check_interfaces
from ._errors import WireGuardError
from ._gather import GatherError, GatherOptions
from ._reader import AUTO, BACKENDS

COMMON: Dict[str, Dict[str, Any]] = {
    "netns": {"type": "str"},
    "backend": {"type": "str", "choices": list(BACKENDS), "default": AUTO},
    "peers": {"type": "list", "elements": "str"},
    "names": {"type": "dict"},
    "expected_keepalive": {"type": "raw"},
    "timers": {"type": "dict"},
}

GATHER: Dict[str, Dict[str, Any]] = dict(COMMON, interfaces={"type": "list", "elements": "str"})


def gather_options(params: Dict[str, Any]) -> GatherOptions:
    """The options of wg_device_info and wg_facts. InvalidArgument."""
    return GatherOptions(
        patterns=check_interfaces(params["interfaces"]),
        netns=params["netns"],
        backend=params["backend"],
        peers=_options.public_keys("peers", params["peers"]),
        names=_options.names("names", params["names"]),
        liveness=_options.liveness(params["expected_keepalive"], params["timers"]),
    )


def run(module: AnsibleModule, work: Callable[[Dict[str, Any]], Dict[str, Any]]) -> None:
    """Calls ``work(params)`` and exits with what it returns; an error of ours becomes its sentence.

    A result with a true ``failed`` fails, with all its keys.
    """
    try:
        result = work(module.params)
    except GatherError as error:
        module.fail_json(msg=str(error), devices=error.records)
    except WireGuardError as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        # The text of a foreign exception is left out: nobody vouches for what it quotes.
        module.fail_json(msg="Unexpected %s in wirewatch.wireguard: please report this as a bug" % type(error).__name__)
    else:
        if result.pop("failed", False):
            module.fail_json(**result)
        module.exit_json(**result)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' common options, and the one place where errors become fail_json. The only file here that knows Ansible."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

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

OLDEST = (2, 17)  # of ansible-core, as meta/runtime.yml has it

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

    A result with a true ``failed`` fails, with all its keys. What it has as ``warnings`` is said.
    """
    old = too_old(module.ansible_version)
    if old is not None:
        module.warn(old)
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
        for sentence in result.pop("warnings", ()):
            module.warn(sentence)
        if result.pop("failed", False):
            module.fail_json(**result)
        module.exit_json(**result)


def too_old(version: str) -> Optional[str]:
    """What to tell whose ansible-core is older than the collection is for. Ansible says that it is, and not what to do."""
    try:
        numbers = tuple(int(number) for number in version.split(".")[:2])
    except ValueError:
        return None
    if numbers >= OLDEST or not any(numbers):  # 0.0: nobody told the module
        return None
    return (
        "This is ansible-core %s, and wirewatch.wireguard is tested with %d.%d and later only. A newer one beside it: "
        "python3 -m venv ~/ansible && ~/ansible/bin/pip install ansible-core, and then ~/ansible/bin/ansible"
        % (version, *OLDEST)
    )

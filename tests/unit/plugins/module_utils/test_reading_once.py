# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that looks once ships, parses and compiles nothing of what reads on and on: each task on each host pays for it."""

from __future__ import annotations

import ast
from pathlib import Path

import ansible_collections.wirewatch.wireguard.plugins.module_utils._reader as reader
import pytest

MODULE_UTILS = Path(reader.__file__).parent
MODULES = MODULE_UTILS.parent / "modules"
OF_FOLLOWING = {
    "_following",
    "_listening",
    "_clock",
    "_pages",
    "_page",
    "_page_changes",
    "_layout",
    "_pick",
    "_recvmmsg",
    "_reuse",
    "_aside",
    "_collector",
    "_delta",
    "_diff",
}
OF_COMPARING = {"_restored", "_state", "_mirror", "_tracker"}


def shipped(module: str) -> set[str]:
    """Names of the files of module_utils that Ansible sends with it: all that are imported anywhere in it, and in those."""
    found: set[str] = set()
    left = [MODULES / f"{module}.py"]
    while left:
        tree = ast.parse(left.pop().read_text(encoding="utf-8"))
        for name in _imported(tree) - found:
            found.add(name)
            left.append(MODULE_UTILS / f"{name}.py")
    return found


def _imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            last = (node.module or "").split(".")[-1]
            names |= {last} | {alias.name for alias in node.names}
    return {name for name in names if (MODULE_UTILS / f"{name}.py").exists()}


@pytest.mark.parametrize("module", ["wg_device_info", "wg_facts"])
def test_a_module_that_reads_once_ships_nothing_of_what_reads_on(module: str) -> None:
    assert {"_reader", "_kernel", "_userspace", "_record"} <= shipped(module)
    assert not shipped(module) & (OF_FOLLOWING | OF_COMPARING)


def test_one_that_waits_ships_what_follows_and_does_not_read_aside() -> None:
    assert {"_following", "_pages", "_recvmmsg", "_reuse", "_restored"} <= shipped("wg_peer_watch")
    assert "_aside" not in shipped("wg_peer_watch")

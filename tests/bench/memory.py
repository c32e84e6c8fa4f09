# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a watcher of one kernel interface holds on to: ``python -m bench.memory INTERFACE quiet|churn POLLS`` in a fresh process."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from ansible_collections.wirewatch.wireguard.plugins.module_utils._following import FOLLOWING
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reader import InterfaceReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions

from .rewrite import rewrite

WARM_UP = 1000  # polls until what grows to its size has it; Python keeps 2,000 free tuples of each length, too
CHURN = 0.1  # share of the peers


def resident() -> int:
    """Bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(interface: str, what: str, polls: str) -> None:
    before = resident()
    readers: list[InterfaceReader] = []

    def make_reader(namespace: Namespace, name: str) -> InterfaceReader:
        readers.append(InterfaceReader(namespace, name, ways=FOLLOWING))
        return readers[-1]

    watcher = Watcher(WatchOptions(patterns=[interface], host="here"), make_reader=make_reader)

    def poll() -> None:
        for _event in watcher.poll():
            pass
        watcher.confirm()

    for _number in range(3):
        poll()
    held = resident() - before
    dump = rewrite(readers[0]._last) if what == "churn" else None

    def polled(count: int) -> int:
        for _number in range(count):
            if dump is not None:
                dump.advance(CHURN)
            poll()
        return resident()

    warm = polled(min(WARM_UP, int(polls)))
    print(json.dumps({"resident": held, "growth": polled(int(polls)) - warm}))


if __name__ == "__main__":
    main(*sys.argv[1:])

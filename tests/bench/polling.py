# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our reader as a process of its own, as those of other libraries are: ``python -m bench.polling INTERFACE``.

In the process that changes the peers it would find caches and heap as that has left them, which others do not.
"""

from __future__ import annotations

import json
import sys

from .contenders import Ours


def command(interface: str) -> list[str]:
    return [sys.executable, "-m", __name__, interface]


def main(interface: str) -> None:
    contender = Ours(interface)
    for _line in sys.stdin:
        print(json.dumps(contender.poll()._asdict()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

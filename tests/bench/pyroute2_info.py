# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads one interface for each line on standard input with pyroute2, down to plain values."""

from __future__ import annotations

import json
import sys
import time

from pyroute2 import WireGuard


def plain(value: object) -> object:
    if isinstance(value, dict):
        named = {name: plain(value.get(name)) for name, _value in value.get("attrs", ())}
        return named or {name: plain(one) for name, one in value.items() if name not in ("header", "event")}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


wireguard = WireGuard()
for _line in sys.stdin:
    begun = time.perf_counter_ns()
    found = sum(len(message.get("WGDEVICE_A_PEERS") or ()) for message in map(plain, wireguard.info(sys.argv[1])))
    print(json.dumps({"ns": time.perf_counter_ns() - begun, "found": found}), flush=True)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes an event told over a network one and the same: ``meta.uuid``."""

from __future__ import annotations

import uuid
from typing import Any, Dict, Optional

BOOT_ID = "/proc/sys/kernel/random/boot_id"  # random(4): another one after each start of the kernel
NAMESPACE = uuid.UUID("5f0b3c1e-7d0a-5b36-9f52-0a6f2f8f4c57")  # made up once; so that no other program makes the same


class Identity:
    """Of one run of a publisher on one host.

    The uuid is that of RFC 4122 section 4.3 (version 5) over host, boot id, run and sequence, so it can be made again by
    who knows them, and no two events of any hosts and runs share one.
    """

    def __init__(self, host: str, run: Optional[str] = None, boot: Optional[str] = None) -> None:
        self._host = host
        self._run = run or uuid.uuid4().hex
        self._boot = boot if boot is not None else _boot_id()

    def meta(self, event: Dict[str, Any]) -> Dict[str, Any]:
        """What an envelope has as ``meta``; a fresh dict each time."""
        name = "\n".join((self._host, self._boot, self._run, str(event["sequence"])))
        return {"uuid": str(uuid.uuid5(NAMESPACE, name))}


def _boot_id() -> str:
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""  # the run is random too

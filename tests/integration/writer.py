# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who changes a real interface all the time, while somebody watches it."""

from __future__ import annotations

import base64
import random
import threading
from types import TracebackType

from lab import Interface

SEED = 20261124
PEERS = 40


class Writer:
    """Changes an interface in a thread of its own until its block ends: peers come, move, are allowed else, and go.

    No value ever comes twice, and no peer comes back: so of every event it can be told what it must have followed.
    """

    def __init__(self, interface: Interface) -> None:
        self.changes = 0
        self._interface = interface
        self._chance = random.Random(SEED)
        self._keys: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def __enter__(self) -> Writer:
        self._interface.set(*[word for _number in range(PEERS) for word in self._new()])
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stopping.wait(0.005):
            words = []
            if self._chance.random() < 0.2:
                gone = self._keys.pop(self._chance.randrange(len(self._keys)))
                words = ["peer", gone, "remove", *self._new()]
            for key in self._chance.sample(self._keys[: PEERS - 1], 5):
                self.changes += 1
                moved, allowed = ("endpoint", self._endpoint()), ("allowed-ips", self._address())
                words += ["peer", key, *self._chance.choice([moved, allowed])]
            self._interface.set(*words)

    def _new(self) -> list[str]:
        key = base64.b64encode(self._chance.randbytes(32)).decode()
        self._keys.append(key)
        self.changes += 1
        return ["peer", key, "endpoint", self._endpoint(), "allowed-ips", self._address()]

    def _endpoint(self) -> str:
        return f"192.0.2.{self.changes // 60_000 + 1}:{self.changes % 60_000 + 1}"

    def _address(self) -> str:
        return f"10.{self.changes >> 16 & 255}.{self.changes >> 8 & 255}.{self.changes & 255}/32"

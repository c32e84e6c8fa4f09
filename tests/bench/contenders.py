# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is measured: each polls one interface once when asked to, and says how long that took.

What runs as a process of its own takes a line for each poll on its input and answers with a line of JSON: the nanoseconds by its
own clock, and how many changes or peers it found.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ansible_collections.wirewatch.wireguard.plugins.module_utils._diff import changes
from ansible_collections.wirewatch.wireguard.plugins.module_utils._kernel import KernelReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._listening import ListeningNamespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import GenericNetlink, attribute
from ansible_collections.wirewatch.wireguard.plugins.module_utils._pages import Pages
from ansible_collections.wirewatch.wireguard.plugins.module_utils._trigger import Triggers

from .rewrite import RewrittenDump, rewrite

NLMSG_DONE = 3
DONE_BYTES = 20
WARM_UP = 30  # polls until messages and memories have grown to their sizes: it is polled for ever


class Poll(NamedTuple):
    """One poll: how long it took, and how many changes (or peers, where it knows no changes) it found."""

    ns: int
    found: int


class Contender(Protocol):
    name: str

    def poll(self) -> Poll:
        """Look once."""

    def close(self) -> None:
        """Free what it holds."""


class Floor:
    """What the kernel's work costs: the dump received and thrown away."""

    name = "floor"

    def __init__(self, interface: str) -> None:
        netlink = GenericNetlink.open()
        family = netlink.family("wireguard")
        netlink.close()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 16)
        self._socket.bind((0, 0))
        self._buffer = bytearray(64 * 1024)
        body = struct.pack("=BBH", 0, 1, 0) + attribute(2, interface.encode() + b"\0")
        self._request = struct.pack("=IHHII", 16 + len(body), family, 0x301, 1, 0) + body
        for _number in range(WARM_UP):
            self.poll()

    def poll(self) -> Poll:
        receive, buffer, done = self._socket.recv_into, self._buffer, struct.Struct("=IH").unpack_from
        number = 0
        begun = time.perf_counter_ns()
        self._socket.send(self._request)
        while True:
            # The end shares a datagram with the last message, or comes alone.
            size = receive(buffer)
            number += 1
            if done(buffer, size - DONE_BYTES) == (DONE_BYTES, NLMSG_DONE):
                return Poll(time.perf_counter_ns() - begun, number)

    def close(self) -> None:
        self._socket.close()


class Ours:
    """KernelReader.read, and each change made, as for a watcher: in the wait before it, it hears whether links changed.

    With ``share``, that share of peers is rewritten between two polls.
    """

    name = "ours"

    def __init__(self, interface: str, share: float = 0.0) -> None:
        namespace = ListeningNamespace(None)
        self._triggers = Triggers([namespace])
        self._reader = KernelReader(namespace, interface, Pages)
        self._share = share
        self._dump: RewrittenDump | None = rewrite(self._reader) if share else None
        self._device = self._reader.read()
        for _number in range(WARM_UP):
            self.poll()

    def poll(self) -> Poll:
        if self._dump is not None:
            self._dump.advance(self._share)
        self._triggers.wait(0)
        begun = time.perf_counter_ns()
        device = self._reader.read()
        found = sum(map(bool, changes(self._device, device)))
        self._device = device
        return Poll(time.perf_counter_ns() - begun, found)

    def close(self) -> None:
        self._reader.close()
        self._triggers.close()


class Spawned:
    """``wg show IF dump``: a process for each poll, whose output nobody reads."""

    name = "wg show dump"

    def __init__(self, interface: str) -> None:
        self._command = ["wg", "show", interface, "dump"]
        self.poll()

    def poll(self) -> Poll:
        begun = time.perf_counter_ns()
        subprocess.run(self._command, stdout=subprocess.DEVNULL, check=True)
        return Poll(time.perf_counter_ns() - begun, 0)

    def close(self) -> None:
        """Nothing runs on."""


class Driven:
    """A process that polls for each line it is sent."""

    def __init__(self, name: str, command: Sequence[str], warm_up: int = WARM_UP) -> None:
        self.name = name
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _number in range(warm_up):
            self.poll()

    def poll(self) -> Poll:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError(f"{self.name} has no pipes")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self._process.wait()}")
        answer = json.loads(line)
        return Poll(answer["ns"], answer["found"])

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured on the host itself, with wireguard-go in network namespaces: its reader, the modules, the event source."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible_collections.wirewatch.wireguard.plugins.module_utils._diff import diff
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reuse import Reuse
from ansible_collections.wirewatch.wireguard.plugins.module_utils._userspace import END, REQUEST, UserspaceReader
from integration.source import SOURCE, Source
from lab import Interface, Network
from lab.commands import tool
from lab.processes import cpu_seconds

from .results import Log

ROUNDS = 9
MORE_ROUNDS = 31  # where a tenth is to be seen and two runs of the same differ by a third
SOURCE_SECONDS = 30  # that the CPU time of the source is counted for
SOURCE_ROUNDS = 5  # of what takes seconds


def daemon_with(network: Network, peers: int) -> Interface:
    """A host of its own with a wireguard-go that has so many peers, two allowed IPs each; its link is down."""
    host = network.host(f"hub{peers}", "192.0.2.1")
    interface = host.wireguard("10.255.0.1/24")
    host.ip("link", "set", interface.name, "down")
    chance = random.Random(peers)
    lines = []
    for number in range(peers):
        v4 = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}/32"
        lines += ["[Peer]", f"PublicKey = {base64.b64encode(chance.randbytes(32)).decode()}"]
        lines += [
            f"AllowedIPs = {v4}, fd00::{number + 1:x}/128",
            f"Endpoint = 198.18.{number >> 8 & 255}.{number & 255}:40000",
        ]
    interface.wg("addconf", interface.name, "/dev/stdin", stdin="\n".join(lines) + "\n")
    return interface


def userspace(log: Log, interfaces: dict[int, Interface], rounds: int = ROUNDS) -> None:
    """Our poll of a daemon against a bare get."""
    for peers, interface in interfaces.items():
        namespace = Namespace(interface.host.namespace)
        reader = UserspaceReader(namespace, interface.name, memory=Reuse)
        device = reader.read()
        bare, ours = [], []
        for _round in range(rounds + 2):
            begun = time.perf_counter_ns()
            _get(str(interface.socket_path))
            bare.append((time.perf_counter_ns() - begun) / 1e6)
            begun = time.perf_counter_ns()
            now = reader.read()
            changes = diff(device, now)
            ours.append((time.perf_counter_ns() - begun) / 1e6)
            assert not changes
            device = now
        namespace.close()
        case = f"{peers:,} peers, quiet"
        log.add("userspace", case, "bare get", bare[2:])
        log.add("userspace", case, "ours", ours[2:])


def _get(path: str) -> int:
    """Asks, and throws the answer away."""
    buffer = bytearray(1 << 18)
    size = 0
    tail = b""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(REQUEST)
        while tail[-2:] != END:
            count = connection.recv_into(buffer)
            size += count
            tail = (tail + bytes(buffer[max(0, count - 2) : count]))[-2:]
    return size


def modules(log: Log, interfaces: dict[int, Interface], collections: Path, rounds: int | None = None) -> None:
    """Ad hoc ansible with a module of ours in turn with ansible.builtin.ping."""
    few, many = interfaces[min(interfaces)], interfaces[max(interfaces)]
    peer = next(iter(few.show("endpoints")))
    watch = f"interface={few.name} peers={peer} condition=present timeout=5"
    cases: list[tuple[str, str, Interface, str, int]] = [
        ("one small named interface", "wg_device_info", few, f"interfaces={few.name}", MORE_ROUNDS),
        ("a condition that is true already", "wg_peer_watch", few, watch, MORE_ROUNDS),
        (f"{max(interfaces):,} peers", "wg_device_info", many, f"interfaces={many.name}", ROUNDS),
    ]
    for case, module, interface, arguments, usual_rounds in cases:
        ping: list[float] = []
        ours: list[float] = []
        for _round in range((rounds or usual_rounds) + 1):
            ping.append(_ansible(interface, collections, "ansible.builtin.ping", ""))
            ours.append(_ansible(interface, collections, f"wirewatch.wireguard.{module}", arguments))
        log.add("modules", f"{module}, {case}", "ping", ping[1:])
        log.add("modules", f"{module}, {case}", "ours", ours[1:])


def _ansible(interface: Interface, collections: Path, module: str, arguments: str) -> float:
    """Milliseconds."""
    command = [tool("ip"), "netns", "exec", interface.host.namespace, str(Path(sys.executable).with_name("ansible"))]
    command += ["localhost", "-i", "localhost,", "-c", "local", "-m", module, "-a", arguments]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    begun = time.perf_counter_ns()
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, check=False
    )
    elapsed = (time.perf_counter_ns() - begun) / 1e6
    if done.returncode:
        raise RuntimeError(f"{module} failed: {done.stdout[:2000]}")
    return elapsed


class _TimedQueue:
    """Takes events at once, as a queue with room does."""

    def __init__(self) -> None:
        self.times: list[int] = []

    async def put(self, _event: dict[str, Any]) -> None:
        self.times.append(time.perf_counter_ns())


def source_rate(log: Log, interface: Interface, peers: int, import_folder: Path, rounds: int = ROUNDS) -> None:
    """Events per second, from the first to the last of an inventory."""
    spec = importlib.util.spec_from_file_location("wg_events", import_folder / SOURCE)
    assert spec is not None and spec.loader is not None
    source = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(source)

    async def inventory(arguments: dict[str, Any]) -> float:
        queue = _TimedQueue()
        task = asyncio.ensure_future(source.main(queue, arguments))
        while len(queue.times) <= peers and not task.done():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        return peers / (queue.times[peers] - queue.times[0]) * 1e9

    arguments = {"interfaces": [interface.name], "netns": [interface.host.namespace], "interval": 60, "host": "here"}
    rates = [asyncio.run(inventory(arguments)) for _round in range(rounds)]
    log.add("source", "events into a queue", "without a state file", rates, "events/s")
    with tempfile.TemporaryDirectory() as folder:
        rates = []
        for number in range(rounds):
            state = {"initial": "resume", "state_file": f"{folder}/{number}"}
            rates.append(asyncio.run(inventory({**arguments, **state})))
    log.add("source", "events into a queue", "with a state file", rates, "events/s")


def source_share(log: Log, interfaces: dict[int, Interface], import_folder: Path, seconds: float) -> None:
    """CPU time of the source at one poll a second, as a share of one core."""
    for peers, interface in interfaces.items():
        with tempfile.TemporaryDirectory() as folder:
            arguments = {"interfaces": [interface.name], "interval": 1}
            with Source(import_folder, arguments, Path(folder), interface.host) as source:
                source.wait_for("peer_added", count=peers)
                time.sleep(3)
                used = cpu_seconds(source)
                time.sleep(seconds)
                share = (cpu_seconds(source) - used) / seconds * 100
        log.add("source", f"{peers:,} quiet peers at one poll a second", "share of a core", [share], "%")


def source_delay(log: Log, network: Network, import_folder: Path, rounds: int = ROUNDS) -> None:
    """From the end of `wg set`, and from the making of a link, to the event on the source's output."""
    host = network.host("delay", "192.0.2.77")
    chance = random.Random(1)
    interface = host.wireguard("10.254.0.1/24")
    peer = base64.b64encode(bytes([8]) * 32).decode()
    interface.set_peer(peer, keepalive=1)
    for interval in (1, 0.1):
        with tempfile.TemporaryDirectory() as folder:
            arguments = {"interfaces": [f"ww{network.run_id}*"], "interval": interval}
            with Source(import_folder, arguments, Path(folder), host) as source:
                source.wait_for("peer_added")

                def delay(act: Callable[[], float], kind: str, count: int, source: Source = source) -> float:
                    """``act`` returns when it happened, in seconds since the epoch."""
                    happened = act()
                    while sum(event["type"] == kind for event in source.events) < count:
                        time.sleep(0.001)
                    return (time.time() - happened) * 1e3

                def change() -> float:
                    interface.set_peer(peer, keepalive=chance.randrange(2, 60000))
                    return time.time()

                delays = []
                for number in range(rounds):
                    time.sleep(chance.random() * interval)
                    delays.append(delay(change, "peer_keepalive_changed", number + 1))
                log.add("source", f"wg set to event, interval {interval} s", "delay", delays)
                if interval == 1:
                    source_link_delay(log, interface, delay)


def source_link_delay(
    log: Log, interface: Interface, delay: Callable[[Callable[[], float], str, int], float], rounds: int = SOURCE_ROUNDS
) -> None:
    delays = []
    for number in range(rounds):

        def make(number: int = number) -> float:
            made = interface.host.wireguard(name=f"link{number}")
            return made.socket_path.stat().st_mtime

        delays.append(delay(make, "interface_added", number + 2))
    log.add("source", "link made to interface_added, interval 1 s", "delay", delays)


def main(log: Log, collections: Path, import_folder: Path, smoke: bool) -> None:
    sizes = [100] if smoke else [1000, 10_000]
    with ExitStack() as stack:
        network = stack.enter_context(Network(backend="userspace"))
        interfaces = {peers: daemon_with(network, peers) for peers in sizes}
        userspace(log, interfaces, 2 if smoke else ROUNDS)
        small = {3: daemon_with(network, 3)}
        modules(log, {**small, **interfaces}, collections, 1 if smoke else None)
        source_rate(log, interfaces[max(sizes)], max(sizes), import_folder, 2 if smoke else ROUNDS)
        quiet = {**({} if smoke else {100: daemon_with(network, 100)}), **interfaces}
        source_share(log, quiet, import_folder, 1 if smoke else SOURCE_SECONDS)
        source_delay(log, network, import_folder, 2 if smoke else ROUNDS)

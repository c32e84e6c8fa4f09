# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated hosts, each with a publisher of its own: ``python -m bench.fleet.simulated ADDRESS TOPIC FOLDER FIRST HOSTS PEERS``.

Only the kernel is simulated: it answers in bytes, and once a second a share of its peers has a new handshake. Reader,
watcher, events, state file, sender and Kafka sink are those that the command runs, with its defaults. Runs until SIGTERM.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
import threading
import time
from typing import Any

from ansible_collections.wirewatch.wireguard.plugins.module_utils import _publish_options
from ansible_collections.wirewatch.wireguard.plugins.module_utils._following import FOLLOWING
from ansible_collections.wirewatch.wireguard.plugins.module_utils._identity import Identity
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import GENL_ID_CTRL
from ansible_collections.wirewatch.wireguard.plugins.module_utils._publisher import Publisher
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reader import InterfaceReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._state import StateFile
from ansible_collections.wirewatch.wireguard.plugins.module_utils._stream import Stream
from ansible_collections.wirewatch.wireguard.plugins.module_utils._trigger import Triggers
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher
from bench.rewrite import RewrittenDump
from model.host import Interface, Namespace, Place
from unit.wire import Frame, device_bytes, dump, family, peer_bytes

INTERFACE = "wg0"
SHARE = 0.01  # of the peers of a host that have a new handshake each second
STARTS = 1.0  # hosts a second and process: all at once, they would have each other time out for minutes
STACK = 256 * 1024  # bytes of a thread's; there are thousands, and none is deep
END = 30.0  # seconds that all publishers of this process have to end


class SimulatedHost:
    """What a namespace of the tests' simulated hosts asks for: one interface, and what its kernel answers to a dump."""

    def __init__(self, number: int, peers: int) -> None:
        self.interfaces = {(None, INTERFACE): Interface(None, INTERFACE, 7, "kernel")}
        self.missing_namespaces: frozenset = frozenset()
        self._seed = number
        self._peers = peers
        self._dump: RewrittenDump | None = None

    def make_reader(self, _namespace: Any, name: str) -> InterfaceReader:
        return InterfaceReader(Namespace(self, (None, name)), name, ways=FOLLOWING)  # type: ignore[arg-type]

    def answer(self, _place: Place, kind: int, frame: Frame) -> list[Any]:
        if kind == GENL_ID_CTRL:
            return list(family()(frame))
        second = int(time.time())
        if self._dump is None:
            self._dump = RewrittenDump(self._made(frame), self._seed, second - 1)
        self._dump.advance_in_turn(SHARE, second)
        return [bytes(datagram) for datagram in self._dump.datagrams]

    def _made(self, frame: Frame) -> list[bytes]:
        chance = random.Random(self._seed)
        peers = [
            peer_bytes(number, f"10.0.{number}.0/24", f"fd00::{number + 1:x}/128", PUBLIC_KEY=chance.randbytes(32))
            for number in range(self._peers)
        ]
        return [bytes(datagram) for datagram in dump(device_bytes(*peers))(frame)]


def publisher(host: SimulatedHost, name: str, address: str, topic: str, folder: str) -> Publisher:
    """As the command makes it, but for the reader: nothing tells of new links, where there are none."""
    checked = _publish_options.check(
        {
            "interfaces": [INTERFACE],
            "host": name,
            "initial": "resume",
            "state_file": f"{folder}/{name}.db",
            "sink": {"type": "kafka", "topic": topic, "settings": {"bootstrap.servers": address}},
        }
    )
    options, state_file, _hosts = checked.watch
    state = StateFile(str(state_file), name)
    watcher = Watcher(options, told=state.state, make_reader=host.make_reader)
    stream = Stream(watcher, Triggers([], directory=folder))

    def say(sentence: str) -> None:
        print(f"{name}: {sentence}", flush=True)

    return Publisher(watcher, stream, _publish_options.make_sink(checked.sink), Identity(name), say, state)


def main(address: str, topic: str, folder: str, first: str, hosts: str, peers: str) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))  # a publisher has some fifteen
    threading.stack_size(STACK)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: ended.set())
    running = []
    for number in range(int(first), int(first) + int(hosts)):
        made = publisher(SimulatedHost(number, int(peers)), f"host{number}", address, topic, folder)
        thread = threading.Thread(target=made.run, name=f"host{number}", daemon=True)
        running.append((made, thread))
        # At random: the looks of a second are spread over it, as those of hosts that started whenever.
        ended.wait(random.uniform(0, 2 / STARTS))
        thread.start()
    ended.wait()
    for made, _thread in running:
        made.stop()
    deadline = time.monotonic() + END
    for _made, thread in running:
        thread.join(max(0.0, deadline - time.monotonic()))


if __name__ == "__main__":
    main(*sys.argv[1:])

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of wireguard-go that live, fall silent or die, and what each side shows of the other meanwhile.

::

    with Network(backend="userspace") as network:
        recordings = record(network, SCENARIOS)

All scenarios run at the same time, in real time: the longest says how long it takes.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Tuple

from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import WireGuardError
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Peer, decode_key
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._userspace import UserspaceReader
from lab import Interface, Network, connect

LOOK = 0.5  # seconds between two looks

Recording = Dict[str, Any]


class Pair:
    """Host a knows where b is and begins; b learns it. Nobody has sent a packet yet."""

    def __init__(self, network: Network, number: int, keepalive_a: int, keepalive_b: int) -> None:
        self.a = self._side(network, f"a{number}", number, 1)
        self.b = self._side(network, f"b{number}", number, 2)
        connect(self.a, self.b, keepalive=keepalive_a)
        if keepalive_b:
            self.b.set_peer(self.a.public_key, keepalive=keepalive_b)
        self._pinging: subprocess.Popen[bytes] | None = None

    @staticmethod
    def _side(network: Network, name: str, number: int, last: int) -> Interface:
        host = network.host(name, f"198.18.{number}.{last}")
        return host.wireguard(f"10.9.{number}.{last}/24", listen_port=51820)

    def ping_once(self) -> None:
        self.a.host.start(["ping", "-n", "-q", "-c", "1", self.b.tunnel_address])

    def ping(self) -> None:
        self._pinging = self.a.host.start(["ping", "-n", "-q", "-i", "1", self.b.tunnel_address])

    def stop_pinging(self) -> None:
        if self._pinging is not None:
            self._pinging.send_signal(signal.SIGINT)

    def answer_no_pings(self) -> None:
        self.b.host.run(["sysctl", "-q", "net.ipv4.icmp_echo_ignore_all=1"])

    def kill_b(self) -> None:
        self.b.kill_daemon()

    def drop_what_a_sends(self) -> None:
        self._drop(self.a)

    def drop_what_b_sends(self) -> None:
        self._drop(self.b)

    def drop_no_more(self) -> None:
        for side in (self.a, self.b):
            side.host.run(["nft", "flush", "ruleset"])

    def move_a(self) -> None:
        old = self.a.host.address
        self.a.host.move_to(old[: old.rindex(".") + 1] + ("77" if old.endswith(".1") else "1"))

    @staticmethod
    def _drop(side: Interface) -> None:
        rules = "table inet lossy { chain out { type filter hook output priority 0; oif eth0 udp dport 51820 drop; }; }"
        side.host.run(["nft", "-f", "-"], stdin=rules)


Step = Tuple[float, Callable[[Pair], None]]


@dataclass(frozen=True)
class Scenario:
    """Times are seconds since the start. ``dead_from``: since when nothing of b reaches a; None for healthy pairs."""

    name: str
    what: str
    seconds: float
    keepalive_a: int = 0
    keepalive_b: int = 0
    steps: Sequence[Step] = ()
    dead_from: float | None = None
    dead_until: float | None = None


SCENARIOS = (
    Scenario("initiator_keepalive", "a has keepalive 25 and began; idle", 900, keepalive_a=25),
    Scenario(
        "responder_keepalive", "b has keepalive 25, a began; idle", 900, keepalive_b=25, steps=[(2, Pair.ping_once)]
    ),
    Scenario("idle", "no keepalive, one ping, then silence", 780, steps=[(2, Pair.ping_once)]),
    Scenario("traffic", "a ping each second, answered", 600, steps=[(2, Pair.ping)]),
    Scenario(
        "one_sided_traffic",
        "a ping each second that b does not answer: WireGuard's passive keepalives alone come back",
        600,
        steps=[(1, Pair.answer_no_pings), (2, Pair.ping)],
    ),
    Scenario(
        "roaming",
        "a moves to and fro under a ping each second",
        420,
        steps=[(2, Pair.ping), *((float(at), Pair.move_a) for at in range(40, 400, 60))],
    ),
    Scenario(
        "killed_with_keepalive",
        "a has keepalive 25; b is killed at 60 s",
        420,
        keepalive_a=25,
        steps=[(60, Pair.kill_b)],
        dead_from=60,
    ),
    Scenario(
        "killed_under_traffic",
        "a ping each second; b is killed at 60 s; the pings end at 240 s",
        700,
        steps=[(2, Pair.ping), (60, Pair.kill_b), (240, Pair.stop_pinging)],
        dead_from=60,
    ),
    Scenario(
        "answers_lost",
        "a ping each second; what b sends is dropped from 60 s to 330 s",
        480,
        steps=[(2, Pair.ping), (60, Pair.drop_what_b_sends), (330, Pair.drop_no_more)],
        dead_from=60,
        dead_until=330,
    ),
    Scenario(
        "requests_lost",
        "both have keepalive 25; what a sends is dropped from 60 s to 330 s",
        480,
        keepalive_a=25,
        keepalive_b=25,
        steps=[(60, Pair.drop_what_a_sends), (330, Pair.drop_no_more)],
        dead_from=60,
        dead_until=330,
    ),
)


@dataclass
class _View:
    """What one side shows of the other: a row for each look at which something of it is new."""

    reader: UserspaceReader
    peer: bytes
    rows: list[list[Any]] = field(default_factory=list)

    def look(self, started: float, started_ns: int) -> None:
        try:
            seen = self.reader.read().peers[self.peer]
        except WireGuardError:
            return  # this side is the one that was killed
        row = [round(time.monotonic() - started, 2), *_columns(seen, started_ns)]
        if not self.rows or self.rows[-1][1:] != row[1:]:
            self.rows.append(row)


def _columns(peer: Peer, started_ns: int) -> list[Any]:
    handshake = round((peer.last_handshake_ns - started_ns) / 1e9, 3) if peer.last_handshake_ns else None
    return [handshake, peer.rx_bytes, peer.tx_bytes]


def record(network: Network, scenarios: Sequence[Scenario] = SCENARIOS) -> list[Recording]:
    """Runs them, and gives what a saw of b and b of a. Times in a recording are seconds since its start."""
    pairs = [
        Pair(network, number, scenario.keepalive_a, scenario.keepalive_b)
        for number, scenario in enumerate(scenarios, 1)
    ]
    views = [(_view(pair.a, pair.b), _view(pair.b, pair.a)) for pair in pairs]
    started, started_ns = time.monotonic(), time.time_ns()
    todo = [(at, step, pair) for scenario, pair in zip(scenarios, pairs) for at, step in scenario.steps]
    todo.sort(key=lambda one: one[0])
    looks = 0
    while (now := time.monotonic() - started) <= max(scenario.seconds for scenario in scenarios):
        while todo and todo[0][0] <= now:
            _at, step, pair = todo.pop(0)
            step(pair)
        for scenario, both in zip(scenarios, views):
            if now <= scenario.seconds:
                for view in both:
                    view.look(started, started_ns)
        looks += 1
        with suppress(ValueError):  # late: look at once
            time.sleep(looks * LOOK - (time.monotonic() - started))
    return [_recording(scenario, *both) for scenario, both in zip(scenarios, views)]


def _view(side: Interface, other: Interface) -> _View:
    return _View(UserspaceReader(Namespace(None), side.name), decode_key(other.public_key))


def _recording(scenario: Scenario, of_a: _View, of_b: _View) -> Recording:
    return {
        "scenario": scenario.name,
        "what": scenario.what,
        "seconds": scenario.seconds,
        "dead_from": scenario.dead_from,
        "dead_until": scenario.dead_until,
        "columns": ["at", "last_handshake", "rx_bytes", "tx_bytes"],
        "a": {
            "persistent_keepalive": scenario.keepalive_a,
            "expected_keepalive": scenario.keepalive_b,
            "rows": of_a.rows,
        },
        "b": {
            "persistent_keepalive": scenario.keepalive_b,
            "expected_keepalive": scenario.keepalive_a,
            "rows": of_b.rows,
        },
    }

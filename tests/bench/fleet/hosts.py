# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand hosts on one broker: how late what they see is heard, and what that costs whom."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack

from bench.results import Log
from lab.kafka import SERVER_OPTIONS, Broker
from lab.processes import cpu_seconds

from .processes import TOPIC, Listening, Place, make_topic, wait_until_heard

PART = "hosts"
HOSTS, PEERS, PARTITIONS = 1000, 100, 8
PROCESSES = (
    16  # that the hosts are spread over: threads of few processes wait for each other's interpreter, not for a core
)
MINUTES, MINUTE = 10, 60.0  # seconds
MEMORY_FOLDER = "/dev/shm"  # a tmpfs: a thousand hosts have a thousand disks
SETTLED = 0.5  # seconds: nobody hears anything older, once the inventories are through


def measure(log: Log, place: Place, smoke: bool) -> None:
    hosts, processes, peers = (10, 2, 10) if smoke else (HOSTS, PROCESSES, PEERS)
    minutes, minute = (2, 2.0) if smoke else (MINUTES, MINUTE)
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(place.folder / "broker-hosts", java_options=SERVER_OPTIONS))
        make_topic(broker.address, PARTITIONS)
        listening = stack.enter_context(Listening(place, broker.address))
        state = stack.enter_context(tempfile.TemporaryDirectory(prefix="wirewatch-bench-", dir=MEMORY_FOLDER))
        edges = [number * hosts // processes for number in range(processes + 1)]
        running = [
            stack.enter_context(
                place.start(f"hosts-{first}", "simulated", broker.address, TOPIC, state, first, behind - first, peers)
            )
            for first, behind in zip(edges, edges[1:])
        ]
        wait_until_heard(
            [listening],
            # Each tells of its interface and its peers first.
            lambda heard: heard[0].hosts_ever == hosts and heard[0].fewest_ever > peers and 0 < heard[0].p99 < SETTLED,
            "each host's inventory to be heard",
            600.0,
        )
        who = {"hosts": running, "broker": [broker], "consumer": [listening]}
        listening.heard()
        for number in range(1, minutes + 1):
            used = {name: sum(map(cpu_seconds, members)) for name, members in who.items()}
            begun = time.monotonic()
            time.sleep(minute)
            heard = listening.heard()
            elapsed = time.monotonic() - begun
            case = f"minute {number}"
            log.add(PART, case, "events", [heard.events / elapsed], "/s")
            log.add(PART, case, "median", [heard.median], "s")
            log.add(PART, case, "p99", [heard.p99], "s")
            log.add(PART, case, "longest", [heard.longest], "s")
            log.add(PART, case, "lag", [heard.lag], "events")
            for name, members in who.items():
                share = (sum(map(cpu_seconds, members)) - used[name]) / elapsed
                log.add(PART, case, f"cores of {name}", [share], "")
        # What is on its way now is heard, and what never will be is known.
        last = wait_until_heard([listening], lambda heard: heard[0].missing_ever == 0, "each number to be heard")[0]
    summary = f"{hosts:,} hosts with {peers} peers"
    log.add("fleet", summary, "events heard", [last.events_ever], "")
    log.add("fleet", summary, "events never heard", [last.missing_ever], "")
    log.add("fleet", summary, "events heard twice", [last.repeated_ever], "")
    log.add("fleet", summary, "an event", [last.bytes_ever / last.events_ever], "bytes")

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command on a host whose peers are quiet, sending to a broker: what it takes all the time, for nothing."""

from __future__ import annotations

import sys
import time

from bench.host import daemon_with
from bench.results import Log
from collection import CHECKOUT
from lab import Network, Running
from lab.commands import run, tool
from lab.kafka import Broker
from lab.processes import cpu_seconds, resident

from .processes import TOPIC, Listening, Place, wait_until_heard

PART = "quiet"
PEERS = 100
SECONDS = 90.0  # that its CPU time is counted for
SETTLING = 5.0  # seconds in which what it did at start is over
NAMED, FOUND = "one named interface", "all interfaces, found by itself"


def measure(log: Log, place: Place, smoke: bool) -> None:
    seconds = 2.0 if smoke else SECONDS
    zipapp = place.folder / "wirewatch.pyz"
    run([str(CHECKOUT / "scripts" / "zipapp"), str(zipapp)])
    with Network(backend="userspace") as network:
        interface = daemon_with(network, PEERS)
        inside = [tool("ip"), "netns", "exec", interface.host.namespace]
        # On the loopback of the host's own namespace: so the command needs no option netns, nor what that loads.
        with Broker(place.folder / "broker-quiet", prefix=inside) as broker:
            for number, (case, names) in enumerate(((NAMED, [interface.name]), (FOUND, []))):
                state = place.folder / f"quiet-{number}.db"
                command = [*inside, sys.executable, str(zipapp), "watch", *names, "--initial", "resume"]
                command += ["--state-file", str(state), "--sink", "kafka", "--topic", f"{TOPIC}-{number}"]
                command += ["--set", f"bootstrap.servers={broker.address}"]
                with Running(command, place.environment, place.folder, f"quiet-{number}", place.folder) as running:
                    with Listening(place, broker.address, f"{TOPIC}-{number}", prefix=inside) as listening:
                        wait_until_heard([listening], lambda heard: heard[0].events_ever > PEERS, "the inventory")
                    time.sleep(min(seconds, SETTLING))
                    used = cpu_seconds(running)
                    time.sleep(seconds)
                    share = (cpu_seconds(running) - used) / seconds * 100
                    log.add(PART, case, "share of a core", [share], "%")
                    log.add(PART, case, "resident memory", [resident(running) * 1024 / 1e6], "MB")

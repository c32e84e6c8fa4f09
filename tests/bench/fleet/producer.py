# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A producer: ``python -m bench.fleet.producer ADDRESS TOPIC NUMBER EVENTS``, through the publisher's sink, part after part.

At the first line on its input it begins, and it answers with a line of JSON, when all is confirmed: when it began (epoch).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

from ansible_collections.wirewatch.wireguard.plugins.module_utils._identity import Identity
from ansible_collections.wirewatch.wireguard.plugins.module_utils._publisher import PART
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sink_kafka import KafkaOptions, KafkaSink
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions

from .simulated import INTERFACE, SimulatedHost

PEERS = 100


def envelopes(host: str, peers: int = PEERS) -> Iterator[dict[str, Any]]:
    """What a publisher tells of a host and its peers, over and over, numbered as one run."""
    options = WatchOptions(patterns=[INTERFACE], host=host)
    watcher = Watcher(options, make_reader=SimulatedHost(1, peers).make_reader)
    identity = Identity(host)
    for sequence, event in enumerate(cycle([event for event, _wanted in watcher.poll()]), 1):
        numbered = {**event, "sequence": sequence}
        yield {"meta": identity.meta(numbered), "wireguard": numbered}


def main(address: str, topic: str, number: str, count: str) -> None:
    sink = KafkaSink(KafkaOptions(topic, {"bootstrap.servers": address}))
    left = list(islice(envelopes(f"host{number}"), int(count)))
    print(json.dumps({"ready": 1}), flush=True)
    sys.stdin.readline()
    begun = time.time()
    while left:
        sink.send(left[:PART])
        del left[:PART]
    print(json.dumps({"begun": begun}), flush=True)
    sys.stdin.read()
    sink.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network between a host and its broker is cut, and nothing is lost: with and without a sign that it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from integration.writer import Writer
from lab import Host, Network, wait_for
from lab.kafka import Broker

from .hearing import Hearing, sequences
from .publishing import Publishing, resident
from .test_kafka import MORE_MEMORY, TOPIC, sink

CUTS, ALL_CUTS = 2, 10
CUT, WHOLE_CUT = 7.0, 30.0  # seconds; a message waits five for a broker
DROP = "add table inet cut; add chain inet cut everything { type filter hook output priority 0; policy drop; }"


@contextmanager
def unplugged(_gateway: Host, broker: Host) -> Iterator[None]:
    """The broker's cable is pulled at the switch."""
    broker.unplug()
    try:
        yield
    finally:
        broker.plug()


@contextmanager
def swallowed(gateway: Host, _broker: Host) -> Iterator[None]:
    """What the host sends vanishes, as in a firewall that forgot the connection: no link goes down, nobody refuses."""
    gateway.run(["nft", DROP])
    try:
        yield
    finally:
        gateway.run(["nft", "delete table inet cut"])


def test_a_network_that_is_cut_costs_detail_and_neither_truth_nor_memory(
    network: Network, zipapp: Path, tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    gateway, far = network.host("gw1", "192.0.2.1"), network.host("broker", "192.0.2.100")
    inside = {host: ["ip", "netns", "exec", host.namespace] for host in (gateway, far)}
    interface = gateway.wireguard()
    cuts, cut = (ALL_CUTS, WHOLE_CUT) if full else (CUTS, CUT)
    with Broker(tmp_path / "broker", far.address, {"num.partitions": 3}, prefix=inside[far]) as broker:
        publisher = Publishing(zipapp, tmp_path, "gw1", interface, sink(broker), prefix=inside[gateway])
        # The threads of a consumer are in the namespace that it was made in.
        heard: Hearing = Namespace(far.namespace).run(lambda: Hearing(broker.address, TOPIC))
        with heard as hearing, publisher.start() as running:
            with Writer(interface) as writer:
                wait_for(lambda: len(hearing.of("peer_endpoint_changed")) > 50, 60, "changes to be heard of")
                memory, changed = resident(running), 0
                for number in range(cuts):
                    with (unplugged, swallowed)[number % 2](gateway, far):
                        # The outage itself: nothing is to be waited for.
                        before = writer.changes
                        time.sleep(cut / 2)
                        silent = len(hearing.events)
                        time.sleep(cut / 2)
                        assert len(hearing.events) == silent, "the network was not cut"
                        changed += writer.changes - before
                    wait_for(lambda known=silent: len(hearing.events) > known, 90, "the host to be heard again")
                more = resident(running) - memory
            hearing.wait_for_truth("gw1", interface)
    assert hearing.wrong == []
    for numbers in sequences(hearing.events).values():
        assert numbers == sorted(numbers), "the order of one peer's events is kept"
    assert more < MORE_MEMORY
    figure(
        f"{cuts} cuts, {changed} changes meanwhile: {len(hearing.events)} events, {hearing.repeated} repeated, 0 lost, "
        f"{more} KiB more memory"
    )

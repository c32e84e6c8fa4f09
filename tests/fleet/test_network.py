# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network between a host and its broker is cut, and nothing is lost: with and without a sign that it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from integration.writer import Writer
from lab import Host, Network, wait_for
from lab.kafka import Broker
from lab.processes import resident

from .hearing import Hearing, sequences
from .publishing import Publishing
from .test_kafka import MORE_MEMORY, TOPIC, sink

CUTS, ALL_CUTS = 3, 10
CUT, WHOLE_CUT = 7.0, 30.0  # seconds; a message waits five for a broker
ON_ITS_WAY = 5.0  # seconds in which what was sent before a cut is heard
DROP = "add chain inet cut {hook} {{ type filter hook {hook} priority 0; policy drop; }}; "

Way = Callable[[Host, Host], AbstractContextManager[None]]


@contextmanager
def unplugged(_gateway: Host, broker: Host) -> Iterator[None]:
    """The broker's cable is pulled at the switch."""
    broker.unplug()
    try:
        yield
    finally:
        broker.plug()


def firewall(*hooks: str) -> Way:
    """What the host sends vanishes, and what is sent to it where `hooks` have that too: no link goes down, nobody refuses."""

    @contextmanager
    def closed(gateway: Host, _broker: Host) -> Iterator[None]:
        gateway.run(["nft", "add table inet cut; " + "".join(DROP.format(hook=hook) for hook in hooks)])
        try:
            yield
        finally:
            gateway.run(["nft", "delete table inet cut"])

    return closed


WAYS = (unplugged, firewall("output", "input"), firewall("output"))


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
                    with WAYS[number % len(WAYS)](gateway, far):
                        # The outage itself: nothing is to be waited for.
                        before = writer.changes
                        time.sleep(ON_ITS_WAY)
                        silent = len(hearing.events)
                        time.sleep(cut - ON_ITS_WAY)
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

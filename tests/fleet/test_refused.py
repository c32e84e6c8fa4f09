# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real broker refuses: an event that is too large holds up none of the others, a topic that is missing is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from lab import Network, wait_for
from lab.kafka import Broker
from lab.keys import generate_keys

from .hearing import Hearing
from .publishing import Publishing, wait_for_sentence

TOPIC = "wirewatch"
LIMIT = 20_000  # bytes of a message that is accepted
MANY = 2_000  # allowed IPs, which take more


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Broker]:
    """A broker that makes no topics by itself."""
    with Broker(tmp_path / "broker", settings={"auto.create.topics.enable": "false"}) as made:
        yield made


def test_a_missing_topic_is_said_and_waited_for_and_a_large_event_holds_up_no_other(
    network: Network, zipapp: Path, strict: Broker, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    interface = network.host("gw1", "192.0.2.1").wireguard()
    settings = {"bootstrap.servers": strict.address, "topic.metadata.propagation.max.ms": "1000"}
    sink = {"type": "kafka", "topic": TOPIC, "settings": settings}
    keys = [generate_keys().public for _number in range(3)]
    with Publishing(zipapp, tmp_path, "gw1", interface, sink).start() as running:
        said = wait_for_sentence(running, "is not there")
        assert said.endswith("create the topic, or check its name. It is tried again")
        make_topic(strict.address, {"max.message.bytes": str(LIMIT)})
        wait_for_sentence(running, "takes events again after")
        with Hearing(strict.address, TOPIC, {"allow.auto.create.topics": "false"}) as hearing:
            wait_for(lambda: hearing.of("interface_added"), 60, "the interface to be heard of")
            words = []
            for number, key in enumerate(keys):
                count = MANY if number == 1 else 1
                ips = ",".join(f"10.{number}.{at >> 8}.{at & 255}/32" for at in range(count))
                words += ["peer", key, "allowed-ips", ips]
            interface.set(*words)
            wait_for(lambda: len(hearing.of("peer_added")) == len(keys), 60, "all peers to be heard of")
            interface.remove_peer(keys[2])
            wait_for(lambda: hearing.of("peer_removed"), 60, "what came after it to be heard of")
        assert hearing.wrong == []
        found = {event["public_key"]: event for event in hearing.of("peer_added")}
        assert found[keys[0]]["peer"]["allowed_ips"] == ["10.0.0.0/32"]
        assert found[keys[1]]["peer"]["allowed_ips"] is None
        assert found[keys[1]]["reason"].startswith("Allowed IPs are left out")
        said = wait_for_sentence(running, "does not take an event as large as one is")
        assert said.endswith(
            f"The event peer_added of interface {interface.name}, peer {keys[1]}, is sent without its allowed IPs"
        )
        assert len([line for line in running.output.splitlines() if "as large as one is" in line]) == 1
    figure(f"one event of {MANY} allowed IPs sent without them, {len(hearing.events) - 1} others whole")


def make_topic(address: str, config: dict[str, str]) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    for made in admin.create_topics([NewTopic(TOPIC, 1, 1, config=config)]).values():
        made.result(60)

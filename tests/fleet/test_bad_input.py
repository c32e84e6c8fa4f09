# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A publisher that was told something wrong of its broker, or has no room for its state file, says so, and nothing is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from lab import Host, Interface, Network, wait_for
from lab.authority import broker_certificates
from lab.disk import fill, tiny_disk
from lab.kafka import USER, Broker, with_passwords
from lab.keys import generate_keys
from lab.private import write_private

from .hearing import PATIENCE, Hearing
from .publishing import Publishing, wait_for_sentence
from .test_kafka import TOPIC, sink

NAME = "kafka1.example.org"
MANY = 200  # peers, which take more of a state file than one page
# A command that has a file of host names of its own and no other way to resolve one; `ip netns exec` gives it mounts of its own.
WITH_HOSTS = 'mount --bind "$0" /etc/hosts && mount --bind /dev/null /etc/resolv.conf && exec "$@"'
COUNT = (
    "add table inet begun; add counter inet begun connections; "
    "add chain inet begun sent { type filter hook output priority 0; }; "
    "add rule inet begun sent tcp flags & (syn | ack) == syn counter name connections"
)
SOME = 5  # connections
CAN_NOT_WRITE = "can't be written (database or disk is full): events go on"


def test_a_name_that_does_not_resolve_and_a_port_where_nobody_listens_are_said_and_waited_out(
    network: Network, zipapp: Path, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """The name gets its address, and then the broker is started: the same publisher tells all of it, once."""
    gateway, far = network.host("gw1", "192.0.2.1"), network.host("broker", "192.0.2.100")
    inside = {host: ["ip", "netns", "exec", host.namespace] for host in (gateway, far)}
    interface = gateway.wireguard()
    names = tmp_path / "hosts"
    names.touch()
    broker = Broker(tmp_path / "broker", far.address, prefix=inside[far])
    port = broker.address.rpartition(":")[2]
    publisher = Publishing(
        zipapp,
        tmp_path,
        "gw1",
        interface,
        sink(broker, **{"bootstrap.servers": f"{NAME}:{port}", "message.timeout.ms": "2000"}),
        prefix=[*inside[gateway], "sh", "-c", WITH_HOSTS, str(names)],
    )
    with publisher.start() as running:
        said = wait_for_sentence(running, "Failed to resolve")
        assert said.startswith(f"wirewatch: Kafka topic {TOPIC} at {NAME}:{port} can't be reached: ")
        assert said.endswith(". It is tried again")
        interface.set("peer", generate_keys().public)
        names.write_text(f"{far.address} {NAME}\n", encoding="ascii")
        since = time.monotonic()
        counted = connections(gateway)
        wait_for_sentence(running, "Connection refused")
        interface.set("peer", generate_keys().public)
        wait_for(lambda: counted() >= SOME, PATIENCE, f"it to try {SOME} connections")
        tried, seconds = counted(), time.monotonic() - since
        # The threads of a consumer are in the namespace that it was made in.
        with broker, Namespace(far.namespace).run(lambda: Hearing(broker.address, TOPIC)) as hearing:
            wait_for_sentence(running, "takes events again after", PATIENCE)
            hearing.wait_for_truth("gw1", interface)
            lines = running.output.splitlines()
            again = [line for line, after in zip(lines, lines[1:]) if line == after]
            assert again == [], "each thing is said once in a row"
    assert hearing.wrong == []
    # librdkafka tries some seven in the first second of a producer and four in each other; a loop without pauses tries thousands.
    assert tried < 50 * seconds
    figure(f"{tried} connections tried in {seconds:.1f} s while nobody listens")


def test_a_wrong_certificate_on_either_side_and_a_wrong_protocol_are_said(
    network: Network, zipapp: Path, tmp_path: Path
) -> None:
    ours, stranger = broker_certificates(tmp_path / "certificates"), broker_certificates(tmp_path / "strangers")
    write_private(tmp_path / "password", "right\n")
    interface = network.host("gw1", "192.0.2.1").wireguard()
    with Broker(tmp_path / "broker", settings=with_passwords("right", ours, of_clients=True)) as broker:
        right = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": USER,
            "sasl.password_file": str(tmp_path / "password"),
            "ssl.ca.location": str(ours.authority),
            "message.timeout.ms": "2000",
        }
        ours_too = {"ssl.certificate.location": str(ours.client), "ssl.key.location": str(ours.client_key)}
        theirs = {"ssl.certificate.location": str(stranger.client), "ssl.key.location": str(stranger.client_key)}
        elsewhere = broker.address.replace("127.0.0.1", "localhost")
        wrong = [
            (
                "the broker's certificate has the name in bootstrap.servers",
                {**right, **ours_too, "bootstrap.servers": elsewhere},
            ),
            ("Check the port, and that security.protocol is the broker's", {"message.timeout.ms": "2000"}),
            ("does not take our certificate, or we have none", right),
            ("does not take our certificate, or we have none", {**right, **theirs}),
        ]
        with ExitStack() as stack:
            running = [
                stack.enter_context(
                    Publishing(zipapp, tmp_path, f"gw{number}", interface, sink(broker, **settings)).start()
                )
                for number, (_words, settings) in enumerate(wrong)
            ]
            for one, (words, _settings) in zip(running, wrong):
                assert wait_for_sentence(one, words).startswith(f"wirewatch: Kafka topic {TOPIC} at ")
                assert one.returncode is None


def test_a_full_disk_of_the_state_file_is_said_and_costs_no_event(
    network: Network, zipapp: Path, broker: Broker, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    interface = network.host("gw1", "192.0.2.1").wireguard()
    keys = [generate_keys().public for _number in range(MANY)]
    with tiny_disk(tmp_path / "disk", "8m") as disk, Hearing(broker.address, TOPIC) as hearing:
        publisher = Publishing(zipapp, tmp_path, "gw1", interface, sink(broker), state_file=disk / "state.db")

        def told(kind: str, times: int) -> None:
            wait_for(lambda: len(hearing.of(kind)) == times, PATIENCE, f"{kind} to be told for the {times}. time")

        with publisher.start() as running:
            wait_for(lambda: hearing.of("interface_added"), PATIENCE, "the interface to be heard of")
            stuffing = fill(disk)
            put(interface, keys, "192.0.2.8:1")
            wait_for(lambda: len(hearing.of("peer_added")) == MANY, PATIENCE, "events to go on while the disk is full")
            told("watch_degraded", 1)
            assert CAN_NOT_WRITE in hearing.of("watch_degraded")[0]["reason"]
            stuffing.unlink()
            told("watch_recovered", 1)
            assert running.output.count(CAN_NOT_WRITE) == 1
            running.kill()
        interface.remove_peer(keys[0])
        with publisher.start() as running:
            hearing.wait_for_truth("gw1", interface)
            assert len(hearing.of("peer_added")) == MANY, "what was told on the full disk is known to the next run"
            fill(disk)
            put(interface, keys[1:], "192.0.2.8:2")
            wait_for_sentence(running, CAN_NOT_WRITE)
            hearing.wait_for_truth("gw1", interface)
            told("watch_degraded", 2)
            running.kill()
        interface.remove_peer(keys[1])
        with publisher.start() as running:
            wait_for_sentence(running, CAN_NOT_WRITE)
            hearing.wait_for_truth("gw1", interface)
            # What is over at the next poll is not told, nor is its end.
            told("watch_degraded", 3)
            stuffing.unlink()
            told("watch_recovered", 2)
    assert hearing.wrong == []
    moved = len(hearing.of("peer_endpoint_changed"))
    figure(f"state file on a full disk, killed twice: 0 lost, {moved} changes told of {MANY - 1}")


def connections(host: Host) -> Callable[[], int]:
    """Counts from now on the connections that anybody on this host begins."""
    host.run(["nft", COUNT])

    def counted() -> int:
        listed = json.loads(host.run(["nft", "--json", "list", "counter", "inet", "begun", "connections"]).stdout)
        (counter,) = (entry["counter"] for entry in listed["nftables"] if "counter" in entry)
        return int(counter["packets"])

    return counted


def put(interface: Interface, keys: list[str], endpoint: str) -> None:
    interface.set(*[word for key in keys for word in ("peer", key, "endpoint", endpoint)])

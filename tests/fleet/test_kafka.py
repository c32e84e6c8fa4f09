# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events over a real Kafka broker: nothing is lost while it is killed, nor while the publisher is, and a wrong password is said."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from integration.writer import SEED, Writer
from lab import Network, wait_for
from lab.authority import broker_certificates
from lab.kafka import USER, Broker, with_passwords
from lab.private import write_private
from lab.processes import resident

from .hearing import Hearing, sequences
from .publishing import PATIENCE, Publishing, hurried, wait_for_sentence

TOPIC = "wirewatch"
HOSTS = 3
OUTAGE, WHOLE_OUTAGE = 8.0, 60.0  # seconds
KILLS, ALL_KILLS = 8, 50
TRIES = 10  # of what is refused, then the publisher ends
PAUSE, WHOLE_PAUSE = 0.5, 60.0  # seconds between two of them
TRY = 30.0  # seconds that one may take; a message waits five for a broker
REFUSED = "Failed authentication"  # in the broker's log, once a connection
MORE_MEMORY = 4 * 1024  # KiB that an outage may cost: what librdkafka needs to look for brokers again


def sink(broker: Broker, **settings: str) -> dict[str, object]:
    return {
        "type": "kafka",
        "topic": TOPIC,
        "settings": {"bootstrap.servers": broker.address, "message.timeout.ms": "5000", **settings},
    }


def test_a_killed_broker_costs_detail_and_neither_truth_nor_memory(
    network: Network,
    zipapp: Path,
    broker: Broker,
    tmp_path: Path,
    full: bool,
    figure: Callable[[str], None],
) -> None:
    publishers = [
        Publishing(
            zipapp, tmp_path, f"gw{number}", network.host(f"gw{number}", f"192.0.2.{number}").wireguard(), sink(broker)
        )
        for number in range(1, HOSTS + 1)
    ]
    with ExitStack() as stack:
        hearing = stack.enter_context(Hearing(broker.address, TOPIC))
        running = [stack.enter_context(one.start()) for one in publishers]
        wait_for(lambda: len(hearing.of("interface_added")) == HOSTS, 60, "each host to be heard of")
        memory = [resident(one) for one in running]
        with ExitStack() as writing:
            writers = [writing.enter_context(Writer(one.interface)) for one in publishers]
            wait_for(lambda: len(hearing.of("peer_endpoint_changed")) > 50, 60, "changes to be heard of")
            before = len(hearing.events)
            broker.kill()
            changes = sum(one.changes for one in writers)
            time.sleep(WHOLE_OUTAGE if full else OUTAGE)  # the outage itself: nothing is to be waited for
            changed = sum(one.changes for one in writers) - changes
            more = max(resident(one) - had for one, had in zip(running, memory))
            broker.start()
        for one in publishers:
            hearing.wait_for_truth(one.host, one.interface)
        assert hearing.wrong == []
        for numbers in sequences(hearing.events).values():
            assert numbers == sorted(numbers), "the order of one peer's events is kept"
        assert more < MORE_MEMORY
        assert changed > 500
        figure(
            f"{changed} changes on {HOSTS} hosts while the broker was dead: {len(hearing.events) - before} events since, "
            f"{hearing.repeated} repeated, 0 lost, {more} KiB more memory"
        )


def test_a_publisher_that_is_killed_loses_nothing_and_repeats_under_the_same_uuids(
    network: Network,
    zipapp: Path,
    broker: Broker,
    tmp_path: Path,
    full: bool,
    figure: Callable[[str], None],
) -> None:
    publisher = Publishing(zipapp, tmp_path, "gw1", network.host("gw1", "192.0.2.1").wireguard(), sink(broker))
    chance = random.Random(SEED)
    kills = ALL_KILLS if full else KILLS
    with Hearing(broker.address, TOPIC) as hearing:
        with Writer(publisher.interface) as writer:
            for _kill in range(kills):
                heard = len(hearing.events)
                with publisher.start() as running:
                    wait_for(lambda heard=heard: len(hearing.events) > heard, 60, "the publisher to be heard")
                    time.sleep(chance.random())  # the moment of the kill is the test's own
                    running.kill()
        with publisher.start():
            hearing.wait_for_truth("gw1", publisher.interface)
        assert hearing.wrong == []
        figure(
            f"{kills} kills, {writer.changes} changes, {len(hearing.events)} events, {hearing.repeated} repeated, 0 lost"
        )


def test_a_wrong_password_is_said_and_no_reason_to_be_busy(
    network: Network, zipapp: Path, tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    ours, stranger = broker_certificates(tmp_path / "certificates"), broker_certificates(tmp_path / "strangers")
    for password in ("wrong", "right"):
        write_private(tmp_path / password, password + "\n")
    interface = network.host("gw1", "192.0.2.1").wireguard()
    pause = WHOLE_PAUSE if full else PAUSE
    program = zipapp if full else hurried(zipapp, tmp_path, PAUSE)
    with Broker(tmp_path / "broker", settings=with_passwords("right", ours)) as broker:

        def publisher(name: str, password: str, trusted: Path = ours.authority) -> Publishing:
            chosen = {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "PLAIN",
                "sasl.username": USER,
                "sasl.password_file": str(tmp_path / password),
                "ssl.ca.location": str(trusted),
            }
            return Publishing(program, tmp_path, name, interface, sink(broker, **chosen))

        began = time.monotonic()
        with publisher("gw1", "wrong").start() as running:
            said = wait_for_sentence(running, "does not take our user name and password")
            assert "sasl.password_file" in said
            assert "wrong" not in said.replace(str(tmp_path), "")
            assert running.wait(PATIENCE + TRIES * (pause + TRY)) == 3
        assert time.monotonic() - began > (TRIES - 1) * pause, "it waits between its tries"
        refused = broker.output.count(REFUSED)
        # Until it hears of the refusal, librdkafka may connect anew by itself, some seven times in the first second.
        assert TRIES <= refused <= TRIES * 10
        with publisher("gw2", "right", stranger.authority).start() as running:
            wait_for_sentence(running, "can't be trusted")
        with publisher("gw3", "right").start() as running:
            login = {"sasl.username": USER, "sasl.password": "right", "ssl.ca.location": str(ours.authority)}
            login.update({"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"})
            with Hearing(broker.address, TOPIC, login) as hearing:
                wait_for(lambda: hearing.of("interface_added"), 60, "the right password to be let in")
                assert {event["host"] for event in hearing.events} == {"gw3"}
            assert "password" not in running.output
    figure(f"{refused} connections in {TRIES} tries, then it ended")

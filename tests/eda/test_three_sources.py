# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file of rules, three ways to it: a peer that is removed from a real network runs the playbook on its host alone.

The events come from the local source, from a publisher to the webhook, and from a publisher over a real Kafka broker.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from collection import CHECKOUT
from eda.rulebooks import PATIENCE_WITH_PAUSE
from eda.test_lift import KAFKA, RULEBOOK, TOKEN, WEBHOOK, free_port, told_meta, wait_for_playbook, write
from fleet.hearing import Hearing
from fleet.publishing import Publishing
from lab import Ansible, Interface, Network, Star, star, wait_for
from lab.authority import broker_certificates
from lab.kafka import USER, Broker, with_passwords
from lab.private import write_private

HOST = "gw1"
TOPIC = "wireguard"

Sources = list[dict[str, Any]]


@contextmanager
def local(interface: Interface, _zipapp: Path, _folder: Path) -> Iterator[Sources]:
    (source,) = RULEBOOK[0]["sources"]
    (name,) = (name for name in source if name != "filters")
    where = {"interfaces": [interface.name], "netns": [interface.host.namespace], "interval": 0.1, "host": HOST}
    yield [{**source, name: where}]


@contextmanager
def over_webhook(interface: Interface, zipapp: Path, folder: Path) -> Iterator[Sources]:
    (source,) = WEBHOOK
    port = free_port()
    token = write_private(folder / "token", TOKEN)
    sink = {"type": "webhook", "url": f"http://127.0.0.1:{port}/wireguard", "token_file": str(token)}
    with Publishing(zipapp, folder, HOST, interface, sink).start():
        yield [{**source, "eda.builtin.webhook": {"host": "127.0.0.1", "port": port, "token": TOKEN}}]


@contextmanager
def over_kafka(interface: Interface, zipapp: Path, folder: Path) -> Iterator[Sources]:
    (source,) = KAFKA
    with Broker(folder / "broker") as broker:
        host, port = broker.address.split(":")
        sink = {"type": "kafka", "topic": TOPIC, "settings": {"bootstrap.servers": broker.address}}
        with Publishing(zipapp, folder, HOST, interface, sink).start():
            where = {"host": host, "port": port, "topic": TOPIC, "group_id": "rules", "offset": "earliest"}
            yield [{**source, "ansible.eda.kafka": where}]


@contextmanager
def over_a_closed_kafka(interface: Interface, zipapp: Path, folder: Path) -> Iterator[Sources]:
    """A broker that lets in, over TLS, who has its password and a certificate, both the publisher and the rulebook."""
    (source,) = KAFKA
    ours, password = broker_certificates(folder / "certificates"), secrets.token_hex(16)
    with Broker(folder / "broker", settings=with_passwords(password, ours, of_clients=True)) as broker:
        host, port = broker.address.split(":")
        settings = {
            "bootstrap.servers": broker.address,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": USER,
            "sasl.password_file": str(write_private(folder / "password", password)),
            "ssl.ca.location": str(ours.authority),
            "ssl.certificate.location": str(ours.client),
            "ssl.key.location": str(ours.client_key),
        }
        login = {
            "security_protocol": "SASL_SSL",
            "cafile": str(ours.authority),
            "certfile": str(ours.client),
            "keyfile": str(ours.client_key),
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": USER,
            "sasl_plain_password": password,
        }
        sink = {"type": "kafka", "topic": TOPIC, "settings": settings}
        with Publishing(zipapp, folder, HOST, interface, sink).start():
            where = {"host": host, "port": port, "topic": TOPIC, "group_id": "rules", "offset": "earliest", **login}
            yield [{**source, "ansible.eda.kafka": where}]


Way = Callable[[Interface, Path, Path], Any]


@pytest.mark.parametrize("way", [local, over_webhook, over_kafka])
def test_the_same_rules_run_the_same_playbook_on_the_same_host(
    with_kafka: Ansible, network: Network, zipapp: Path, tmp_path: Path, way: Way
) -> None:
    net = star(network)
    east = net.spokes["east"].public_key
    with ExitStack() as stack:
        sources = stack.enter_context(way(net.hub, zipapp, tmp_path))
        running = stack.enter_context(with_kafka.rulebook(*write(tmp_path, sources)))
        running.wait_for_output(f"META {east} ", PATIENCE_WITH_PAUSE)
        net.hub.remove_peer(east)
        assert wait_for_playbook(running, east) == {HOST}
        meta = told_meta(running, {"wireguard": {"public_key": east}})
        assert meta["hosts"] == [HOST]
        if way is over_kafka:
            (where,) = (source["ansible.eda.kafka"] for source in sources)
            assert meta["source_offset"].startswith(f"{TOPIC}:")
            hearing = stack.enter_context(Hearing(f"{where['host']}:{where['port']}", TOPIC))
            wait_for(lambda: hearing.by_uuid.get(meta["uuid"]), 60, "the sender's own uuid to be heard")
            assert hearing.by_uuid[meta["uuid"]]["public_key"] == east


FLEET = {name: CHECKOUT / f"extensions/eda/rulebooks/fleet_{name}.yml" for name in ("webhook", "kafka")}


def test_the_two_rulebooks_of_a_fleet_differ_in_their_sources_only() -> None:
    (first,), (second,) = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in FLEET.values())
    assert first.pop("sources") != second.pop("sources")
    assert first == second


def variables_of(name: str, sources: Sources) -> dict[str, Any]:
    """What the rulebook of a fleet wants to know."""
    if name == "webhook":
        return {"webhook_port": sources[0]["eda.builtin.webhook"]["port"], "webhook_token": TOKEN}
    return {f"kafka_{option}": value for option, value in sources[0]["ansible.eda.kafka"].items()}


@pytest.mark.parametrize(
    ("name", "way"), [("webhook", over_webhook), ("kafka", over_kafka), ("kafka", over_a_closed_kafka)]
)
def test_the_rulebook_of_a_fleet_says_what_happens_to_its_tunnels(
    with_kafka: Ansible, network: Network, zipapp: Path, tmp_path: Path, name: str, way: Way
) -> None:
    net: Star = star(network)
    east = net.spokes["east"].public_key
    inventory = tmp_path / "inventory"
    inventory.write_text("localhost\n", encoding="ascii")
    with ExitStack() as stack:
        variables = variables_of(name, stack.enter_context(way(net.hub, zipapp, tmp_path)))
        running = stack.enter_context(with_kafka.rulebook(FLEET[name], inventory, variables=variables))
        running.wait_for_output(f"{HOST} is watched: interface {net.hub.name}", PATIENCE_WITH_PAUSE)
        net.shake_hands("east")
        running.wait_for_output(f"{HOST}: {east} on {net.hub.name} is up (it was never)")
        net.hub.remove_peer(east)
        running.wait_for_output(f"{HOST}: {east} was removed from {net.hub.name}")

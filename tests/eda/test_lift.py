# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of docs/lift.md in the real ansible-rulebook, fed by its local source, its webhook, and as Kafka would feed them."""

from __future__ import annotations

import json
import re
import secrets
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from docs import event_examples
from docs.pages import blocks
from lab import Ansible, Network, Running, star, wait_for

PATIENCE = 60.0  # seconds for the engine to start, or for an answer that waits for a playbook
TOKEN = secrets.token_hex(16)
KEYS = iter(f"{number:043d}=" for number in range(10**6))

(_REACTION,) = (text for text in blocks("docs/react.md", "yaml") if "ansible_eda" in text)
_PAGE = [yaml.safe_load(text) for text in blocks("docs/lift.md", "yaml")]
RULEBOOK = _PAGE[0]
WEBHOOK, KAFKA = (block["sources"] for block in _PAGE if isinstance(block, dict) and "sources" in block)
(THROTTLE,) = (block["throttle"] for block in _PAGE if isinstance(block, dict) and "throttle" in block)

# What the page's rules do not show: all of meta, the throttle, an event that is not ours.
OTHER_RULES = [
    {
        "name": "Tell meta",
        "condition": 'event.wireguard.type == "peer_added"',
        "action": {"debug": {"msg": "META {{ event.wireguard.public_key }} {{ event.meta | tojson }}"}},
    },
    {
        "name": "Tell once",
        "condition": 'event.wireguard.type == "peer_recreated"',
        "throttle": THROTTLE,
        "action": {"debug": {"msg": "ONCE {{ event.wireguard.public_key }}"}},
    },
    {
        "name": "Tell what is foreign",
        "condition": "event.payload.alert is defined",
        "action": {"debug": {"msg": "FOREIGN {{ event.payload.alert }}"}},
    },
]


def envelope(kind: str, host: str, **meta: Any) -> dict[str, Any]:
    """As a publisher sends it: what the watcher emits of this type, on another host, about a peer of its own."""
    event = {**event_examples.examples()[kind], "host": host, "public_key": next(KEYS)}
    return {"wireguard": event, "meta": {"uuid": f"{host}/{event['public_key']}", **meta}}


def key(sent: dict[str, Any]) -> str:
    return str(sent["wireguard"]["public_key"])


def write(folder: Path, sources: list[dict[str, Any]]) -> tuple[Path, Path]:
    """The page's rulebook with other sources, its playbook, and an inventory of three hosts."""
    (ruleset,) = RULEBOOK
    path = folder / "rulebook.yml"
    made = {**ruleset, "sources": sources, "rules": [*ruleset["rules"], *OTHER_RULES]}
    path.write_text(yaml.safe_dump([made], sort_keys=False), encoding="utf-8")
    (folder / "peer_removed.yml").write_text(_REACTION, encoding="utf-8")
    inventory = folder / "inventory.yml"
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(yaml.safe_dump({"all": {"hosts": dict.fromkeys(("gw1", "gw2", "gw3"), host)}}))
    return path, inventory


def wait_for_playbook(running: Running, peer: str) -> set[str]:
    """The hosts that the page's playbook told of this peer on."""

    def hosts() -> set[str]:
        if running.returncode is not None:
            raise running.failed("ended before it ran a playbook.")
        reports = running.reports("Tell it")
        return {one.host for one in reports if f"{peer} was removed from" in one.result["msg"]}

    return wait_for(hosts, PATIENCE, f"a playbook about {peer}; {running.output}")


def told_meta(running: Running, sent: dict[str, Any]) -> dict[str, Any]:
    """The whole of event.meta, as rules saw it."""
    running.wait_for_output(f"META {key(sent)} ")
    (told,) = re.findall(rf"META {re.escape(key(sent))} (\{{.*\}})", running.output)
    return json.loads(told)  # type: ignore[no-any-return]


def lacks(sent: dict[str, Any]) -> str:
    return f"{key(sent)} was removed from {sent['wireguard']['host']}, which the inventory lacks"


class Webhook(NamedTuple):
    running: Running
    port: int

    def post(self, message: Any, token: str | None = TOKEN) -> int:
        """The status of the answer."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/wireguard", json.dumps(message).encode(), headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_until_it_listens(running: Running, port: int) -> None:
    def listens() -> bool:
        if running.returncode is not None:
            raise running.failed("ended before it listened.")
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            return False
        return True

    wait_for(listens, PATIENCE, f"the webhook to listen; {running.output}")


@pytest.fixture(scope="module")
def webhook(ansible: Ansible, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """One rulebook for all tests of the webhook; each has peers of its own."""
    (source,) = WEBHOOK
    port = free_port()
    listening = {**source["eda.builtin.webhook"], "host": "127.0.0.1", "port": port}
    paths = write(tmp_path_factory.mktemp("webhook"), [{**source, "eda.builtin.webhook": listening}])
    with ansible.rulebook(*paths, variables={"webhook_token": TOKEN}) as running:
        wait_until_it_listens(running, port)
        yield Webhook(running, port)


def test_the_pages_sources_differ_and_their_filters_do_not() -> None:
    filters = [source["filters"] for source in (*RULEBOOK[0]["sources"], *WEBHOOK, *KAFKA)]
    assert len(filters) == 3
    assert filters[0] == filters[1] == filters[2]


def test_an_event_that_is_posted_runs_the_playbook_on_its_host_alone(webhook: Webhook) -> None:
    removed = envelope("peer_removed", "gw2.example.com")
    assert webhook.post(removed) == 200
    assert wait_for_playbook(webhook.running, key(removed)) == {"gw2"}


def test_each_event_of_a_batch_fires_for_itself(webhook: Webhook) -> None:
    batch = [envelope("peer_removed", host) for host in ("gw1", "elsewhere", "gw2.example.com")]
    assert webhook.post({"events": [batch[0], {"other": 1}, *batch[1:]]}) == 200
    assert wait_for_playbook(webhook.running, key(batch[2])) == {"gw2"}
    assert wait_for_playbook(webhook.running, key(batch[0])) == {"gw1"}
    webhook.running.wait_for_output(lacks(batch[1]))


def test_a_sender_has_no_say_in_where_playbooks_run(webhook: Webhook) -> None:
    """meta.hosts: [] would run on all hosts, and "all" as a host likewise."""
    removed = envelope("peer_removed", "gw1", hosts=[])
    unknown = envelope("peer_removed", "all", hosts=["gw3"])
    assert webhook.post({"events": [removed, unknown]}) == 200
    webhook.running.wait_for_output(lacks(unknown), PATIENCE)
    assert wait_for_playbook(webhook.running, key(removed)) == {"gw1"}
    assert [one for one in webhook.running.tasks if one.host == "gw3"] == []


@pytest.mark.parametrize(
    "template", ["{{ %s }}", "#jinja2:variable_start_string:'[%%', variable_end_string:'%%]'\n[%% %s %%]"]
)
def test_a_template_in_an_event_is_not_run(webhook: Webhook, tmp_path: Path, template: str) -> None:
    """What a sender writes into an event must not become a program of the host that the rulebook runs on."""
    made = tmp_path / "made"
    bad = envelope("peer_removed", "gw1")
    bad["wireguard"]["interface"] = template % f"lookup('pipe', 'touch {made}')"
    good = envelope("peer_removed", "gw2.example.com")
    assert webhook.post({"events": [bad, good]}) == 200
    assert wait_for_playbook(webhook.running, key(good)) == {"gw2"}
    assert webhook.post(bad) == 200
    assert webhook.post(last := envelope("peer_removed", "gw1")) == 200
    assert wait_for_playbook(webhook.running, key(last)) == {"gw1"}
    assert not made.exists()
    assert key(bad) not in webhook.running.output


def test_meta_is_the_webhooks_with_the_senders_uuid(webhook: Webhook) -> None:
    alone, batched = (envelope("peer_added", "gw1", source={"name": "forged"}) for _number in range(2))
    assert webhook.post(alone) == 200
    assert webhook.post({"events": [batched]}) == 200
    for sent in (alone, batched):
        meta = told_meta(webhook.running, sent)
        assert meta["uuid"] == sent["meta"]["uuid"]
        assert meta["endpoint"] == "wireguard"
        assert meta["headers"]["Content-Type"] == "application/json"
        assert meta["source"]["type"] == "eda.builtin.webhook"
        assert meta["hosts"] == ["gw1"]


def test_an_event_that_is_sent_twice_passes_the_throttle_once(webhook: Webhook) -> None:
    twice, after = (envelope("peer_recreated", "gw1") for _number in range(2))
    for message in (twice, {"events": [twice, after]}):
        assert webhook.post(message) == 200
    webhook.running.wait_for_output(f"ONCE {key(after)}")
    assert webhook.running.output.count(f"ONCE {key(twice)}") == 1


@pytest.mark.parametrize("token", ["wrong", "", None], ids=["wrong", "empty", "none"])
def test_without_the_right_token_nothing_gets_in(webhook: Webhook, token: str | None) -> None:
    refused, taken = (envelope("peer_added", "gw1") for _number in range(2))
    assert webhook.post(refused, token) == 401
    assert webhook.post({"events": [refused]}, token) == 401
    assert webhook.post(taken) == 200
    webhook.running.wait_for_output(f"META {key(taken)} ")
    assert key(refused) not in webhook.running.output


def test_what_is_not_ours_gets_to_other_rules_and_the_source_lives_on(webhook: Webhook) -> None:
    name = secrets.token_hex(4)
    for message in ([], 1, None, "text", {"events": [1]}, {"wireguard": {"schema": 9}}, {"alert": name}):
        assert webhook.post(message) == 200
    webhook.running.wait_for_output(f"FOREIGN {name}")
    assert webhook.running.returncode is None


def test_the_same_rules_serve_what_kafka_gives(ansible: Ansible, tmp_path: Path) -> None:
    """In the shapes that plugins/event_source/kafka.py of ansible.eda gives it: 2.13, 2.12, and those before, of which each leaves
    `headers` out where it can't decode them.
    """
    added, elsewhere = envelope("peer_added", "gw1"), envelope("peer_removed", "elsewhere")
    first, last = envelope("peer_removed", "gw2.example.com"), envelope("peer_removed", "gw1")
    of_2_12 = {"produced_at": "2026-11-23T12:00:01.234000Z", "uuid": "made up of the offset"}
    meta = {"source_offset": "wireguard:0:7", "headers": {"a": "b"}, **of_2_12}
    events = [
        {"body": "no JSON", "meta": {"headers": {}}},
        {"body": added, "meta": meta},
        {"body": first, "meta": of_2_12},
        {"body": elsewhere, "meta": {"headers": {}}},
        {"body": last},
    ]
    # It would end the rulebook at its own end.
    source = {"eda.builtin.generic": {"payload": events, "shutdown_after": 3600}, "filters": KAFKA[0]["filters"]}
    with ansible.rulebook(*write(tmp_path, [source])) as running:
        assert wait_for_playbook(running, key(last)) == {"gw1"}
        assert wait_for_playbook(running, key(first)) == {"gw2"}
        running.wait_for_output(lacks(elsewhere))
        told = told_meta(running, added)
    for name in ("source_offset", "headers", "produced_at"):
        assert told[name] == meta[name]
    assert (told["uuid"], told["hosts"]) == (added["meta"]["uuid"], ["gw1"])


def test_the_same_rules_serve_the_local_source(ansible: Ansible, network: Network, tmp_path: Path) -> None:
    net = star(network, ["east"], preshared=False)
    east = net.spokes["east"].public_key
    (source,) = RULEBOOK[0]["sources"]
    watching = {
        **source["wirewatch.wireguard.wg_events"],
        "interfaces": [net.hub.name],
        "netns": [net.hub.host.namespace],
        "interval": 0.25,
    }
    with ansible.rulebook(*write(tmp_path, [{**source, "wirewatch.wireguard.wg_events": watching}])) as running:
        running.wait_for_output(f"META {east} ", PATIENCE)
        net.hub.remove_peer(east)
        assert wait_for_playbook(running, east) == {"gw1"}

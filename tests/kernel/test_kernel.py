# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader and the watcher against the kernel's own WireGuard, with wg(8) as the second opinion."""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._discovery import find
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InterfaceGone, NotWireGuard
from ansible_collections.wirewatch.wireguard.plugins.module_utils._following import FOLLOWING
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import (
    Device,
    Peer,
    encode_key,
    unpack_allowed_ip,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reader import InterfaceReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._record import endpoint_text
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions
from lab import Interface, Network, generate_preshared_key, star, wait_for

SEED = 20261123


@pytest.fixture
def reader() -> Iterator[Callable[[Interface], InterfaceReader]]:
    """Makes readers of lab interfaces from outside of their namespaces, and closes them."""
    opened: list[InterfaceReader] = []

    def make(interface: Interface) -> InterfaceReader:
        opened.append(InterfaceReader(Namespace(interface.host.namespace), interface.name, ways=FOLLOWING))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
        one.namespace.close()


class Watch:
    """A watcher of one lab interface, and the events it gave."""

    def __init__(self, interface: Interface) -> None:
        self._watcher = Watcher(WatchOptions(patterns=[interface.name], netns=[interface.host.namespace], host="here"))

    def poll(self) -> list[dict]:
        events = [event for event, _wanted in self._watcher.poll()]
        self._watcher.confirm()
        return events

    def until(self, kind: str) -> list[dict]:
        """Polls until an event of this type comes; all events that came by then."""
        seen: list[dict] = []

        def came() -> bool:
            seen.extend(self.poll())
            return any(event["type"] == kind for event in seen)

        wait_for(came, 60, f"an event {kind}")
        return seen

    def close(self) -> None:
        self._watcher.close()


@pytest.fixture
def watch() -> Iterator[Callable[[Interface], Watch]]:
    made: list[Watch] = []

    def make(interface: Interface) -> Watch:
        made.append(Watch(interface))
        return made[-1]

    yield make
    for one in made:
        one.close()


def dump_line(peer: Peer) -> list[str]:
    """A peer as `wg show IF dump` prints it, with the preshared key reduced to whether there is one."""
    return [
        encode_key(peer.public_key),
        str(peer.preshared_key is not None),
        endpoint_text(peer.endpoint) or "(none)",
        ",".join(sorted(unpack_allowed_ip(ip) for ip in peer.allowed_ips)) or "(none)",
        str(peer.last_handshake_ns // 1_000_000_000),
        str(peer.rx_bytes),
        str(peer.tx_bytes),
        str(peer.persistent_keepalive or "off"),
    ]


def wg_dump(interface: Interface) -> dict[str, list[str]]:
    """What `wg show IF dump` prints of the peers, by key; secrets are replaced while it is read."""
    lines = {}
    for line in interface.wg("show", interface.name, "dump").splitlines()[1:]:
        key, preshared, endpoint, allowed_ips, *rest = line.split("\t")
        sorted_ips = ",".join(sorted(allowed_ips.split(",")))
        lines[key] = [key, str(preshared != "(none)"), endpoint, sorted_ips, *rest]
    return lines


def assert_same_as_wg(device: Device, interface: Interface) -> None:
    ours = {encode_key(peer.public_key): dump_line(peer) for peer in device.peers.values()}
    theirs = wg_dump(interface)
    assert ours.keys() == theirs.keys()
    different = [(ours[key], theirs[key]) for key in ours if ours[key] != theirs[key]]
    assert different == []


def random_peers(count: int) -> str:
    """A configuration for `wg setconf` with that many peers: v4 and v6, with and without everything."""
    chance = random.Random(SEED)
    secret = generate_preshared_key()
    lines = []
    for number in range(count):
        lines += ["[Peer]", f"PublicKey = {base64.b64encode(chance.randbytes(32)).decode()}"]
        v4 = ipaddress.IPv4Address((10 << 24) + number * 4)
        v6 = ipaddress.IPv6Address((0x20010DB8 << 96) + number)
        lines.append(f"AllowedIPs = {v4}/30, {v6}/128")
        if chance.random() < 0.7:
            address = chance.choice([f"192.0.2.{chance.randrange(1, 255)}", f"[2001:db8:ffff::{number + 1:x}]"])
            lines.append(f"Endpoint = {address}:{chance.randrange(1, 65536)}")
        if chance.random() < 0.5:
            lines.append(f"PersistentKeepalive = {chance.randrange(1, 65536)}")
        if chance.random() < 0.1:
            lines.append(f"PresharedKey = {secret}")
    return "\n".join(lines) + "\n"


def test_handshake_roaming_and_removal_are_seen_as_they_happen(network: Network, watch: Callable) -> None:
    made = star(network, ["east"])
    east, hub = made.spokes["east"], made.hub
    seen = watch(hub)
    first = seen.poll()
    assert [event["type"] for event in first] == ["interface_added", "peer_added"]
    assert all(event["initial"] for event in first)
    assert first[1]["public_key"] == east.public_key
    assert first[1]["peer"]["has_preshared_key"] is True

    made.shake_hands()
    events = seen.until("peer_handshake_refreshed")
    (handshake,) = [event for event in events if event["type"] == "peer_handshake_refreshed"]
    assert handshake["first"] is True
    assert int(handshake["peer"]["last_handshake_epoch"]) == hub.handshake_of(east.public_key)
    assert "192.0.2.11:51820" in [event["current"] for event in events if event["type"] == "peer_endpoint_changed"]

    made.host("east").move_to("192.0.2.77")
    made.shake_hands()
    (moved,) = [event for event in seen.until("peer_endpoint_changed") if event["type"] == "peer_endpoint_changed"]
    assert (moved["previous"], moved["current"]) == ("192.0.2.11:51820", "192.0.2.77:51820")

    hub.remove_peer(east.public_key)
    (removed,) = [event for event in seen.poll() if event["type"] == "peer_removed"]
    assert removed["public_key"] == east.public_key
    assert removed["peer"]["endpoint"] == "192.0.2.77:51820"


def test_10000_peers_are_the_ones_wg_shows_field_by_field(network: Network, reader: Callable) -> None:
    interface = network.host("hub", "192.0.2.1").wireguard("10.9.0.1/24", listen_port=51820)
    # Up, it would send keepalives, and counters would move between the two readings.
    interface.host.ip("link", "set", interface.name, "down")
    interface.wg("addconf", interface.name, "/dev/stdin", stdin=random_peers(10_000))
    reads = reader(interface)
    device = reads.read()
    assert len(device.peers) == 10_000
    assert_same_as_wg(device, interface)

    assert reads.read() is device, "nothing changed, so it is the same object"

    changed = next(iter(device.peers))
    interface.set_peer(encode_key(changed), keepalive=7)
    after = reads.read()
    others = [key for key in device.peers if key != changed and after.peers[key] is not device.peers[key]]
    assert others == []
    assert after.peers[changed].persistent_keepalive == 7


def test_a_peer_with_3000_allowed_ips_comes_in_parts_and_is_one(network: Network, reader: Callable) -> None:
    interface = network.host("hub", "192.0.2.1").wireguard("10.9.0.1/24", listen_port=51820)
    addresses = [str(ipaddress.IPv4Address((10 << 24) + number)) + "/32" for number in range(3000)]
    interface.host.ip("link", "set", interface.name, "down")
    key = base64.b64encode(bytes([8]) * 32).decode()
    config = f"[Peer]\nPublicKey = {key}\nPersistentKeepalive = 9\nAllowedIPs = {', '.join(addresses)}\n"
    interface.wg("addconf", interface.name, "/dev/stdin", stdin=config + random_peers(100))
    device = reader(interface).read()
    assert len(device.peers) == 101
    assert len(device.peers[base64.b64decode(key)].allowed_ips) == 3000
    assert_same_as_wg(device, interface)


def test_every_kind_of_change_by_wg_and_ip_is_one_event(network: Network, watch: Callable) -> None:
    interface = network.host("hub", "192.0.2.1").wireguard("10.9.0.1/24", listen_port=51820)
    one, other = (base64.b64encode(bytes([number]) * 32).decode() for number in (8, 16))
    interface.set_peer(one, allowed_ips=["10.1.0.0/16"])
    interface.set_peer(other, allowed_ips=["10.2.0.0/16"])
    seen = watch(interface)
    seen.poll()
    steps: list[tuple[Callable[[], object], list[tuple]]] = [
        (lambda: interface.set_peer(one, keepalive=25), [("peer_keepalive_changed", one, 0, 25)]),
        (
            lambda: interface.set_peer(one, preshared_key=generate_preshared_key()),
            [("peer_preshared_key_changed", one, False, True)],
        ),
        (
            lambda: interface.set_peer(one, preshared_key=generate_preshared_key()),
            [("peer_preshared_key_changed", one, True, True)],
        ),
        (
            lambda: interface.set_peer(one, endpoint="[2001:db8::5]:7"),
            [("peer_endpoint_changed", one, None, "[2001:db8::5]:7")],
        ),
        (
            # An allowed IP has one owner: giving it to another takes it away from the first.
            lambda: interface.set_peer(other, allowed_ips=["10.2.0.0/16", "10.1.0.0/16"]),
            [
                ("peer_allowed_ips_changed", one, ["10.1.0.0/16"], []),
                ("peer_allowed_ips_changed", other, ["10.2.0.0/16"], ["10.1.0.0/16", "10.2.0.0/16"]),
            ],
        ),
        (lambda: interface.set("listen-port", "6000"), [("interface_changed", None, 51820, 6000)]),
        (lambda: interface.set("fwmark", "5"), [("interface_changed", None, 0, 5)]),
        (lambda: interface.set_peer(one, keepalive=25), []),
        (
            lambda: interface.host.ip("link", "set", interface.name, "down"),
            [
                ("interface_changed", None, True, False),
                ("peer_state_changed", one, "never", "inactive"),
                ("peer_state_changed", other, "never", "inactive"),
            ],
        ),
        (
            lambda: interface.host.ip("link", "del", interface.name),
            [
                ("peer_removed", one, None, None),
                ("peer_removed", other, None, None),
                ("interface_removed",) + (None,) * 3,
            ],
        ),
    ]
    for step, expected in steps:
        step()
        got = [(event["type"], event["public_key"], event["previous"], event["current"]) for event in seen.poll()]
        assert sorted(got, key=repr) == sorted(expected, key=repr)


def test_only_wireguard_links_are_found(network: Network) -> None:
    host = network.host("hub", "192.0.2.1")
    interface = host.wireguard("10.9.0.1/24", listen_port=51820)
    namespace = Namespace(host.namespace)
    try:
        assert find(namespace) == [interface.name]
        assert find(namespace, "userspace") == []
    finally:
        namespace.close()


def test_what_the_kernel_refuses_is_said_in_a_sentence(network: Network) -> None:
    host = network.host("hub", "192.0.2.1")
    namespace = Namespace(host.namespace)
    try:
        with pytest.raises(NotWireGuard, match="eth0 in network namespace .* is not a WireGuard interface"):
            InterfaceReader(namespace, "eth0").read()
        with pytest.raises(InterfaceGone, match="There is no interface wg9"):
            InterfaceReader(namespace, "wg9").read()
    finally:
        namespace.close()


def test_without_privilege_the_capability_is_named(network: Network, import_folder: Path) -> None:
    interface = network.host("hub", "192.0.2.1").wireguard("10.9.0.1/24", listen_port=51820)
    code = (
        "import os, sys\n"
        "from ansible_collections.wirewatch.wireguard.plugins.module_utils import _errors, _netns, _reader\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        f"    _reader.InterfaceReader(_netns.Namespace(None), {interface.name!r}).read()\n"
        "except _errors.NoPrivilege as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        ["ip", "netns", "exec", interface.host.namespace, sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(import_folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "CAP_NET_ADMIN" in done.stdout, done.stderr
    assert interface.name in done.stdout


def test_a_writer_in_a_loop_never_makes_a_peer_vanish(network: Network, watch: Callable) -> None:
    """Half of the dumps are interrupted or end early then; what is told stays true."""
    interface = network.host("hub", "192.0.2.1").wireguard("10.9.0.1/24", listen_port=51820)
    interface.wg("addconf", interface.name, "/dev/stdin", stdin=random_peers(1000))
    stays = set(wg_dump(interface))
    comes_and_goes = base64.b64encode(bytes([8]) * 32).decode()
    seen = watch(interface)
    seen.poll()
    loop = f"while :; do wg set {interface.name} peer {comes_and_goes}; wg set {interface.name} peer {comes_and_goes} remove; done"
    writer = interface.host.start(["sh", "-c", loop])
    try:
        events: list[dict] = []

        def enough() -> bool:
            events.extend(seen.poll())
            return sum(event["public_key"] == comes_and_goes for event in events) >= 4

        wait_for(enough, 120, "the writer's peer to come and go twice")
    finally:
        writer.kill()
        writer.wait()
    about_others = [event for event in events if event["public_key"] in stays]
    assert about_others == []
    seen.poll()
    assert set(wg_dump(interface)) - {comes_and_goes} == stays


def test_events_hold_json_and_no_secret(network: Network, watch: Callable) -> None:
    made = star(network, ["east"])
    text = json.dumps(watch(made.hub).poll())
    for secret in (made.hub.keys.private, made.preshared_keys["east"]):
        assert (secret in text) is False

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a dump from poll to poll gives what decoding it afresh gives, and takes up no secret."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _layout, _netlink, _page_changes
from ansible_collections.wirewatch.wireguard.plugins.module_utils._delta import delta
from ansible_collections.wirewatch.wireguard.plugins.module_utils._diff import diff
from ansible_collections.wirewatch.wireguard.plugins.module_utils._kernel import KernelReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Device, Peer
from ansible_collections.wirewatch.wireguard.plugins.module_utils._pages import Pages
from model.host import Host, Interface
from model.host import Namespace as HostNamespace

PLACE = (None, "wg0")
SEED = 20261124
SECRETS = (0x5EC2E7 << 200, 0x5EC2E8 << 200)


def _change(host: Host, interface: Interface, chance: random.Random) -> None:
    keys = list(interface.peers)
    kind = chance.choice(
        ["count"] * 6 + ["shake"] * 3 + ["endpoint", "allowed", "keepalive", "secret", "add", "remove", "port"]
    )
    if kind == "add" or not keys:
        host.add_peer(interface, chance.randrange(1, 1 << 200))
        return
    peer = interface.peers[chance.choice(keys)]
    if kind == "count":
        peer.rx, peer.tx = peer.rx + chance.randrange(1000), peer.tx + chance.randrange(1000)
    elif kind == "shake":
        peer.handshake_ns += chance.randrange(1, 10**12)
    elif kind == "endpoint":
        peer.endpoint = chance.choice([None, ("192.0.2.7", chance.randrange(1, 9)), ("2001:db8::7", 5)])
    elif kind == "allowed":
        host.give(interface, peer.key, f"10.{chance.randrange(9)}.{chance.randrange(9)}.0/24")
    elif kind == "keepalive":
        peer.keepalive = chance.choice([0, 25])
    elif kind == "secret":
        peer.preshared_key = chance.choice([0, *SECRETS])
    elif kind == "remove":
        del interface.peers[peer.key]
    else:
        interface.listen_port = chance.choice([0, 51820, 6000])


def _be_busy(interface: Interface, chance: random.Random) -> None:
    """Most peers have packets, many shake hands, some roam."""
    for peer in interface.peers.values():
        if chance.random() < 0.8:
            peer.rx, peer.tx = peer.rx + chance.randrange(1000), peer.tx + chance.randrange(1000)
        if chance.random() < 0.5:
            peer.handshake_ns += chance.randrange(1, 10**12)
        if peer.endpoint is not None and chance.random() < 0.1:
            peer.endpoint = (peer.endpoint[0], chance.randrange(1, 9))


def _plain(device: Device) -> Device:
    """The same, with peers that know nothing of what came before."""
    return device._replace(peers=dict(device.peers))


def test_a_followed_dump_is_what_a_fresh_reader_decodes(
    full: bool, figure: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes to both: the fresh reader's host repeats the cuts of the other's."""
    ways = {"followed": 0, "decoded": 0, "recognised": 0, "together": 0}

    def count(way: str, function: Callable) -> Callable:
        def counted(*arguments: object) -> object:
            result = function(*arguments)
            ways[way] += result is not None
            return result

        return counted

    monkeypatch.setattr(_netlink, "BACKOFF", 0)
    monkeypatch.setattr(_page_changes, "AT_ONCE", 16)
    monkeypatch.setattr(Pages, "_followed", count("followed", Pages._followed))
    monkeypatch.setattr(Pages, "_decoded", count("decoded", Pages._decoded))
    monkeypatch.setattr(Pages, "recognise", count("recognised", Pages.recognise))
    patched = _layout.Layout.patched

    def patched_counted(layout: _layout.Layout, peers: list[Peer], *arguments: Any) -> list[Peer] | None:
        found = patched(layout, peers, *arguments)
        ways["together"] += found is not None and len(peers) > 1
        return found

    monkeypatch.setattr(_layout.Layout, "patched", patched_counted)
    polls = 100_000 if full else 5_000
    chance = random.Random(SEED)
    host = Host(random.Random(SEED))
    reader = None
    told_by_itself = 0
    for number in range(polls):
        if reader is None or number % 500 == 0:
            host.interfaces.clear()
            host.add_interface(None, "wg0", "kernel")
            interface = host.interfaces[PLACE]
            for _peer in range(chance.choice([1, 5, 30])):
                host.add_peer(interface, chance.randrange(1, 1 << 200))
            reader = KernelReader(HostNamespace(host, PLACE), "wg0", Pages)  # type: ignore[arg-type]
            before = reader.read()
        for _change_number in range(chance.choice([0, 0, 1, 1, 2, 20])):
            _change(host, interface, chance)
        if chance.random() < 0.2:
            _be_busy(interface, chance)
        if chance.random() < 0.02:
            reader.close()
        device = reader.read()
        fresh = KernelReader(HostNamespace(host, PLACE), "wg0")  # type: ignore[arg-type]
        assert fresh.read() == device, number
        for key, peer in device.peers.items():
            known = before.peers.get(key)
            assert known is peer or known != peer, "an unchanged peer is the same object"
        assert device is before or device != before
        found, plain = delta(before.peers, device.peers), delta(dict(before.peers), dict(device.peers))
        assert [sorted(some) for some in found[:4]] == [sorted(some) for some in plain[:4]]
        assert diff(before, device) == diff(_plain(before), _plain(device))
        told_by_itself += found.order is not None
        assert None not in reader._decoder._batches
        for buffer in (reader._netlink._inbox.buffer, *[batch.buffer for batch in reader._decoder._batches]):
            for secret in SECRETS:
                assert secret.to_bytes(32, "big")[:8] not in buffer
            assert bytes.fromhex("77076d0a7318a57d") not in buffer, "the private key"
        before = device
    assert ways["followed"] > polls / 4
    assert ways["together"] > polls / 100, "several peers of one datagram at once"
    assert told_by_itself > polls / 10, "snapshots that know what changed"
    ways_taken = f"{ways['followed']} of them followed, {ways['together']} times several peers at once"
    figure(f"{polls} polls, {ways_taken}, 0 other than decoded afresh")

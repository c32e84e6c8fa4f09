# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a dump goes by itself when the next one takes its place, and peers are patched as they would be decoded."""

from __future__ import annotations

import gc
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _page_changes, _wire
from ansible_collections.wirewatch.wireguard.plugins.module_utils._kernel import KernelReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._layout import HEADER, Layout, layout_of
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Peer
from ansible_collections.wirewatch.wireguard.plugins.module_utils._page import Batch
from ansible_collections.wirewatch.wireguard.plugins.module_utils._pages import Pages
from ansible_collections.wirewatch.wireguard.plugins.module_utils._wire import PeerBytes, decode_peer
from model.host import Host
from model.host import Namespace as HostNamespace
from unit.watching import START, key
from unit.wire import peer_bytes, sockaddr

PEERS = 60
PLACE = (None, "wg0")


def test_the_batches_of_a_dump_are_freed_without_the_collector() -> None:
    """One that led back to itself kept the whole dump until the collector came by: megabytes at each poll."""
    host = Host(random.Random(1))
    host.add_interface(None, "wg0", "kernel")
    interface = host.interfaces[PLACE]
    for number in range(30):
        host.add_peer(interface, number + 1)
    reader = KernelReader(HostNamespace(host, PLACE), "wg0", Pages)  # type: ignore[arg-type]
    reader.read()
    gc.collect()
    gc.disable()
    try:
        for _poll in range(5):
            for peer in interface.peers.values():
                peer.rx += 1
            reader.read()
        batches = [one for one in gc.get_objects() if isinstance(one, Batch)]
    finally:
        gc.enable()
        reader.close()
    assert len(batches) == len(reader._decoder._batches)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A hub whose peers all have new counters when it is read, more of them than are read together."""
    monkeypatch.setattr(_page_changes, "AT_ONCE", 4)
    host = Host(random.Random(1))
    host.add_interface(None, "wg0", "kernel")
    for number in range(30):
        host.add_peer(host.interfaces[PLACE], number + 1)
    reader = KernelReader(HostNamespace(host, PLACE), "wg0", Pages)  # type: ignore[arg-type]
    reader.read()

    def read() -> None:
        for peer in host.interfaces[PLACE].peers.values():
            peer.rx += 1
        reader.read()

    yield read
    reader.close()


@pytest.mark.parametrize("failing", [False, True], ids=["read", "failing"])
def test_the_collector_stands_still_while_a_busy_hub_is_read_and_no_longer(
    busy: Callable[[], None], monkeypatch: pytest.MonkeyPatch, failing: bool
) -> None:
    patched, enabled = Layout.patched, []

    def watched(*arguments: Any) -> Any:
        enabled.append(gc.isenabled())
        if failing:
            raise KeyboardInterrupt
        return patched(*arguments)

    monkeypatch.setattr(Layout, "patched", watched)
    assert gc.isenabled()
    with pytest.raises(KeyboardInterrupt) if failing else nullcontext():
        busy()
    assert set(enabled) == {False}
    assert gc.isenabled()


def test_a_collector_that_others_have_stopped_is_left_to_them(busy: Callable[[], None]) -> None:
    gc.disable()
    try:
        busy()
        assert not gc.isenabled()
    finally:
        gc.enable()


def field(number: int, **changed: bytes) -> bytes:
    """A peer's block, with its header."""
    return peer_bytes(number, "10.0.0.1/32", "fd00::1/128", **changed)


def decoded(block: bytes) -> Peer:
    return decode_peer(PeerBytes(key(0), [(block, HEADER, len(block))]), str)[0]._replace(public_key=block[8:40])


def layout(block: bytes) -> Layout:
    places = decode_peer(PeerBytes(key(1), [(block, HEADER, len(block))]), str)[1]
    assert places is not None
    found = layout_of(places, len(block))
    assert found is not None
    return found


def ipv4(chance: random.Random) -> bytes:
    return sockaddr(f"198.51.100.{chance.randrange(256)}", chance.randrange(1, 1 << 16))


def ipv6(chance: random.Random) -> bytes:
    host, scope = chance.choice([("2001:db8::7", 0), ("fe80::1", 3), ("fe80::1", 4)])
    return sockaddr(host, chance.randrange(1, 1 << 16), scope=scope)


def handshake(chance: random.Random) -> bytes:
    return struct.pack("=qq", START // 10**9 + chance.randrange(100), chance.randrange(10**9))


def counter(chance: random.Random) -> bytes:
    return struct.pack("=Q", chance.randrange(1 << 64))


@pytest.mark.parametrize("endpoint", [ipv4, ipv6])
@pytest.mark.parametrize("count", [1, 2, PEERS])
def test_peers_are_patched_as_they_would_be_decoded(count: int, endpoint: Callable[[random.Random], bytes]) -> None:
    """Some kinds of values change, and each of those in some of the peers."""
    chance = random.Random(count)
    makers = {"LAST_HANDSHAKE_TIME": handshake, "RX_BYTES": counter, "TX_BYTES": counter, "ENDPOINT": endpoint}
    for _round in range(50):
        values = [{name: make(chance) for name, make in makers.items()} for _number in range(count)]
        before = [field(number, **some) for number, some in enumerate(values)]
        for name in chance.sample(sorted(makers), chance.randrange(5)):
            for some in values:
                if chance.random() < 0.7:
                    some[name] = makers[name](chance)
        after = [field(number, **some) for number, some in enumerate(values)]
        patched = layout(before[0]).patched(list(map(decoded, before)), before, after, str)
        assert patched is not None
        assert patched.peers == list(map(decoded, after))
        numbers = [(one.last_handshake_ns, one.rx_bytes, one.tx_bytes) for one in map(decoded, before + after)]
        pairs = [pair for old, now in zip(numbers[:count], numbers[count:]) for pair in zip(old, now)]
        assert patched.fell is any(now < old for old, now in pairs)


@pytest.mark.parametrize("count", [1, PEERS])
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"PERSISTENT_KEEPALIVE_INTERVAL": struct.pack("=H", 26)}, id="another value"),
        pytest.param({"PRESHARED_KEY": bytes([7]) * 32}, id="another secret"),
        pytest.param({"LAST_HANDSHAKE_TIME": struct.pack("=qq", -1, 0)}, id="a time before all times"),
        pytest.param({"LAST_HANDSHAKE_TIME": struct.pack("=qq", 1 << 40, 0)}, id="a time after all times"),
        pytest.param({"LAST_HANDSHAKE_TIME": struct.pack("=qq", 1, 10**9)}, id="nanoseconds that are none"),
        pytest.param({"ENDPOINT": struct.pack("=H14x", 99)}, id="an endpoint that is none"),
    ],
)
def test_what_else_changes_is_left_to_the_decoder(count: int, changed: dict[str, bytes]) -> None:
    """One peer of many is enough."""
    before = [field(number) for number in range(count)]
    after = [field(number, **(changed if number == count // 2 else {})) for number in range(count)]
    assert layout(before[0]).patched(list(map(decoded, before)), before, after, str) is None


def test_the_attributes_that_change_are_those_of_the_kernel() -> None:
    """Were one renamed, the cases above would change nothing."""
    for name in ("LAST_HANDSHAKE_TIME", "RX_BYTES", "TX_BYTES", "ENDPOINT", "PRESHARED_KEY"):
        assert isinstance(getattr(_wire, f"WGPEER_A_{name}"), int)

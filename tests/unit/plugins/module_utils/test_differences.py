# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this collection deliberately is other than nlink 0.19's watcher: one test for each difference (docs/events.md)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import (
    MalformedReply,
    NoKernelModule,
    NoPrivilege,
    Temporary,
    Unreadable,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._kernel import KernelReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import ATTEMPTS, GenericNetlink
from ansible_collections.wirewatch.wireguard.plugins.module_utils._pages import Pages
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions
from unit.watching import FakeClock, World, peer, poll, short
from unit.wire import Kernel, device_bytes, dump, more_bytes, peer_bytes

INTERFACE = "ww-none"  # of which the host of these tests has none


def ips(number: int, *octets: int, continued: bool = False) -> bytes:
    """A peer that may use 10.0.0.OCTET."""
    return peer_bytes(number, *(f"10.0.0.{octet}/32" for octet in octets), continued=continued)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Kernel], Watcher]:
    """A watcher that reads through netlink from such a kernel."""

    def make(kernel: Kernel) -> Watcher:
        monkeypatch.setattr(GenericNetlink, "open", kernel.open)
        return Watcher(
            WatchOptions(patterns=[INTERFACE], host="gw1"),
            clock=FakeClock(),
            make_reader=lambda namespace, interface: KernelReader(
                namespace, interface, Pages, sleep=lambda _seconds: None
            ),
        )

    return make


# --- split peers are merged


def test_a_split_peer_is_one_peer_with_all_its_allowed_ips(watch: Callable[[Kernel], Watcher]) -> None:
    messages = [
        device_bytes(ips(1, 1), ips(2, 2, 3)),
        more_bytes(ips(2, 4, continued=True)),
        more_bytes(ips(2, 5, continued=True), ips(3, 6)),
    ]
    events = poll(watch(Kernel(dump(*messages))))
    assert short(events) == [f"interface_added {INTERFACE}", *(f"peer_added {INTERFACE} {n}" for n in (1, 2, 3))]
    split = events[2]["peer"]
    assert split["allowed_ips"] == [f"10.0.0.{octet}/32" for octet in (2, 3, 4, 5)]
    assert (split["rx_bytes"], split["last_handshake"]) == (42, "2026-11-23T12:00:00.000005Z")


def test_a_peer_that_is_split_elsewhere_in_the_next_dump_did_not_change(watch: Callable[[Kernel], Watcher]) -> None:
    """Where messages end depends on the socket's age and on the other peers. nlink takes that for changes."""
    whole = [device_bytes(ips(1, 1, 2, 3))]
    split = [device_bytes(ips(1, 1)), more_bytes(ips(1, 2, 3, continued=True))]
    other = [device_bytes(ips(1, 1, 2)), more_bytes(ips(1, 3, continued=True))]
    watcher = watch(Kernel(dump(*whole), dump(*split), dump(*other), dump(*whole)))
    poll(watcher)
    assert [poll(watcher) for _poll in range(3)] == [[], [], []]


# --- an interrupted dump is retried and never diffed


def test_an_interrupted_dump_is_thrown_away_and_asked_for_again(watch: Callable[[Kernel], Watcher]) -> None:
    """When the peer at the cursor is removed the rest is missing: here it would be peers 2 and 3."""
    whole = [device_bytes(ips(1, 1)), device_bytes(ips(2, 2), ips(3, 3))]
    torn = [device_bytes(ips(1, 1)), more_bytes()]
    kernel = Kernel(dump(*whole), *[dump(*torn, interrupted=True)] * (ATTEMPTS - 1), dump(*whole))
    watcher = watch(kernel)
    poll(watcher)
    assert poll(watcher) == []
    # A fresh socket for each attempt, the old ones closed: left open, an unfinished dump blocks the link's removal.
    assert [sock.closed for sock in kernel.opened] == [True] * (ATTEMPTS - 1) + [False]


def test_dumps_that_are_interrupted_again_and_again_degrade_the_watch_and_remove_nobody(
    watch: Callable[[Kernel], Watcher],
) -> None:
    whole = [device_bytes(ips(1, 1)), device_bytes(ips(2, 2))]
    torn = [device_bytes(ips(1, 1)), more_bytes()]
    kernel = Kernel(dump(*whole), dump(*torn, interrupted=True))
    watcher = watch(kernel)
    poll(watcher)
    (event,) = poll(watcher)
    assert event["type"] == "watch_degraded"
    assert event["reason"] == (
        f"The interface was changed while it was read (NLM_F_DUMP_INTR), {ATTEMPTS} times in a row, for interface {INTERFACE}"
    )
    assert poll(watcher) == []
    kernel.answers = [dump(device_bytes(ips(1, 1)))]
    assert short(poll(watcher)) == [f"watch_recovered {INTERFACE}", f"peer_removed {INTERFACE} 2"]


# --- a temporary error is not a removal; a permanent failure is loud


@pytest.mark.parametrize(
    "error",
    [
        Temporary("The kernel is busy"),
        MalformedReply("The kernel's answer has no interface index"),
        NoPrivilege("Interface wg0 can't be read: that needs the capability CAP_NET_ADMIN"),
        NoKernelModule("The kernel has no WireGuard"),
        Unreadable("Interface wg0 can't be read: the kernel answers Invalid argument (errno 22)"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_told_once_with_its_reason_and_removes_nobody(error: Exception) -> None:
    world = World()
    world.put("wg0", peer(1), peer(2))
    watcher = world.watcher("wg0")
    poll(watcher)
    world.fail("wg0", error)
    (event,) = poll(watcher)
    assert (event["type"], event["interface"], event["reason"]) == ("watch_degraded", "wg0", str(error))
    for _poll in range(5):
        world.clock.sleep(1)
        assert poll(watcher) == []
    world.put("wg0", peer(1), peer(2))
    assert short(poll(watcher)) == ["watch_recovered wg0"]


def test_a_failure_from_the_very_start_is_as_loud() -> None:
    """nlink yields empty results for ever for a wrong name or a missing privilege."""
    world = World()
    world.fail("wg0", NoPrivilege("It needs CAP_NET_ADMIN"))
    watcher = world.watcher("wg0", "typo")
    events = poll(watcher)
    assert [(event["type"], event["interface"], event["reason"]) for event in events] == [
        ("watch_degraded", "wg0", "It needs CAP_NET_ADMIN"),
        ("watch_degraded", "typo", "There is no interface typo. It is watched for"),
    ]
    assert poll(watcher) == []


# --- what is compared, and how


@pytest.fixture
def world() -> World:
    return World()


def test_allowed_ips_are_a_set(world: World, watch: Callable[[Kernel], Watcher]) -> None:
    """The kernel lists them in the order of their last insertion, so a no-op `wg set` turns them round."""
    one, other = [device_bytes(ips(1, 1, 2, 3))], [device_bytes(ips(1, 3, 1, 2))]
    watcher = watch(Kernel(dump(*one), dump(*other)))
    poll(watcher)
    assert poll(watcher) == []


def test_a_handshake_that_is_different_though_smaller_is_a_handshake(world: World) -> None:
    """The wall clock was stepped back by an hour: nlink asks for a later time, and sees no handshake for that hour."""
    world.put("wg0", peer(1, handshake=0))
    watcher = world.watcher("wg0")
    poll(watcher)
    world.clock.sleep(120)
    world.clock.step = -3600 * SECOND
    world.put("wg0", peer(1, handshake=120 - 3600))
    (event,) = poll(watcher)
    assert (event["type"], event["first"]) == ("peer_handshake_refreshed", False)
    assert (event["previous"], event["current"]) == ("2026-11-23T12:00:00.000000Z", "2026-11-23T11:02:00.000000Z")
    assert event["peer"]["state"] == "up"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"handshake": 0}, {}),
        ({"rx_bytes": 9}, {"rx_bytes": 8}),
        ({"tx_bytes": 9}, {"tx_bytes": 0}),
        ({"handshake": 0, "rx_bytes": 9}, {"handshake": 1, "rx_bytes": 8}),
    ],
    ids=["handshake gone", "rx went back", "tx went back", "new and already shaken hands"],
)
def test_a_peer_made_anew_within_an_interval_is_seen(
    world: World, before: dict[str, int], after: dict[str, int]
) -> None:
    world.put("wg0", peer(1, **before), peer(2))
    watcher = world.watcher("wg0", types=frozenset(["peer_added", "peer_removed", "peer_recreated"]))
    poll(watcher)
    world.put("wg0", peer(1, **after), peer(2))
    (event,) = poll(watcher)
    assert short([event]) == ["peer_recreated wg0 1"]
    assert (event["previous"], event["current"]) == (None, None)


def test_an_interface_made_anew_within_an_interval_makes_each_of_its_peers_anew(world: World) -> None:
    world.put("wg0", peer(1), peer(2), ifindex=7)
    watcher = world.watcher("wg0")
    poll(watcher)
    world.put("wg0", peer(1), peer(2), ifindex=8)
    assert short(poll(watcher)) == ["interface_changed wg0", "peer_recreated wg0 1", "peer_recreated wg0 2"]

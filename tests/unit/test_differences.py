# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this collection deliberately is other than nlink 0.19's watcher: one test for each difference (docs/events.md)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._clock import SECOND
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import (
    MalformedReply,
    NoKernelModule,
    NoPrivilege,
    Temporary,
    Unreadable,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._kernel import ATTEMPTS, KernelReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import (
    CTRL_ATTR_FAMILY_ID,
    GENERIC_HEADER,
    GENL_ID_CTRL,
    MESSAGE_HEADER,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    GenericNetlink,
    attribute,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions
from ansible_collections.wirewatch.wireguard.plugins.module_utils._wire import (
    WGALLOWEDIP_A_CIDR_MASK,
    WGALLOWEDIP_A_FAMILY,
    WGALLOWEDIP_A_IPADDR,
    WGDEVICE_A_IFINDEX,
    WGDEVICE_A_PEERS,
    WGPEER_A_ALLOWEDIPS,
    WGPEER_A_LAST_HANDSHAKE_TIME,
    WGPEER_A_PUBLIC_KEY,
    WGPEER_A_RX_BYTES,
)
from unit.watching import START, FakeClock, World, key, peer, poll, short

INTERFACE = "ww-none"  # of which the host of these tests has none
FAMILY = 30  # the number that this kernel gave to its family

# --- a kernel of bytes


def allowed_ip(octet: int) -> bytes:
    """10.0.0.OCTET/32"""
    return attribute(
        0,
        attribute(WGALLOWEDIP_A_FAMILY, struct.pack("=H", 2))
        + attribute(WGALLOWEDIP_A_IPADDR, bytes((10, 0, 0, octet)))
        + attribute(WGALLOWEDIP_A_CIDR_MASK, b"\x20"),
    )


def peer_bytes(number: int, *octets: int, continued: bool = False) -> bytes:
    """A peer; `continued` is what the kernel writes of one that began in the message before: key and allowed IPs only."""
    scalars = b"" if continued else attribute(WGPEER_A_LAST_HANDSHAKE_TIME, struct.pack("=qq", START // SECOND, 5000))
    scalars += b"" if continued else attribute(WGPEER_A_RX_BYTES, struct.pack("=Q", 42))
    ips = attribute(WGPEER_A_ALLOWEDIPS, b"".join(map(allowed_ip, octets)))
    return attribute(0, attribute(WGPEER_A_PUBLIC_KEY, key(number)) + scalars + ips)


def message(*peers: bytes) -> bytes:
    return attribute(WGDEVICE_A_IFINDEX, struct.pack("=I", 7)) + attribute(WGDEVICE_A_PEERS, b"".join(peers))


class Kernel:
    """Answers each dump with the next of `dumps` (messages, and whether one is flagged as interrupted), then the last."""

    def __init__(self, *dumps: tuple[Sequence[bytes], bool]) -> None:
        self.dumps = list(dumps)
        self.opened: list[KernelSocket] = []

    def open(self) -> GenericNetlink:
        self.opened.append(KernelSocket(self))
        return GenericNetlink(self.opened[-1])  # type: ignore[arg-type]


class KernelSocket:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._replies: list[bytes] = []
        self.closed = False

    def settimeout(self, seconds: float) -> None:
        pass

    def getsockname(self) -> tuple[int, int]:
        return 4711, 0

    def close(self) -> None:
        self.closed = True

    def send(self, request: bytes) -> None:
        _length, kind, _flags, sequence, port = MESSAGE_HEADER.unpack_from(request)

        def reply(kind: int, payload: bytes, flags: int = 0) -> None:
            header = MESSAGE_HEADER.pack(MESSAGE_HEADER.size + len(payload), kind, flags, sequence, port)
            self._replies.append(header + payload)

        generic = GENERIC_HEADER.pack(0, 1, 0)
        if kind == GENL_ID_CTRL:
            reply(GENL_ID_CTRL, generic + attribute(CTRL_ATTR_FAMILY_ID, struct.pack("=H", FAMILY)))
            reply(NLMSG_ERROR, struct.pack("=i", 0))
            return
        dumps = self._kernel.dumps
        messages, interrupted = dumps.pop(0) if len(dumps) > 1 else dumps[0]
        for number, body in enumerate(messages):
            # The kernel flags one message only, and not the first one.
            last = number == len(messages) - 1
            reply(FAMILY, generic + body, NLM_F_DUMP_INTR if interrupted and last else 0)
        reply(NLMSG_DONE, struct.pack("=i", 0))

    def recvmsg(self, size: int) -> tuple[bytes, list[object], int, tuple[int, int]]:
        return self._replies.pop(0), [], 0, (0, 0)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Kernel], Watcher]:
    """A watcher that reads through netlink from such a kernel."""

    def make(kernel: Kernel) -> Watcher:
        monkeypatch.setattr(GenericNetlink, "open", kernel.open)
        return Watcher(
            WatchOptions(patterns=[INTERFACE], host="gw1"),
            clock=FakeClock(),
            make_reader=lambda namespace, interface: KernelReader(namespace, interface, sleep=lambda _seconds: None),
        )

    return make


# --- split peers are merged


def test_a_split_peer_is_one_peer_with_all_its_allowed_ips(watch: Callable[[Kernel], Watcher]) -> None:
    dump = [
        message(peer_bytes(1, 1), peer_bytes(2, 2, 3)),
        message(peer_bytes(2, 4, continued=True)),
        message(peer_bytes(2, 5, continued=True), peer_bytes(3, 6)),
    ]
    events = poll(watch(Kernel((dump, False))))
    assert short(events) == [f"interface_added {INTERFACE}", *(f"peer_added {INTERFACE} {n}" for n in (1, 2, 3))]
    split = events[2]["peer"]
    assert split["allowed_ips"] == [f"10.0.0.{octet}/32" for octet in (2, 3, 4, 5)]
    assert (split["rx_bytes"], split["last_handshake"]) == (42, "2026-11-23T12:00:00.000005Z")


def test_a_peer_that_is_split_elsewhere_in_the_next_dump_did_not_change(watch: Callable[[Kernel], Watcher]) -> None:
    """Where messages end depends on the socket's age and on the other peers. nlink takes that for changes."""
    whole = [message(peer_bytes(1, 1, 2, 3))]
    split = [message(peer_bytes(1, 1)), message(peer_bytes(1, 2, 3, continued=True))]
    other = [message(peer_bytes(1, 1, 2)), message(peer_bytes(1, 3, continued=True))]
    watcher = watch(Kernel((whole, False), (split, False), (other, False), (whole, False)))
    poll(watcher)
    assert [poll(watcher) for _poll in range(3)] == [[], [], []]


# --- an interrupted dump is retried and never diffed


def test_an_interrupted_dump_is_thrown_away_and_asked_for_again(watch: Callable[[Kernel], Watcher]) -> None:
    """When the peer at the cursor is removed the rest is missing: here it would be peers 2 and 3."""
    whole = [message(peer_bytes(1, 1)), message(peer_bytes(2, 2), peer_bytes(3, 3))]
    torn = [message(peer_bytes(1, 1)), message()]
    kernel = Kernel((whole, False), *[(torn, True)] * (ATTEMPTS - 1), (whole, False))
    watcher = watch(kernel)
    poll(watcher)
    assert poll(watcher) == []
    # A fresh socket for each attempt, the old ones closed: left open, an unfinished dump blocks the link's removal.
    assert [sock.closed for sock in kernel.opened] == [True] * (ATTEMPTS - 1) + [False]


def test_dumps_that_are_interrupted_again_and_again_degrade_the_watch_and_remove_nobody(
    watch: Callable[[Kernel], Watcher],
) -> None:
    whole = [message(peer_bytes(1, 1)), message(peer_bytes(2, 2))]
    torn = [message(peer_bytes(1, 1)), message()]
    kernel = Kernel((whole, False), (torn, True))
    watcher = watch(kernel)
    poll(watcher)
    (event,) = poll(watcher)
    assert event["type"] == "watch_degraded"
    assert event["reason"] == (
        f"The interface was changed while it was read (NLM_F_DUMP_INTR), {ATTEMPTS} times in a row, for interface {INTERFACE}"
    )
    assert poll(watcher) == []
    kernel.dumps = [([message(peer_bytes(1, 1))], False)]
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
    one, other = [message(peer_bytes(1, 1, 2, 3))], [message(peer_bytes(1, 3, 1, 2))]
    watcher = watch(Kernel((one, False), (other, False)))
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

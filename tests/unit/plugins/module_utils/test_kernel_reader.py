# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading an interface of the kernel poll after poll: what is tried again, what is said, what stays the same object."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _errors, _page_changes, _pages, _wire
from ansible_collections.wirewatch.wireguard.plugins.module_utils._kernel import KernelReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._listening import ListeningNamespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import ATTEMPTS, GENL_ID_CTRL, GenericNetlink
from ansible_collections.wirewatch.wireguard.plugins.module_utils._pages import Pages
from ansible_collections.wirewatch.wireguard.plugins.module_utils._wire import PeerBytes
from unit.watching import key
from unit.wire import (
    FAMILY,
    IFINDEX,
    Answer,
    Kernel,
    allowed_ip,
    device_bytes,
    dump,
    family,
    more_bytes,
    peer_bytes,
    refusal,
    sockaddr,
)

INTERFACE = "ww-none"  # of which the host of these tests has none


class Links(ListeningNamespace):
    """Of which there is one, or none."""

    def __init__(self) -> None:
        super().__init__(None)
        self.there: tuple[int | None, bool | None] = (None, None)
        self.asked = 0

    def link(self, interface: str) -> tuple[int | None, bool | None]:
        self.asked += 1
        return self.there


class Reading:
    """A reader of such a kernel, and how long it slept."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.slept: list[float] = []
        self.links = Links()
        self.reader = KernelReader(self.links, INTERFACE, Pages, sleep=self.slept.append)
        self.read = self.reader.read


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reading]:
    def make(*answers: Answer) -> Reading:
        kernel = Kernel(*answers)
        monkeypatch.setattr(GenericNetlink, "open", kernel.open)
        return Reading(kernel)

    return make


TWO = dump(device_bytes(peer_bytes(1), peer_bytes(2)))


# --- what is tried again


@pytest.mark.parametrize(
    "passing",
    [
        dump(device_bytes(peer_bytes(1)), interrupted=True),
        refusal(errno.EBUSY),
        refusal(errno.ENOBUFS),
        refusal(errno.EINTR),
        lambda frame: [],
        dump(device_bytes(peer_bytes(1), peer_bytes(2), peer_bytes(1))),
    ],
    ids=["interrupted", "EBUSY", "ENOBUFS", "EINTR", "time-out", "a peer twice"],
)
def test_what_may_pass_is_tried_again_on_a_fresh_socket(reading: Callable[..., Reading], passing: Answer) -> None:
    made = reading(passing, TWO)
    assert set(made.read().peers) == {key(1), key(2)}
    assert [sock.closed for sock in made.kernel.opened] == [True, False]
    assert len(made.slept) == 1


def test_it_gives_up_after_some_tries_ever_further_apart(reading: Callable[..., Reading]) -> None:
    made = reading(refusal(errno.EBUSY))
    with pytest.raises(
        _errors.Temporary, match=f"The kernel is busy .* {ATTEMPTS} times in a row, for interface {INTERFACE}"
    ):
        made.read()
    assert made.slept == [0.01 * 2**number for number in range(ATTEMPTS - 1)]
    assert all(sock.closed for sock in made.kernel.opened), "an unfinished dump left open blocks the link's removal"
    assert len(made.kernel.opened) == ATTEMPTS


def test_the_family_is_looked_up_again_after_a_failure_since_the_module_may_be_another(
    reading: Callable[..., Reading],
) -> None:
    made = reading(TWO, refusal(errno.ENOENT), TWO)
    made.read()
    made.kernel.family = family(FAMILY)
    made.read()
    assert made.kernel.requests == [GENL_ID_CTRL, FAMILY, FAMILY, GENL_ID_CTRL, FAMILY]


# --- what is said at once


@pytest.mark.parametrize(
    ("code", "error", "sentence"),
    [
        (errno.ENODEV, _errors.InterfaceGone, f"There is no interface {INTERFACE}"),
        (errno.EOPNOTSUPP, _errors.NotWireGuard, f"Interface {INTERFACE} is not a WireGuard interface"),
        (errno.EPERM, _errors.NoPrivilege, f"Interface {INTERFACE} can't be read: .* CAP_NET_ADMIN .* Run as root"),
        (errno.EINVAL, _errors.Unreadable, r"the kernel answers Invalid argument \(errno 22\)"),
    ],
)
def test_what_will_not_pass_is_said_at_once(
    reading: Callable[..., Reading], code: int, error: type[Exception], sentence: str
) -> None:
    made = reading(refusal(code))
    with pytest.raises(error, match=sentence):
        made.read()
    assert made.slept == []
    assert all(sock.closed for sock in made.kernel.opened)


def test_a_kernel_without_the_module_says_what_to_do(reading: Callable[..., Reading]) -> None:
    made = reading(TWO)
    made.kernel.family = refusal(errno.ENOENT)
    with pytest.raises(_errors.NoKernelModule, match="modprobe wireguard.*wireguard-go"):
        made.read()


def test_an_empty_answer_is_an_error_and_not_an_interface_without_peers(reading: Callable[..., Reading]) -> None:
    with pytest.raises(_errors.MalformedReply, match="has no interface index"):
        reading(dump()).read()


# --- which link it is


def test_whether_the_link_is_up_is_seen_at_each_poll(reading: Callable[..., Reading]) -> None:
    made = reading(TWO)
    assert made.read().up is None, "links can't be seen from here"
    for up in (True, True, False):
        made.links.there = (IFINDEX, up)
        assert made.read().up is up


def test_a_link_of_which_nothing_is_told_is_not_asked_for_again(reading: Callable[..., Reading]) -> None:
    anew = dump(device_bytes(peer_bytes(1)).replace(struct.pack("=I", IFINDEX), struct.pack("=I", IFINDEX + 1), 1))
    made = reading(TWO, TWO, TWO, TWO, anew)
    with made.links.link_socket():
        made.links.there = (IFINDEX, True)
        assert (made.read().up, made.read().up, made.links.asked) == (True, True, 1)
        made.links.there = (IFINDEX, False)
        assert (made.read().up, made.links.asked) == (True, 1), "nobody told yet"
        made.links.hear_of_links()
        assert (made.read().up, made.links.asked) == (False, 2)
        made.links.there = (IFINDEX + 1, True)
        assert (made.read().up, made.links.asked) == (True, 3), "the dump itself tells that it is another link"


@pytest.mark.parametrize("now", [(IFINDEX + 1, True), (None, None)], ids=["another", "none"])
def test_a_link_that_is_another_or_none_by_now_is_never_taken_for_the_one_that_was_dumped(
    reading: Callable[..., Reading], now: tuple[int | None, bool | None]
) -> None:
    made = reading(TWO)
    made.links.there = (IFINDEX, True)
    before = made.read()
    made.links.there = now
    with pytest.raises(_errors.Temporary, match="removed or made anew while it was read"):
        made.read()
    made.links.there = (IFINDEX, True)
    assert made.read() is before


# --- what stays the same object


def test_where_nothing_changed_it_is_the_same_device(reading: Callable[..., Reading]) -> None:
    made = reading(TWO)
    assert made.read() is made.read()


def test_a_counter_that_moved_makes_that_peer_anew_and_no_other(reading: Callable[..., Reading]) -> None:
    moved = peer_bytes(2, RX_BYTES=struct.pack("=Q", 43))
    made = reading(TWO, dump(device_bytes(peer_bytes(1), moved)))
    before, after = made.read(), made.read()
    assert after is not before
    assert after.peers[key(1)] is before.peers[key(1)]
    assert after.peers[key(2)] == before.peers[key(2)]._replace(rx_bytes=43)


def test_peers_in_another_order_are_the_same_device(reading: Callable[..., Reading]) -> None:
    made = reading(TWO, dump(device_bytes(peer_bytes(2), peer_bytes(1))))
    assert made.read() is made.read()


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_the_second_dump_is_recognised_however_the_first_came(
    reading: Callable[..., Reading], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """For the first there is room for few datagrams at once, after it for as many as there were."""
    decoded, decode_peer = [], _wire.decode_peer

    def decode(raw: PeerBytes, *more: Any) -> Any:
        decoded.append(raw.key)
        return decode_peer(raw, *more)

    for module in (_pages, _page_changes):
        monkeypatch.setattr(module, "decode_peer", decode)
    followed = []
    follow = Pages._followed
    monkeypatch.setattr(Pages, "_followed", lambda *one: followed.append(follow(*one)) or followed[-1])
    later = [more_bytes(peer_bytes(number)) for number in range(1, count)]
    moved = [more_bytes(peer_bytes(number, RX_BYTES=struct.pack("=Q", 9000 + number))) for number in range(1, count)]
    made = reading(
        dump(device_bytes(peer_bytes(0)), *later),
        dump(device_bytes(peer_bytes(0, RX_BYTES=struct.pack("=Q", 9000))), *moved),
    )
    made.read()
    assert {peer.rx_bytes for peer in made.read().peers.values()} == {9000 + number for number in range(count)}
    assert [found is not None for found in followed] == [False, True]
    assert decoded == [key(number) for number in range(count)]


def test_a_device_that_changed_keeps_its_peers(reading: Callable[..., Reading]) -> None:
    made = reading(TWO, dump(device_bytes(peer_bytes(1), peer_bytes(2), own_key=False)))
    before, after = made.read(), made.read()
    assert (before.has_private_key, after.has_private_key) == (True, False)
    assert after.peers is before.peers


def test_a_replaced_preshared_key_is_seen_and_not_kept(reading: Callable[..., Reading]) -> None:
    answers = [dump(device_bytes(peer_bytes(1, PRESHARED_KEY=bytes([number]) * 32))) for number in (1, 2)]
    made = reading(*answers)
    one, other = (made.read().peers[key(1)].preshared_key for _poll in range(2))
    assert one != other
    assert None not in (one, other)


def test_a_failed_poll_leaves_the_memory_as_it_was(reading: Callable[..., Reading]) -> None:
    broken = dump(device_bytes(peer_bytes(1, RX_BYTES=b"short")))
    made = reading(TWO, broken, TWO)
    before = made.read()
    with pytest.raises(_errors.MalformedReply):
        made.read()
    assert made.read() is before


@pytest.mark.parametrize(
    ("usual", "spoiled"),
    [
        pytest.param({}, {"ENDPOINT": struct.pack("=H14x", 99)}, id="a family that is none"),
        pytest.param(
            {"ENDPOINT": sockaddr("2001:db8::7", 7)},
            {"ENDPOINT": struct.pack("=H26x", 99)},
            id="the same in a long one",
        ),
        pytest.param({}, {"LAST_HANDSHAKE_TIME": struct.pack("=qq", -1, 0)}, id="a time that is none"),
        pytest.param(
            {"ALLOWEDIPS": allowed_ip("10.0.0.2/32")},
            {"ALLOWEDIPS": allowed_ip("10.0.0.2/32").replace(b"\x20", b"\x21")},
            id="a prefix that is too long",
        ),
    ],
)
def test_where_an_answer_is_spoiled_is_told_as_if_none_had_come_before(
    reading: Callable[..., Reading], usual: dict[str, bytes], spoiled: dict[str, bytes]
) -> None:
    broken = dump(device_bytes(peer_bytes(1), peer_bytes(2, **spoiled)))
    followed = reading(dump(device_bytes(peer_bytes(1), peer_bytes(2, **usual))), broken)
    followed.read()
    with pytest.raises(_errors.MalformedReply, match=r" offset \d\d\d") as told:
        followed.read()
    with pytest.raises(_errors.MalformedReply) as told_afresh:
        reading(broken).read()
    assert str(told.value) == str(told_afresh.value)

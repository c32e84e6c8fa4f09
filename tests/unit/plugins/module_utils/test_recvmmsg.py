# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many datagrams for one system call, over real sockets: what comes one by one comes together, and nothing else."""

from __future__ import annotations

import ctypes
import errno
import signal
import socket
import struct
from typing import Iterator, NamedTuple

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _recvmmsg
from ansible_collections.wirewatch.wireguard.plugins.module_utils._inbox import MSG_TRUNC, Inbox
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import (
    CTRL_CMD_GETFAMILY,
    GENERIC_HEADER,
    GENL_ID_CTRL,
    NETLINK_GENERIC,
    GenericNetlink,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._recvmmsg import FEW, MANY, Recvmmsg


class Pair(NamedTuple):
    """Two netlink sockets: what the one sends, as the kernel does, the other receives."""

    kernel: socket.socket
    reader: socket.socket


@pytest.fixture
def pair() -> Iterator[Pair]:
    kernel, reader = (socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) for _end in range(2))
    with kernel, reader:
        for end in (kernel, reader):
            end.bind((0, 0))
        kernel.connect(reader.getsockname())
        yield Pair(kernel, reader)


def taken(inbox: Inbox) -> list[bytes]:
    inbox.receive()
    starts = range(0, len(inbox.buffer), inbox.room)
    return [bytes(inbox.buffer[start : start + size]) for start, size in zip(starts, inbox.shape.sizes)]


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number * 100 for number in range(count)]


def test_what_is_there_comes_with_one_call_as_far_as_there_is_room(pair: Pair) -> None:
    """For as many as the dumps before had, and for one more: a call with room to spare has seen that no more is there."""
    inbox = Recvmmsg(pair.reader)
    for count, of_each_call in (
        (3, [FEW, 1]),
        (3, [3]),
        (2 * MANY, [4] * 8),
        (2 * MANY + 1, [MANY, MANY, 1]),
        (3, [3]),
    ):
        sent, batches = numbered(count), []
        for data in sent:
            pair.kernel.send(data)
        while sum(map(len, batches)) < count:
            batches.append(taken(inbox))
        assert [data for batch in batches for data in batch] == sent
        assert [len(batch) for batch in batches] == of_each_call
        assert inbox.is_empty()
        inbox.make_room(count)


def test_who_asks_is_told_whether_more_is_there(pair: Pair) -> None:
    inbox = Recvmmsg(pair.reader)
    pair.kernel.send(b"one")
    assert taken(inbox) == [b"one"]
    assert inbox.is_empty(), "the call had room for another"
    for data in numbered(FEW + 1):
        pair.kernel.send(data)
    assert taken(inbox) == numbered(FEW)
    assert not inbox.is_empty()


def test_a_batch_that_fills_the_room_may_be_all(pair: Pair) -> None:
    inbox = Recvmmsg(pair.reader)
    for data in numbered(FEW):
        pair.kernel.send(data)
    assert taken(inbox) == numbered(FEW)
    assert inbox.is_empty()


def test_it_waits_for_the_first_one_and_for_no_longer_than_the_socket_does(pair: Pair) -> None:
    pair.reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 10_000))
    inbox = Recvmmsg(pair.reader)
    with pytest.raises(BlockingIOError):
        inbox.receive()
    pair.kernel.send(b"late")
    assert taken(inbox) == [b"late"]


def test_a_signal_does_not_end_the_wait(pair: Pair) -> None:
    came = []

    def handler(_number: int, _frame: object) -> None:
        came.append("signal")
        pair.kernel.send(b"after the signal")

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        assert taken(Recvmmsg(pair.reader)) == [b"after the signal"]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert came == ["signal"]


def test_a_signal_that_raises_ends_the_wait(pair: Pair) -> None:
    class Stop(Exception):
        pass

    def handler(_number: int, _frame: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(Stop):
            Recvmmsg(pair.reader).receive()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_what_does_not_fit_is_marked(pair: Pair) -> None:
    inbox = Recvmmsg(pair.reader)
    pair.kernel.send(b"x" * (inbox.room + 1))
    pair.kernel.send(b"fits")
    inbox.receive()
    assert inbox.shape.sizes == (inbox.room, 4)
    assert [flags & MSG_TRUNC for flags in inbox.shape.flags] == [MSG_TRUNC, 0]
    assert inbox.buffer[inbox.room :].startswith(b"fits\0")


def test_the_senders_port_is_told(pair: Pair) -> None:
    """Which is how a stranger's message is told from the kernel's."""
    pair.kernel.send(b"not of the kernel")
    inbox = Recvmmsg(pair.reader)
    inbox.receive()
    assert inbox.shape.senders == (pair.kernel.getsockname()[0],)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_where_the_call_may_not_be_made_they_come_one_by_one(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """As under a filter of system calls (seccomp(2))."""
    inbox, refusals = Recvmmsg(pair.reader), []

    def refused(*_arguments: object) -> int:
        ctypes.set_errno(code)
        refusals.append(code)
        return -1

    monkeypatch.setattr(inbox, "_call", refused)
    for data in numbered(3):
        pair.kernel.send(data)
    assert [taken(inbox) for _number in range(2)] == [[data] for data in numbered(2)]
    assert not inbox.is_empty()
    inbox.make_room(3)
    pair.kernel.send(b"last")
    assert (taken(inbox), inbox.is_empty()) == ([b"last"], True)
    assert refusals == [code], "it is tried once"


def test_a_python_without_ctypes_receives_one_by_one(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_recvmmsg, "ctypes", None)
    inbox = Recvmmsg(pair.reader)
    for data in numbered(2):
        pair.kernel.send(data)
    assert (taken(inbox), inbox.is_empty()) == (numbered(1), False)
    inbox.make_room(2)
    pair.kernel.send(b"last")
    assert (taken(inbox), inbox.is_empty()) == ([b"last"], True)


def test_a_closed_socket_is_an_error(pair: Pair) -> None:
    inbox = Recvmmsg(pair.reader)
    pair.reader.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        inbox.receive()


@pytest.mark.parametrize("kind", [Inbox, Recvmmsg])
def test_what_came_is_erased_and_no_more(pair: Pair, kind: type[Inbox]) -> None:
    inbox = kind(pair.reader)
    for data in (b"longer, and a secret", b"short"):
        pair.kernel.send(data)
        assert taken(inbox) == [data]
        assert any(inbox.buffer)
        inbox.erase()
        assert not any(inbox.buffer)
    if kind is Recvmmsg:
        assert inbox.make_room(MANY) == MANY * inbox.room
        for data in numbered(MANY):
            pair.kernel.send(data)
        assert taken(inbox) == numbered(MANY)
        inbox.erase()
        assert not any(inbox.buffer)


@pytest.mark.parametrize("may", [True, False], ids=["together", "one by one"])
def test_a_buffer_that_is_taken_is_not_written_to_again(pair: Pair, may: bool) -> None:
    inbox = Recvmmsg(pair.reader)
    inbox._may = may
    pair.kernel.send(b"first")
    inbox.receive()
    taken_away, spare = inbox.buffer, inbox.new_buffer(len(inbox.buffer))
    inbox.exchange(spare)
    pair.kernel.send(b"other")
    inbox.receive()
    assert bytes(taken_away).rstrip(b"\0") == b"first"
    assert inbox.buffer is spare
    assert bytes(spare).rstrip(b"\0") == b"other"


def test_a_dump_of_the_kernel_is_the_same_either_way() -> None:
    """All families of generic netlink, which every kernel has."""
    found = []
    for inbox in (Inbox, Recvmmsg):
        netlink = GenericNetlink.open(inbox)
        try:
            for _round in range(3):
                request = GENERIC_HEADER.pack(CTRL_CMD_GETFAMILY, 2, 0)
                datagrams = netlink.request_dump(GENL_ID_CTRL, request, GENL_ID_CTRL)
                found.append([one.data[start:stop] for one in datagrams for start, stop in one.messages])
        finally:
            netlink.close()
    assert found == found[:1] * 6
    assert any(b"nlctrl\0" in body for body in found[0])

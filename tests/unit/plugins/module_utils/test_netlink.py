# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump counts only as a whole: every way in which it may not be one (docs: netlink(7), include/uapi/linux/netlink.h)."""

from __future__ import annotations

import errno
import socket
import struct
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _netlink
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import MalformedReply, Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._inbox import Inbox
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import (
    GENERIC_HEADER,
    GENL_ID_CTRL,
    NLM_F_DUMP_INTR,
    NLMSG_NOOP,
    NLMSG_OVERRUN,
    GenericNetlink,
    Recognise,
    attribute,
    attributes,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._recvmmsg import Recvmmsg
from hypothesis import given
from hypothesis import strategies as st
from unit.wire import FAMILY, Answer, Datagram, Frame, Kernel, Together, dump, refusal

BODY = attribute(1, b"what stands in it")


class OneByOne(Inbox):
    room = Together.room


def dump_of(netlink: GenericNetlink, recognise: Recognise | None = None) -> list[Any]:
    return netlink.request_dump(FAMILY, GENERIC_HEADER.pack(0, 1, 0), FAMILY, recognise)


def dumped(answer: Answer) -> list[bytes]:
    """The payload of each message of a dump that is answered so: the same whether datagrams come one by one or together."""
    one_by_one, together = _outcome(answer, OneByOne), _outcome(answer, Together)
    assert str(one_by_one) == str(together)
    if isinstance(together, Exception):
        raise together
    return together


def _outcome(answer: Answer, inbox: type[Inbox]) -> list[bytes] | Exception:
    netlink = Kernel(answer).open(inbox)
    try:
        return [one.data[start:stop] for one in dump_of(netlink) for start, stop in one.messages]
    except (Temporary, MalformedReply, OSError) as error:
        return error


def test_a_dump_is_the_payload_of_its_messages() -> None:
    other = attribute(2, b"and more")
    assert dumped(dump(BODY, other, BODY)) == [BODY, other, BODY]


def test_the_end_may_share_a_datagram_with_the_last_message() -> None:
    assert dumped(lambda frame: [frame.generic(BODY) + frame.generic(BODY) + frame.done()]) == [BODY, BODY]


def test_a_message_that_says_nothing_is_passed_over() -> None:
    assert dumped(lambda frame: [frame.message(b"", NLMSG_NOOP) + frame.generic(BODY), frame.done()]) == [BODY]


DOUBTFUL: list[tuple[str, Answer, str]] = [
    (
        "interrupted, told by the first message",
        lambda frame: [frame.generic(BODY, flags=NLM_F_DUMP_INTR), frame.generic(BODY), frame.done()],
        "NLM_F_DUMP_INTR",
    ),
    (
        "interrupted, told by the last message",
        lambda frame: [frame.generic(BODY), frame.generic(BODY, flags=NLM_F_DUMP_INTR), frame.done()],
        "NLM_F_DUMP_INTR",
    ),
    (
        "interrupted, told by the end alone",
        lambda frame: [frame.generic(BODY), frame.done(flags=NLM_F_DUMP_INTR)],
        "NLM_F_DUMP_INTR",
    ),
    ("without an end", lambda frame: [frame.generic(BODY)], "did not answer within"),
    ("without a word", lambda frame: [], "did not answer within"),
    (
        "a datagram that was cut off",
        lambda frame: [Datagram(frame.generic(BODY), flags=socket.MSG_TRUNC), frame.done()],
        "did not fit",
    ),
    (
        "a message of another request",
        lambda frame: [frame.generic(BODY), frame._replace(sequence=frame.sequence - 1).generic(BODY), frame.done()],
        "another request",
    ),
    (
        "the end of another request",
        lambda frame: [frame.generic(BODY), frame._replace(sequence=frame.sequence - 1).done()],
        "another request",
    ),
    (
        "a message to another port",
        lambda frame: [frame._replace(port=1).generic(BODY), frame.done()],
        "another request",
    ),
    (
        "a message of another process",
        lambda frame: [Datagram(frame.generic(BODY), sender=77), frame.done()],
        "process 77",
    ),
    ("more behind the end", lambda frame: [frame.generic(BODY), frame.done(), frame.generic(BODY)], "behind its end"),
    ("an overrun", lambda frame: [frame.message(b"", NLMSG_OVERRUN), frame.done()], "NLMSG_OVERRUN"),
]


@pytest.mark.parametrize(("answer", "complaint"), [row[1:] for row in DOUBTFUL], ids=[row[0] for row in DOUBTFUL])
def test_a_doubtful_dump_is_none(answer: Answer, complaint: str) -> None:
    with pytest.raises(Temporary, match=complaint):
        dumped(answer)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refusal(errno.ENODEV), errno.ENODEV),
        (lambda frame: [frame.generic(BODY), frame.done(-errno.EMSGSIZE)], errno.EMSGSIZE),
        (lambda frame: [frame.generic(BODY), frame.error(errno.ENOBUFS)], errno.ENOBUFS),
    ],
    ids=["at once", "in the end", "in the middle"],
)
def test_an_errno_is_raised_wherever_it_stands(answer: Answer, code: int) -> None:
    with pytest.raises(OSError) as error:
        dumped(answer)
    assert error.value.errno == code


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda frame: [b"\x01\x02\x03"], "ends in mid-header, at offset 0"),
        (lambda frame: [frame.generic(BODY)[:-1]], "a message of 44 bytes at offset 0"),
        (lambda frame: [struct.pack("=IHHII", 8, FAMILY, 0, frame.sequence, frame.port)], "a message of 8 bytes"),
        (lambda frame: [frame.generic(BODY, kind=FAMILY + 1)], f"a message of type 31 where {FAMILY} is due"),
        (lambda frame: [frame.message(b"")], f"a message of type {FAMILY} where {FAMILY} is due"),
        (lambda frame: [frame.generic(b"")] * _netlink.DUMP_IDLE_MESSAGES, "goes on without saying anything"),
    ],
    ids=["no header", "cut off", "shorter than its header", "of another family", "no generic header", "no progress"],
)
def test_a_dump_that_breaks_the_protocol_is_an_error(answer: Answer, complaint: str) -> None:
    with pytest.raises(MalformedReply, match=complaint):
        dumped(answer)


def test_messages_with_something_in_them_between_empty_ones_are_progress() -> None:
    empty = _netlink.DUMP_IDLE_MESSAGES - 1
    answer = dump(*([b""] * empty), BODY, *([b""] * empty))
    assert [body for body in dumped(answer) if body] == [BODY]


def test_an_answer_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_netlink, "DUMP_BYTES", 1000)
    with pytest.raises(Temporary, match="did not end within .* 1000 bytes"):
        dumped(lambda frame: [frame.generic(BODY)] * 100)


# --- what is left of it


@pytest.mark.parametrize("inbox", [Inbox, Together])
@pytest.mark.parametrize(
    "answer",
    [
        dump(BODY, BODY, BODY),
        lambda frame: [frame.generic(BODY), frame.done(), frame.generic(BODY)],
        lambda frame: [Datagram(frame.generic(BODY), flags=socket.MSG_TRUNC), frame.done()],
        lambda frame: [frame.generic(BODY), frame.generic(BODY)[:-1]],
    ],
    ids=["whole", "more behind its end", "doubtful", "broken"],
)
def test_nothing_of_an_answer_is_left_where_it_was_received(answer: Answer, inbox: type[Inbox]) -> None:
    netlink = Kernel(answer).open(inbox)
    with suppress(Temporary, MalformedReply):
        dump_of(netlink)
    assert BODY not in netlink._inbox.buffer


@pytest.mark.parametrize("inbox", [Inbox, Together])
def test_nor_where_it_could_not_be_looked_at(inbox: type[Inbox]) -> None:
    def recognise(came: Inbox) -> None:
        assert BODY in came.buffer
        raise KeyboardInterrupt

    netlink = Kernel(dump(BODY)).open(inbox)
    with pytest.raises(KeyboardInterrupt):
        dump_of(netlink, recognise)
    assert BODY not in netlink._inbox.buffer


class Known(NamedTuple):
    ends: bool


def test_what_is_recognised_stands_in_the_answer_and_is_left_where_it_was_received() -> None:
    def recognise(came: Inbox) -> Known | None:
        return Known(ends=False) if b"known" in came.buffer[: came.shape.sizes[0]] else None

    netlink = Kernel(dump(BODY, attribute(1, b"known"))).open()
    answer = dump_of(netlink, recognise)
    assert [one == Known(ends=False) for one in answer] == [False, True, False]
    netlink = Kernel(lambda frame: [frame.generic(attribute(1, b"known"))]).open()
    assert dump_of(netlink, lambda _came: Known(ends=True)) == [Known(ends=True)]
    assert b"known" in netlink._inbox.buffer


# --- the family


def test_a_familys_number_is_looked_up() -> None:
    assert Kernel(dump()).open().family("wireguard") == FAMILY


def test_a_family_that_is_not_there_is_an_errno() -> None:
    kernel = Kernel(dump())
    kernel.family = refusal(errno.ENOENT)
    with pytest.raises(FileNotFoundError):
        kernel.open().family("wireguard")


def test_an_answer_without_a_number_is_an_error() -> None:
    kernel = Kernel(dump())
    kernel.family = lambda frame: [frame.generic(BODY, GENL_ID_CTRL), frame.error(0)]
    with pytest.raises(MalformedReply, match="wireguard names no family id"):
        kernel.open().family("wireguard")


def test_the_answer_to_the_first_request_is_read_to_its_end() -> None:
    """Else the acknowledgement would be taken for the dump's first message."""
    for inbox in (Inbox, Together):
        netlink = Kernel(dump(BODY)).open(inbox)
        netlink.family("wireguard")
        assert [len(one.messages) for one in dump_of(netlink)] == [1, 0]


# --- the real socket


@pytest.mark.parametrize("inbox", [Inbox, Recvmmsg])
def test_the_kernel_of_this_host_knows_the_family_of_families(inbox: type[Inbox]) -> None:
    netlink = _netlink.GenericNetlink.open(inbox)
    try:
        assert netlink.family("nlctrl") == GENL_ID_CTRL
        with pytest.raises(FileNotFoundError):
            netlink.family("ww-no-family")
    finally:
        netlink.close()


# --- attributes


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (struct.pack("=HH", 3, 1), "an attribute of 3 bytes at offset 0"),
        (struct.pack("=HH", 9, 1) + bytes(4), "an attribute of 9 bytes at offset 0, where 8 are left"),
        (attribute(1, b"1234") + b"\0\0", "ends with 2 stray bytes at offset 8"),
    ],
)
def test_lengths_are_checked_before_anything_is_read(body: bytes, complaint: str) -> None:
    with pytest.raises(MalformedReply, match=complaint):
        list(attributes(body, 0, len(body)))


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=40)), max_size=8))
def test_what_is_written_is_read(written: list[tuple[int, bytes]]) -> None:
    body = b"".join(attribute(kind, payload) for kind, payload in written)
    assert [(kind, body[first:last]) for kind, first, last in attributes(body, 0, len(body))] == written


@given(st.lists(st.binary(max_size=80), max_size=5))
def test_random_datagrams_never_crash_or_hang(datagrams: list[bytes]) -> None:
    try:
        dumped(lambda frame: datagrams)
    except (Temporary, MalformedReply):
        return
    raise AssertionError("random bytes were taken for a whole dump")


@given(st.integers(0, 200), st.integers(1, 255))
def test_one_changed_byte_never_crashes_or_hangs(place: int, change: int) -> None:
    def answer(frame: Frame) -> list[bytes]:
        whole = bytearray(frame.generic(BODY) + frame.generic(BODY) + frame.done())
        whole[place % len(whole)] ^= change
        return [bytes(whole)]

    try:
        assert len(dumped(answer)) <= 2
    except (Temporary, MalformedReply, OSError):
        pass

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are spoiled in ways which random mutation found (tests/model/test_mutated.py)."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import MalformedReply
from ansible_collections.wirewatch.wireguard.plugins.module_utils._kernel import KernelReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Device
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reuse import Reuse
from ansible_collections.wirewatch.wireguard.plugins.module_utils._userspace import UserspaceReader
from unit.watching import START, key
from unit.wire import Answer, Kernel, device_bytes, dump, peer_bytes

SECRET = "5a" * 32


def read_kernel(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> Device:
    namespace = Namespace(None)
    monkeypatch.setattr(namespace, "run", lambda _open: Kernel(answer).open())
    monkeypatch.setattr(namespace, "link", lambda _name: (None, None))
    return KernelReader(namespace, "wg0", sleep=lambda _seconds: None).read()


def read_daemons(monkeypatch: pytest.MonkeyPatch, *replies: bytes) -> list[Device]:
    """The answers of one daemon, one after the other."""
    said = list(replies)
    reader = UserspaceReader(
        Namespace(None), "nosuch0", memory=Reuse, wall_clock=lambda: START, monotonic_clock=lambda: 0
    )
    monkeypatch.setattr(reader, "_exchange", lambda: said.pop(0))
    return [reader.read() for _reply in replies]


def text(*lines: str, code: str = "0") -> bytes:
    return "\n".join([f"public_key={key(1).hex()}", *lines, f"errno={code}\n\n"]).encode()


@pytest.mark.parametrize("code", [-(1 << 31), -4096, 5])
def test_an_end_with_what_is_no_error_code(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    with pytest.raises(MalformedReply, match="no error code"):
        read_kernel(lambda frame: [frame.done(code)], monkeypatch)


@pytest.mark.parametrize("time", [(1 << 62, 0), (253_402_300_800, 0), (-1, 0), (1, 1_000_000_000), (1, -1)])
def test_a_time_that_no_calendar_has(monkeypatch: pytest.MonkeyPatch, time: tuple[int, int]) -> None:
    spoiled = device_bytes(peer_bytes(1, LAST_HANDSHAKE_TIME=struct.pack("=qq", *time)))
    with pytest.raises(MalformedReply, match="time that is none"):
        read_kernel(dump(spoiled), monkeypatch)


@pytest.mark.parametrize("code", ["2147483648", "-2147483648", "-4096", "99999999999999999999"])
def test_an_errno_of_a_daemon_that_is_none(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    with pytest.raises(MalformedReply, match="number in line 2"):
        read_daemons(monkeypatch, text(code=code))


@pytest.mark.parametrize("line", ["last_handshake_time_sec=253402300800", "last_handshake_time_nsec=1000000000"])
def test_a_time_of_a_daemon_that_no_calendar_has(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    with pytest.raises(MalformedReply, match="out of range"):
        read_daemons(monkeypatch, text(line))


@pytest.mark.parametrize("name", ["allowed_ip", "endpoint", "preshared_key", "rx_bytes"])
def test_an_error_does_not_remember_the_value(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(MalformedReply) as caught:
        read_daemons(monkeypatch, text(f"{name}={SECRET}z"))
    assert caught.value.__context__ is None
    assert SECRET not in str(caught.value)


def test_two_lines_that_became_one_are_not_what_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    two, one = text("protocol_version=1", "rx_bytes=7"), text("protocol_version=1rx_bytes=7")
    before, after = read_daemons(monkeypatch, two, one)
    assert before.peers[key(1)].rx_bytes == 7
    assert after.peers[key(1)].rx_bytes == 0


def test_a_whole_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_kernel(dump(device_bytes(peer_bytes(1))), monkeypatch).peers.keys() == {key(1)}

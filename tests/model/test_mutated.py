# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spoiled answers get a clean error or an answer that is in the bytes: no crash, no hang, no peer from nowhere, no secret.

Each case is one number, from which all of it follows. A failure names it; WW_CASE=NUMBER runs that one alone.
"""

from __future__ import annotations

import ipaddress
import json
import os
import random
import re
import signal
import socket as real
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _userspace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import Unreadable, WireGuardError
from ansible_collections.wirewatch.wireguard.plugins.module_utils._kernel import KernelReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import snapshot_state
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import (
    SECOND,
    Device,
    Peer,
    unpack_allowed_ip,
    unpack_endpoint,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import ATTEMPTS, GenericNetlink
from ansible_collections.wirewatch.wireguard.plugins.module_utils._pages import Pages
from ansible_collections.wirewatch.wireguard.plugins.module_utils._record import device_record, wall_age
from ansible_collections.wirewatch.wireguard.plugins.module_utils._recvmmsg import Recvmmsg
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reuse import Reuse
from ansible_collections.wirewatch.wireguard.plugins.module_utils._userspace import Afresh, UserspaceReader
from lab.leaks import Search
from model import mutate
from unit.watching import START
from unit.wire import IFINDEX, Datagram, Frame, Kernel

CASES = 10_000  # of each kind
ALL_CASES = 500_000
BASES = 300  # whole answers, spoiled over and over
PATIENCE = 60  # seconds for a thousand cases: half a second is usual

PLANTED = Search(mutate.PLANTED)
LIKE_A_KEY = re.compile(r"[0-9A-Za-z+/]{20,}|\\x")  # no word of our sentences is so long

Said = Sequence[Any]


# --- what holds of every case


def outcome(read: Callable[[], Device]) -> Device | WireGuardError:
    """A device or a clean error. Any other exception is a crash, and goes on."""
    try:
        return read()
    except WireGuardError as error:
        return error


def check_error(error: BaseException | None) -> None:
    """Neither it nor what it came from holds a byte of the answer, and least of all a secret."""
    assert isinstance(error, Unreadable), "which says more than that this answer can't be read"
    while error is not None:
        text = f"{error} {error!r} {error.args}"
        assert not PLANTED.finds(text.encode())
        assert not LIKE_A_KEY.search(text), text
        error = error.__cause__ or error.__context__


def check_record(device: Device) -> None:
    """It can be told."""

    def state(device: Device, peer: Peer, now_ns: int) -> str:
        return snapshot_state(device, peer, wall_age(peer, now_ns))

    json.dumps(device_record(device, START, state, {}))


def check_in_bytes(device: Device, said: bytes) -> None:
    """Each value of a kernel's answer stands in it as the kernel writes it."""
    for peer in device.peers.values():
        assert peer.public_key in said
        values = [
            struct.pack("=Q", peer.rx_bytes),
            struct.pack("=Q", peer.tx_bytes),
            *(ip[1:-1] for ip in peer.allowed_ips),
        ]
        values += [struct.pack("=H", peer.persistent_keepalive), struct.pack("=q", peer.last_handshake_ns // SECOND)]
        if peer.endpoint:
            host, port = unpack_endpoint(peer.endpoint)
            values += [struct.pack(">H", port), ipaddress.ip_address(host.partition("%")[0]).packed]
        for value in values:
            assert value in said or not any(value), "a value that is not in the answer"


def check_in_text(device: Device, said: bytes) -> None:
    """As many peers as there are lines that begin one, and each value on a line of its kind."""
    lines: dict[bytes, list[bytes]] = {}
    for line in said.split(b"\n"):
        lines.setdefault(line.partition(b"=")[0], []).append(line.partition(b"=")[2])

    def told(name: bytes, parse: Callable[[bytes], Any]) -> set[Any]:
        """The values of this name, those left out that are none: before the first peer they count for nothing."""
        found = set()
        for value in lines.get(name, []):
            with suppress(ValueError):
                found.add(parse(value))
        return found

    keys = {bytes.fromhex(value.decode()) for value in lines.get(b"public_key", [])}
    assert device.peers.keys() == keys
    networks = told(b"allowed_ip", lambda value: ipaddress.ip_network(value.decode(), strict=False))
    ports = told(b"endpoint", lambda value: int(value.rpartition(b":")[2]))
    of_numbers = {name: {0} | told(name, int) for name in (b"rx_bytes", b"tx_bytes", b"persistent_keepalive_interval")}
    for peer in device.peers.values():
        assert {ipaddress.ip_network(unpack_allowed_ip(ip)) for ip in peer.allowed_ips} <= networks
        assert peer.rx_bytes in of_numbers[b"rx_bytes"]
        assert peer.tx_bytes in of_numbers[b"tx_bytes"]
        assert peer.persistent_keepalive in of_numbers[b"persistent_keepalive_interval"]
        assert peer.endpoint is None or unpack_endpoint(peer.endpoint).port in ports


def comparable(device: Device, no_handshakes: frozenset[bytes] | set[bytes] = frozenset()) -> Device:
    peers = {
        key: peer._replace(last_handshake_ns=0) if key in no_handshakes else peer for key, peer in device.peers.items()
    }
    return device._replace(peers=peers)


# --- a kernel


class Namespace:
    """What a Namespace is to KernelReader: its sockets lead to `kernel`, whose link is always there."""

    netns = None

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __str__(self) -> str:
        return ""

    def run(self, _open: Callable[[], Any]) -> GenericNetlink:
        return self._kernel.open(Recvmmsg)

    link_changes = None

    def link(self, _name: str) -> tuple[int, bool]:
        return IFINDEX, True

    def link_name(self, ifindex: int) -> str:
        return str(ifindex)


def kernel_that_says(said: Said, asked: list[int]) -> Callable[[Frame], list[Datagram]]:
    """The prepared datagrams, under the number of the request."""

    def answer(frame: Frame) -> list[Datagram]:
        asked.append(frame.sequence)
        prepared, number = struct.pack("=I", mutate.SEQUENCE), struct.pack("=I", frame.sequence)
        whole = [one if isinstance(one, Datagram) else Datagram(one) for one in said]
        return [one._replace(data=one.data.replace(prepared, number)) for one in whole]

    return answer


class KernelCases:
    def __init__(self) -> None:
        self._bases = [
            (seed, mutate.kernel_answer(chance), chance)
            for seed, chance in ((seed, random.Random(f"kernel {seed}")) for seed in range(BASES))
        ]

    def run(self, chance: random.Random) -> str:
        _seed, messages, _chance = chance.choice(self._bases)
        base = mutate.datagrams(chance, messages)
        if chance.random() < 0.05:
            spoiled: Said = mutate.datagrams(chance, messages)  # cut at other places
        else:
            spoiled = mutate.spoil_dump(chance, base)
        asked: list[int] = []
        kernel = Kernel(kernel_that_says(base, asked))
        reader = KernelReader(Namespace(kernel), "wg0", Pages, sleep=lambda _seconds: None)  # type: ignore[arg-type]
        before = reader.read()
        kernel.answers = [kernel_that_says(spoiled, asked)]
        asked.clear()
        found = outcome(reader.read)
        assert len(asked) <= ATTEMPTS
        other = Kernel(kernel_that_says(spoiled, asked))
        fresh = outcome(
            KernelReader(Namespace(other), "wg0", sleep=lambda _seconds: None).read  # type: ignore[arg-type]
        )
        if isinstance(found, WireGuardError):
            assert type(found) is type(fresh)
            check_error(found)
        else:
            assert found == fresh, "it depends on what was read before"
            check_in_bytes(found, b"".join(one.data if isinstance(one, Datagram) else one for one in spoiled))
            check_record(found)
        kernel.answers = [kernel_that_says(base, asked)]
        after = reader.read()
        assert after == before, "a spoiled answer left something behind"
        if isinstance(found, WireGuardError):
            assert after is before
            assert all(one.closed for one in kernel.opened[:-1]), "an unfinished dump is left open"
            return type(found).__name__
        return "the same device" if found == before else "another device"


# --- a daemon


class Daemon:
    """In the place of the socket module, as far as UserspaceReader uses it: says `text` in pieces, and hangs up."""

    AF_UNIX, SOCK_STREAM, SOCK_CLOEXEC = real.AF_UNIX, real.SOCK_STREAM, real.SOCK_CLOEXEC
    timeout = real.timeout

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.hangs_up = True
        self.heard = b""

    def says(self, chance: random.Random, text: bytes) -> None:
        cut = chance.randrange(len(text) + 1)
        self.pieces = [piece for piece in (text[:cut], text[cut:]) if piece]
        self.hangs_up = chance.random() < 0.5

    def socket(self, *_kind: int) -> SimpleNamespace:
        self.heard, left = b"", list(self.pieces)

        def recv(size: int) -> bytes:
            if not left and not self.hangs_up:
                raise real.timeout
            piece = left.pop(0)[:size] if left else b""
            self.heard += piece
            return piece

        def nothing(*_arguments: object) -> None:
            pass

        return SimpleNamespace(settimeout=nothing, connect=nothing, sendall=nothing, close=nothing, recv=recv)


class DaemonCases:
    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._bases = [mutate.daemon_answer(random.Random(f"daemon {seed}")) for seed in range(BASES)]

    def _reader(self, memory: type[Afresh]) -> UserspaceReader:
        namespace: Any = Namespace(Kernel())
        return UserspaceReader(namespace, "wg0", memory=memory, wall_clock=lambda: START, monotonic_clock=lambda: 0)

    def run(self, chance: random.Random) -> str:
        base = chance.choice(self._bases)
        order_only = chance.random() < 0.05
        spoiled = mutate.shuffled(chance, base) if order_only else mutate.spoil_text(chance, base)
        daemon, reader = self._daemon, self._reader(Reuse)
        daemon.says(chance, base)
        before = reader.read()
        daemon.says(chance, spoiled)
        found, fresh = outcome(reader.read), outcome(self._reader(Afresh).read)
        if isinstance(found, WireGuardError):
            assert not order_only
            assert type(found) is type(fresh)
            assert str(found) == str(fresh)
            check_error(found)
        else:
            assert isinstance(fresh, Device)
            # What an age is taken for is remembered from the answer before.
            ages = remembered_ages(reader)
            assert comparable(found, ages) == comparable(fresh, ages), "it depends on what was read before"
            assert found == before or not order_only
            check_in_text(found, daemon.heard)
            check_record(found)
        daemon.says(chance, base)
        after = reader.read()
        ages = remembered_ages(reader)
        assert comparable(after, ages) == comparable(before, ages), "a spoiled answer left something behind"
        if isinstance(found, WireGuardError):
            assert after is before
            return type(found).__name__
        return "the same device" if found == before else "another device"


def remembered_ages(reader: UserspaceReader) -> set[bytes]:
    """Public keys."""
    assert isinstance(reader._memory, Reuse)
    return set(reader._memory._ages)


# --- many of them


@contextmanager
def watched() -> Iterator[Callable[[], None]]:
    """An alarm that ends a hang; the function that is handed out puts it off."""

    def hang(_number: int, _frame: object) -> None:
        raise TimeoutError(f"{PATIENCE} seconds went by")

    handler = signal.signal(signal.SIGALRM, hang)
    try:
        yield lambda: signal.alarm(PATIENCE) and None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)


def run_all(kind: str, cases: KernelCases | DaemonCases, count: int) -> Counter[str]:
    alone = os.environ.get("WW_CASE")
    counted: Counter[str] = Counter()
    with watched() as go_on:
        for number in range(count) if alone is None else [int(alone)]:
            if not number % 1000:
                go_on()
            try:
                counted[cases.run(random.Random(f"{kind} {number}"))] += 1
            except Exception as error:
                error.add_note(f"Spoiled {kind} answer {number}; WW_CASE={number} runs it alone.")
                raise
    return counted


def check_all_kinds(counted: Counter[str]) -> None:
    """Else the answers are spoiled in too few ways, or too badly."""
    kinds = {"Temporary", "MalformedReply", "Unreadable", "the same device", "another device"}
    assert kinds <= counted.keys() or "WW_CASE" in os.environ


def words(counted: Counter[str]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counted.most_common())


def test_spoiled_answers_of_a_kernel(full: bool, figure: Callable[[str], None]) -> None:
    counted = run_all("kernel", KernelCases(), ALL_CASES if full else CASES)
    figure(f"{counted.total():,} mutated dumps: {words(counted)}; nothing else")
    check_all_kinds(counted)


def test_spoiled_answers_of_a_daemon(
    full: bool, figure: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Daemon()
    monkeypatch.setattr(_userspace, "socket", daemon)
    counted = run_all("daemon", DaemonCases(daemon), ALL_CASES if full else CASES)
    figure(f"{counted.total():,} mutated UAPI answers: {words(counted)}; nothing else")
    check_all_kinds(counted)


def test_the_checks_find_what_they_look_for() -> None:
    chance = random.Random(1)
    daemon_says = next(filter(None, (mutate.daemon_answer(chance) for _try in range(9))))
    assert PLANTED.finds(daemon_says + b"".join(mutate.kernel_answer(chance)))
    for key in mutate.SECRETS.values():
        for text in (str(key), key.hex(), key.hex()[:20]):
            with pytest.raises(AssertionError):
                check_error(Unreadable(text))
    nobody = Device("wg0", peers={b"\1" * 32: Peer(b"\1" * 32)})
    for check in (check_in_bytes, check_in_text):
        with pytest.raises(AssertionError):
            check(nobody, daemon_says)

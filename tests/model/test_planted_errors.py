# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers with known keys, spoiled so that every reader fails over them: no error shows a key, its frames' variables included."""

from __future__ import annotations

import io
import json
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import (
    _arguments,
    _netlink,
    _page_changes,
    _pages,
    _userspace,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._aside import Aside
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import WireGuardError
from ansible_collections.wirewatch.wireguard.plugins.module_utils._following import FOLLOWING
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reader import InterfaceReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._recvmmsg import Recvmmsg
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions
from integration import confession
from lab import uapi
from lab.leaks import Search
from model import mutate
from unit.wire import IFINDEX, Datagram, Frame, Kernel

SEED = 20261125
ANSWERS = 1000  # to each kind of reader
FAULTY = 30

Readers = Iterator[InterfaceReader]


# --- readers, each of which reads the next of many answers


def kernel_readers(_folder: Path, monkeypatch: pytest.MonkeyPatch, spoil: bool) -> Readers:
    chance = random.Random(SEED)
    said: list[Any] = []

    def answer(frame: Frame) -> list[Datagram]:
        prepared, number = struct.pack("=I", mutate.SEQUENCE), struct.pack("=I", frame.sequence)
        whole = [one if isinstance(one, Datagram) else Datagram(one) for one in said]
        return [one._replace(data=one.data.replace(prepared, number)) for one in whole]

    namespace, kernel = Namespace(None), Kernel(answer)
    monkeypatch.setattr(namespace, "run", lambda _open: kernel.open(Recvmmsg))
    monkeypatch.setattr(namespace, "link", lambda _name: (IFINDEX, True))
    monkeypatch.setattr(namespace, "link_name", str)
    monkeypatch.setattr(_netlink, "BACKOFF", 0)
    while True:
        said[:] = mutate.datagrams(chance, mutate.kernel_answer(chance))
        if spoil:
            said[:] = mutate.spoil_dump(chance, said)
        kernel.opened.clear()
        yield InterfaceReader(namespace, "wg0", "kernel", ways=FOLLOWING)


def daemon_readers(patience: float | None) -> Callable[[Path, pytest.MonkeyPatch, bool], Readers]:
    aside = None if patience is None else partial(Aside, patience=patience)
    ways = FOLLOWING._replace(aside=aside)

    def made(folder: Path, _monkeypatch: pytest.MonkeyPatch, spoil: bool) -> Readers:
        chance = random.Random(SEED)

        def behave(connection: uapi.Connection) -> None:
            answer = mutate.daemon_answer(chance)
            if spoil:
                answer = chance.choice([mutate.spoil_text, mutate.spoil_text, mutate.truncate])(chance, answer)
            connection.send(answer)

        with uapi.FakeDaemon(folder, "wg0", behave):
            while True:
                yield InterfaceReader(Namespace(None), "wg0", "userspace", str(folder), ways)

    return made


READERS: dict[str, Callable[[Path, pytest.MonkeyPatch, bool], Readers]] = {
    "the kernel's": kernel_readers,
    "a daemon's": daemon_readers(None),
    "a daemon's, read aside": daemon_readers(5.0),
}


def failure(read: Callable[[], object], kind: type[Exception] = WireGuardError) -> BaseException | None:
    """What reading raises. This frame is in the error's traceback, and knows nothing but this."""
    try:
        read()
    except kind as error:
        return error
    return None


@pytest.mark.parametrize("readers", READERS.values(), ids=READERS)
def test_errors_hold_no_key_in_their_texts_nor_in_the_variables_of_their_frames(
    readers: Callable[..., Readers], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    search = Search(mutate.PLANTED)
    failed: Counter[str] = Counter()
    found = set()
    log = io.BytesIO()
    with closing(readers(tmp_path, monkeypatch, True)) as made, confession.all_logged(log):
        for _number in range(ANSWERS):
            error = failure(next(made).read)
            if error is not None:
                failed[type(error).__name__] += 1
                found |= search.finds(b"".join(confession.confess_error(error)))
    found |= search.finds(log.getvalue())
    assert not found
    assert failed.total() > ANSWERS / 3
    assert failed.keys() >= {"MalformedReply", "Temporary", "Unreadable"}
    figure(f"{failed.total()} errors, {search.bytes / 1e6:.1f} MB with the variables of all frames: no key")


def read_and_remember() -> None:
    """As readers must not fail."""
    answer = mutate.SECRETS["private"]
    try:
        raise ValueError(len(answer))
    except ValueError:
        raise WireGuardError("a sentence") from None


def test_the_variables_of_frames_are_searched() -> None:
    error = failure(read_and_remember)
    found = Search(mutate.PLANTED).finds(b"".join(confession.confess_error(error)))
    assert {find.key for find in found} == {0}


# --- faults of our own


class Module:
    """What AnsibleModule is to _arguments.run."""

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self.result: dict[str, Any] = {}
        self.ansible_version = "2.17.0"

    def fail_json(self, **result: Any) -> None:
        self.result = result

    exit_json = fail_json


@pytest.mark.parametrize("readers", READERS.values(), ids=READERS)
def test_a_fault_that_quotes_what_was_read_is_told_by_its_kind_alone(
    readers: Callable[..., Readers], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def decode(raw: Any, *_more: object) -> None:
        raise LookupError(f"no luck with {raw}")

    for decoder in (_pages, _page_changes, _userspace):
        monkeypatch.setattr(decoder, "decode_peer", decode)
    search = Search(mutate.PLANTED)
    with closing(readers(tmp_path, monkeypatch, False)) as made:
        found, told = set(), ""
        for reader in (next(made) for _number in range(FAULTY)):
            found |= search.finds(b"".join(confession.confess_error(failure(reader.read, LookupError))))
            watcher = Watcher(WatchOptions(["wg0"]), make_reader=lambda _namespace, _name, one=reader: one)
            told += json.dumps([event for event, _wanted in watcher.poll()])
            module: Any = Module()
            _arguments.run(module, lambda _params, one=reader: {"device": repr(one.read())})
            told += json.dumps(module.result)
    assert found, "the fault came never, or quotes nothing"
    assert "unexpected LookupError" in told
    assert "Unexpected LookupError" in told
    printed = "".join(capfd.readouterr())
    leaked = search.finds((told + printed).encode())
    assert not leaked


# --- what is kept between two polls


@pytest.mark.parametrize("patience", [None, 5.0], ids=["at once", "read aside"])
def test_nothing_that_a_daemons_reader_keeps_between_two_polls_leads_to_a_key(
    patience: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    """The kernel's reader is held to that by the kernel's own answers, in tests/kernel."""
    search = Search(mutate.PLANTED)
    counted: Counter[str] = Counter()
    found = set()
    for spoil in (False, True):
        with closing(daemon_readers(patience)(tmp_path, monkeypatch, spoil)) as made:
            reader = next(made)
            for _number in range(FAULTY):
                failure(reader.read)
                output = io.BytesIO()
                counted += confession.confess([reader], output)
                found |= search.finds(output.getvalue())
    assert not found
    assert counted["Peer"] > FAULTY
    figure(f"{counted.total():,} objects: no key")

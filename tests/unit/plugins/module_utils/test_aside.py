# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon that takes long: nobody waits for it, nothing of what it says is lost, and the others go on."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._aside import Aside
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import Pending, Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._following import FOLLOWING
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reader import InterfaceReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._userspace import UserspaceReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions
from lab import uapi, wait_for
from unit.watching import World, poll, short

FOREVER = 3600.0  # seconds: whoever waits for these hangs


class Slow:
    """A call that ends when it is let go. `calls` counts them."""

    def __init__(self) -> None:
        self.calls = 0
        self.go = threading.Event()

    def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        self.go.wait()
        return number


def outcome(function: Callable[[], object]) -> object:
    """What comes of it, once it is no longer pending."""

    def ended() -> list[object]:
        try:
            return [function()]
        except Pending:
            return []

    return wait_for(ended, 30, "the call to end", interval=0.001)[0]


def test_what_ends_in_time_is_as_if_it_were_called_here() -> None:
    assert Aside(lambda: 5, FOREVER, "")() == 5

    def fails() -> int:
        raise Temporary("no")

    with pytest.raises(Temporary, match="no"):
        Aside(fails, FOREVER, "")()


def test_what_takes_long_is_pending_and_asked_for_once() -> None:
    slow = Slow()
    aside = Aside(slow, 0.001, "wg0 has not answered yet")
    for _time in range(3):
        with pytest.raises(Pending, match="wg0 has not answered yet"):
            aside()
    wait_for(lambda: slow.calls, 30, "the call to begin")
    assert slow.calls == 1
    slow.go.set()
    assert outcome(aside) == 1
    assert outcome(aside) == 2, "and then anew"


def test_after_a_slow_one_nobody_waits_until_it_is_quick_again() -> None:
    slow = Slow()
    aside = Aside(slow, 0.001, "")
    with pytest.raises(Pending):
        aside()
    aside._patience = FOREVER
    slow.go.set()
    assert outcome(aside) == 1
    slow.go.clear()
    with pytest.raises(Pending):
        aside()  # which would hang if it waited


def test_what_a_failed_call_held_is_let_go_at_once() -> None:
    """An answer without an end is large, and the collector of circles may not come by for hours."""

    class Large:
        pass

    held: list[weakref.ref[Large]] = []

    def fails() -> int:
        large = Large()
        held.append(weakref.ref(large))
        raise Temporary("no")

    aside = Aside(fails, FOREVER, "")
    gc.disable()
    try:
        for _time in range(3):
            with contextlib.suppress(Temporary):
                aside()
        assert [ref() for ref in held] == [None] * 3
    finally:
        gc.enable()


# --- daemons


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for sockets, whose paths have a bound of 108 bytes."""
    link = Path(f"/tmp/ww-aside-{os.getpid()}")
    link.symlink_to(tmp_path)
    yield link
    link.unlink()


class Held:
    """A daemon's answer, given once it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, connection: uapi.Connection) -> None:
        while not self.go.wait(0.01):
            if connection.stopping.is_set():
                return
        uapi.answers(uapi.device_text(1))(connection)


def test_an_answer_that_comes_late_is_taken_at_a_later_read(folder: Path) -> None:
    held = Held()
    with uapi.FakeDaemon(folder, "ww-late", held):
        reads = UserspaceReader(Namespace(None), "ww-late", str(folder), FOREVER, aside=partial(Aside, patience=0.01))
        with pytest.raises(Pending, match="The daemon of interface ww-late has not answered yet"):
            reads.read()
        held.go.set()
        assert len(outcome(reads.read).peers) == 1  # type: ignore[attr-defined]


def test_a_daemon_that_hangs_keeps_nobody_from_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.wirewatch.wireguard.plugins.module_utils._userspace.TIMEOUT", FOREVER)
    names = ["ww-hung", "ww-fine"]
    patient = FOLLOWING._replace(aside=partial(Aside, patience=0.01))
    watcher = Watcher(
        WatchOptions(patterns=names, host="gw1"),
        make_reader=lambda namespace, name: InterfaceReader(namespace, name, "userspace", str(folder), ways=patient),
    )
    with uapi.FakeDaemon(folder, "ww-hung", uapi.hangs), uapi.FakeDaemon(
        folder, "ww-fine", uapi.answers(uapi.device_text(1))
    ) as fine:
        seen = {event["interface"] for event in wait_for(lambda: poll(watcher), 30, "events")}
        assert seen == {"ww-fine"}
        fine.behaviour = uapi.answers(uapi.device_text(2))
        (added,) = wait_for(lambda: poll(watcher), 30, "an event")
        assert (added["type"], added["interface"]) == ("peer_added", "ww-fine")
    watcher.close()


def test_what_is_pending_is_neither_news_nor_trouble() -> None:
    world = World()
    world.put("wg0")
    watcher = world.watcher("wg0")
    world.fail("wg0", Pending("not yet"))
    assert poll(watcher) == []
    world.put("wg0")
    (added,) = poll(watcher)
    assert (added["type"], added["initial"]) == ("interface_added", True), "still what was there at the start"
    world.fail("wg0", Temporary("did not answer"))
    assert short(poll(watcher)) == ["watch_degraded wg0"]
    world.fail("wg0", Pending("not yet"))
    assert poll(watcher) == []
    world.put("wg0")
    assert short(poll(watcher)) == ["watch_recovered wg0"]

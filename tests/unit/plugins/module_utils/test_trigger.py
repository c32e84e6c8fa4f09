# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs that something is to be seen: the socket directory, links, being woken."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._listening import ListeningNamespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._trigger import LONGEST, Triggers

PATIENCE = 5.0  # seconds that a sign may take on a busy machine; it takes none


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "run" / "wireguard"


@pytest.fixture
def triggers(directory: Path) -> Iterator[Triggers]:
    made = Triggers([], str(directory))
    yield made
    made.close()


def quiet(triggers: Triggers) -> bool:
    """Nothing more to tell: what was written before is in the queue of inotify already."""
    return not triggers.wait(0)


def test_it_returns_after_the_time_given(triggers: Triggers) -> None:
    start = time.monotonic()
    assert triggers.wait(0.02) is False
    assert time.monotonic() - start >= 0.02


@pytest.mark.parametrize("when", ["made", "renamed into", "renamed out of", "removed from"])
def test_a_socket_in_the_directory_is_a_sign(directory: Path, when: str) -> None:
    directory.mkdir(parents=True)
    outside = directory.parent / "other"
    socket = directory / "wg0.sock"
    (outside if when == "renamed into" else socket).touch() if when != "made" else None
    triggers = Triggers([], str(directory))
    try:
        assert quiet(triggers)
        if when == "made":
            socket.touch()
        elif when == "renamed into":
            outside.rename(socket)
        elif when == "renamed out of":
            socket.rename(outside)
        else:
            socket.unlink()
        assert triggers.wait(PATIENCE)
        assert quiet(triggers)
    finally:
        triggers.close()


def test_a_directory_that_comes_later_is_a_sign_and_is_watched(triggers: Triggers, directory: Path) -> None:
    assert quiet(triggers)
    directory.parent.mkdir()
    triggers.wait(0)  # the nearest directory above moved closer: no sign, and it may or may not have been seen
    directory.mkdir()
    assert triggers.wait(PATIENCE)
    (directory / "wg0.sock").touch()
    assert triggers.wait(PATIENCE)
    assert quiet(triggers)


def test_a_directory_that_comes_with_all_above_it_at_once(triggers: Triggers, directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / "wg0.sock").touch()
    assert triggers.wait(PATIENCE)


def test_a_directory_that_is_removed_and_made_again(triggers: Triggers, directory: Path) -> None:
    for _time in range(3):
        directory.mkdir(parents=True)
        assert triggers.wait(PATIENCE)
        (directory / "wg0.sock").touch()
        assert triggers.wait(PATIENCE)
        shutil.rmtree(directory.parent)
        assert triggers.wait(PATIENCE)
        while triggers.wait(0):
            pass


def test_what_happens_beside_the_directory_is_no_sign(triggers: Triggers, directory: Path) -> None:
    """/run is a busy place: once the directory is there, nobody polls because of its neighbours."""
    (directory.parent.parent / "neighbour").touch()
    assert quiet(triggers)
    directory.mkdir(parents=True)
    assert triggers.wait(PATIENCE)
    while triggers.wait(0):
        pass
    for number in range(5):
        (directory.parent / f"neighbour-{number}").touch()
        (directory.parent.parent / f"neighbour-{number}").touch()
    assert quiet(triggers)


def test_wake_ends_a_wait_and_is_no_sign(triggers: Triggers) -> None:
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(triggers.wait(LONGEST)))
    thread.start()
    triggers.wake()
    thread.join(PATIENCE)
    assert seen == [False]


def test_a_wait_of_years_is_no_error(triggers: Triggers) -> None:
    triggers.wake()
    assert triggers.wait(1e12) is False


def test_closing_leaves_no_descriptor_open(directory: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _time in range(5):
        Triggers([], str(directory)).close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def netns() -> Iterator[str]:
    name = f"ww-trigger-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=False)


def ip(netns: str, *arguments: str) -> None:
    subprocess.run(["ip", "-n", netns, *arguments], check=True)


def test_links_of_a_namespace_that_come_change_and_go_are_signs(netns: str, directory: Path) -> None:
    namespace = ListeningNamespace(netns)
    triggers = Triggers([namespace], str(directory))
    try:
        assert namespace.link_changes is None, "nobody listens yet"
        assert quiet(triggers)
        for change in ("add veth0 type veth peer name veth1", "set veth0 up", "del veth0"):
            before = namespace.link_changes
            ip(netns, "link", *change.split())
            assert triggers.wait(PATIENCE), change
            while triggers.wait(0.1):
                pass
            assert namespace.link_changes not in (before, None)
        # Of another namespace nothing is seen.
        with_none = Triggers([], str(directory))
        ip(netns, "link", "set", "lo", "up")
        assert quiet(with_none)
        with_none.close()
    finally:
        triggers.close()
        namespace.close()


def test_a_flood_of_link_changes_is_one_sign_after_the_other_and_no_error(netns: str, directory: Path) -> None:
    """More than the socket's buffer takes: the kernel drops them and says so (ENOBUFS)."""
    namespace = ListeningNamespace(netns)
    triggers = Triggers([namespace], str(directory))
    try:
        assert quiet(triggers)
        lines = "".join(f"link set lo {state}\n" for _n in range(2000) for state in ("up", "down"))
        subprocess.run(["ip", "-n", netns, "-batch", "-"], input=lines, text=True, check=True)
        assert triggers.wait(PATIENCE)
        while triggers.wait(0.1):
            pass
        ip(netns, "link", "set", "lo", "up")
        assert triggers.wait(PATIENCE)
    finally:
        triggers.close()
        namespace.close()


def test_a_namespace_that_is_not_there_yet_is_listened_to_once_it_is(directory: Path) -> None:
    name = f"ww-later-{os.getpid()}"
    namespace = ListeningNamespace(name)
    triggers = Triggers([namespace], str(directory))
    try:
        assert quiet(triggers)
        subprocess.run(["ip", "netns", "add", name], check=True)
        assert quiet(triggers)
        ip(name, "link", "set", "lo", "up")
        assert triggers.wait(PATIENCE)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)
        triggers.close()
        namespace.close()

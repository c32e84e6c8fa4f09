# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source as the engine drives it: a coroutine, a queue that blocks, cancellation."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any, Awaitable, Callable, Dict

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._state import StateFile
from ansible_collections.wirewatch.wireguard.plugins.module_utils._trigger import Triggers
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher
from unit.disk import FailingDisk
from unit.watching import World, peer

SOURCE = "ansible_collections/wirewatch/wireguard/extensions/eda/plugins/event_source/wg_events.py"
PATIENCE = 60.0  # seconds


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def source(import_folder: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, loaded by its path as the engine does it, on a world without WireGuard."""
    spec = importlib.util.spec_from_file_location("wg_events", import_folder / SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def make_watcher(options: Any, told: Any = None) -> Watcher:
        return Watcher(options, clock=world.clock, told=told, make_reader=world.make_reader, find_interfaces=world.find)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "Watcher", make_watcher)
    monkeypatch.setattr(module, "Triggers", lambda namespaces: Triggers([], str(tmp_path)))
    return module


Envelope = Dict[str, Any]
Scene = Callable[["asyncio.Queue[Envelope]"], Awaitable[None]]


def play(source: ModuleType, arguments: dict[str, Any], scene: Scene, size: int = 1) -> None:
    """Runs the source beside a scene, then cancels it as the engine does at its end."""

    async def both() -> None:
        queue: asyncio.Queue[Envelope] = asyncio.Queue(size)
        running = asyncio.ensure_future(source.main(queue, {"interval": 0.05, "host": "gw1", **arguments}))
        acting = asyncio.ensure_future(scene(queue))
        done, _pending = await asyncio.wait((running, acting), return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
        assert acting in done, f"the source ended, or the scene did not: {running}"
        await acting
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(both())


async def take(queue: asyncio.Queue[Envelope], count: int) -> list[Envelope]:
    return [(await asyncio.wait_for(queue.get(), PATIENCE))["wireguard"] for _n in range(count)]


def types(events: list[Envelope]) -> list[str]:
    return [event["type"] for event in events]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("wg_events")]


# --- arguments


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"interval": 0}, "interval is 0 and must be a number of at least 0.05"),
        ({"interfaces": []}, "interfaces is an empty list, so there is nothing to look at"),
        ({"nonsense": 1}, "There is no argument nonsense. There are: interfaces, netns, interval"),
        (
            {"initial": "resume", "state_file": "/nowhere/x.db"},
            "state_file is /nowhere/x.db, and there is no directory",
        ),
    ],
)
def test_wrong_arguments_are_raised_at_once(source: ModuleType, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match="wirewatch.wireguard.wg_events: ") as caught:
        asyncio.run(source.main(asyncio.Queue(1), arguments))
    assert str(caught.value).startswith(f"wirewatch.wireguard.wg_events: {sentence}")
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert threads() == []


# --- envelopes


def test_meta_hosts_is_there_when_asked_for_and_a_fresh_list_each_time(source: ModuleType, world: World) -> None:
    world.put("wg0", peer(1))

    async def scene(queue: asyncio.Queue[Envelope]) -> None:
        first = await queue.get()
        assert first["meta"] == {"hosts": ["gw1"]}
        first["meta"]["hosts"].clear()
        second = await queue.get()
        assert second["meta"] == {"hosts": ["gw1"]}
        assert first is not second

    play(source, {"hosts": ["gw1"]}, scene)


def test_meta_is_absent_without_hosts(source: ModuleType, world: World) -> None:
    world.put("wg0")

    async def scene(queue: asyncio.Queue[Envelope]) -> None:
        envelope = await queue.get()
        assert list(envelope) == ["wireguard"]
        assert json.loads(json.dumps(envelope, allow_nan=False)) == envelope

    play(source, {}, scene)


# --- a queue that blocks


def test_while_the_rulebook_is_busy_changes_add_up_to_their_net(source: ModuleType, world: World) -> None:
    world.put("wg0", peer(1, endpoint="192.0.2.1:1"), peer(2))

    async def scene(queue: asyncio.Queue[Envelope]) -> None:
        while not queue.full():
            await asyncio.sleep(0)
        # The queue holds the first event, put() blocks with the second, the third is still to come.
        for number in range(2, 2000):
            world.put("wg0", peer(1, endpoint=f"192.0.2.1:{number}"), *[peer(2)][: number % 2])
            await asyncio.sleep(0)
        world.put("wg0", peer(1, endpoint="192.0.2.1:2000"), peer(3))
        assert types(await take(queue, 3)) == ["interface_added", "peer_added", "peer_added"]
        rest = await take(queue, 3)
        assert types(rest) == ["peer_added", "peer_removed", "peer_endpoint_changed"]
        assert (rest[2]["previous"], rest[2]["current"]) == ("192.0.2.1:1", "192.0.2.1:2000")
        assert [event["sequence"] for event in rest] == [4, 5, 6]

    play(source, {}, scene)


def test_the_engines_loop_goes_on_while_an_interface_is_slow_to_read(source: ModuleType, world: World) -> None:
    world.put("wg0")
    reading, go_on = threading.Event(), threading.Event()

    def find(_namespace: object) -> list[str]:
        reading.set()
        go_on.wait(PATIENCE)
        return ["wg0"]

    world.find = find  # type: ignore[method-assign]

    async def scene(queue: asyncio.Queue[Envelope]) -> None:
        while not reading.is_set():
            await asyncio.sleep(0.001)
        for _turn in range(100):
            await asyncio.sleep(0)
        go_on.set()
        assert types(await take(queue, 1)) == ["interface_added"]

    play(source, {}, scene)


# --- the end


@pytest.mark.parametrize("blocked", [False, True])
def test_cancellation_ends_the_thread_and_closes_everything(
    source: ModuleType, world: World, blocked: bool, tmp_path: Path
) -> None:
    world.put("wg0", peer(1), peer(2))
    gc.collect()  # what other tests left open is closed now, and not in between
    before = len(os.listdir("/proc/self/fd"))
    path = str(tmp_path / "state.db")

    async def scene(queue: asyncio.Queue[Envelope]) -> None:
        await take(queue, 1 if blocked else 3)
        assert threads() != []

    play(source, {"interval": 3600, "initial": "resume", "state_file": path}, scene)
    assert threads() == []
    assert all(reader.closed for reader in world.readers)
    assert len(os.listdir("/proc/self/fd")) == before
    StateFile(path, "gw1").close()  # nobody holds it any more


# --- what is unexpected


def test_an_unexpected_fault_is_said_and_tried_again(
    source: ModuleType, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.put("wg0")
    world.finding = RuntimeError("with a SECRET in it")

    async def scene(queue: asyncio.Queue[Envelope]) -> None:
        while not caplog.records:
            await asyncio.sleep(0.001)
        world.finding = None
        degraded, added, recovered = await take(queue, 3)
        assert types([degraded, added, recovered]) == ["watch_degraded", "interface_added", "watch_recovered"]
        assert degraded["reason"] == "Unexpected RuntimeError while looking; it is tried again at each poll"

    with caplog.at_level(logging.WARNING):
        play(source, {}, scene)
    assert [record.getMessage() for record in caplog.records] == [
        "Unexpected RuntimeError while looking; it is tried again at each poll"
    ]


def test_a_wrong_name_is_in_the_log_whatever_types_are_asked_for(
    source: ModuleType, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(queue: asyncio.Queue[Envelope]) -> None:
        while not caplog.records:
            await asyncio.sleep(0.001)
        world.put("wg9", peer(1))
        (added,) = await take(queue, 1)
        assert (added["type"], added["sequence"]) == ("peer_added", 1)

    with caplog.at_level(logging.WARNING):
        play(source, {"interfaces": ["wg9"], "types": ["peer_added"]}, scene)
    assert [record.getMessage() for record in caplog.records] == ["There is no interface wg9. It is watched for"]


def test_who_watches_nothing_is_told_so(source: ModuleType, world: World, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(_queue: asyncio.Queue[Envelope]) -> None:
        while not caplog.records:
            await asyncio.sleep(0.001)

    with caplog.at_level(logging.WARNING):
        play(source, {}, scene)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("There is no WireGuard interface here. ") and said.endswith(". What appears is told")


# --- resume


def on_disk(path: Path) -> list[int]:
    """How many peers of each interface a SIGKILL would leave now: looked at in a copy, since the file is locked."""
    copy = Path(f"{path}.copy")
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    state = StateFile(str(copy), "gw1")
    state.close()
    return [len(entry["peers"]) for entry in state.state.values()]


def test_what_was_delivered_is_on_disk_while_the_queue_blocks(source: ModuleType, world: World, tmp_path: Path) -> None:
    """A playbook may run for an hour, and SIGKILL may come any time in it."""
    world.put("wg0", peer(1), peer(2))
    path = tmp_path / "state.db"

    async def scene(queue: asyncio.Queue[Envelope]) -> None:
        await take(queue, 1)
        while on_disk(path) != [1]:  # the first peer lies in the queue, the second one can't be put
            await asyncio.sleep(0.01)
        await take(queue, 2)
        while on_disk(path) != [2]:
            await asyncio.sleep(0.01)

    play(source, {"initial": "resume", "state_file": str(path)}, scene)


def test_a_restart_tells_the_rest(source: ModuleType, world: World, tmp_path: Path) -> None:
    arguments = {"initial": "resume", "state_file": str(tmp_path / "state.db"), "types": ["peer_added", "peer_removed"]}
    world.put("wg0", peer(1), peer(2))

    async def first(queue: asyncio.Queue[Envelope]) -> None:
        assert [event["initial"] for event in await take(queue, 2)] == [True, True]
        while on_disk(tmp_path / "state.db") != [2]:
            await asyncio.sleep(0.01)

    async def second(queue: asyncio.Queue[Envelope]) -> None:
        events = await take(queue, 2)
        assert types(events) == ["peer_added", "peer_removed"]
        assert [event["initial"] for event in events] == [False, False]

    play(source, arguments, first)
    world.put("wg0", peer(2), peer(3))
    play(source, arguments, second)


def test_a_disk_that_fails_is_said_and_the_events_go_on(
    source: ModuleType, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FailingDisk(monkeypatch)
    world.put("wg0")
    path = str(tmp_path / "state.db")

    async def scene(queue: asyncio.Queue[Envelope]) -> None:
        added, degraded = await take(queue, 2)
        assert types([added, degraded]) == ["interface_added", "watch_degraded"]
        assert degraded["reason"] == FailingDisk.COMPLAINT
        world.put("wg0", peer(1))
        assert types(await take(queue, 1)) == ["peer_added"]
        disk.mend()
        assert types(await take(queue, 1)) == ["watch_recovered"]  # it was tried again, though nothing happened

    play(source, {"initial": "resume", "state_file": path}, scene)
    state = StateFile(path, "gw1")
    assert len(state.state["gw1", None, "wg0"]["peers"]) == 1
    state.close()


def test_a_damaged_state_file_is_said_first(source: ModuleType, world: World, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(bytes(8192))
    world.put("wg0")

    async def scene(queue: asyncio.Queue[Envelope]) -> None:
        degraded, added, recovered = await take(queue, 3)
        assert types([degraded, added, recovered]) == ["watch_degraded", "interface_added", "watch_recovered"]
        assert f"The state file {path} is damaged" in degraded["reason"]
        assert added["initial"]

    play(source, {"initial": "resume", "state_file": str(path)}, scene)


# --- without a rulebook


def stand_alone(import_folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(import_folder / SOURCE), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ('{"interval": 0}', "wirewatch.wireguard.wg_events: interval is 0 and must be a number of at least 0.05"),
        ("[1]", "The argument is to be a JSON object of the source's arguments: not an object"),
        (
            "{interval: 1}",
            "The argument is to be a JSON object of the source's arguments: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)",
        ),
    ],
)
def test_stand_alone_says_what_is_wrong_with_its_argument(import_folder: Path, argument: str, sentence: str) -> None:
    done = stand_alone(import_folder, argument)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence + "\n")


def test_stand_alone_ends_with_its_reader(import_folder: Path) -> None:
    argv = [sys.executable, str(import_folder / SOURCE), '{"interfaces": ["wg9"], "interval": 0.05, "heartbeat": 0.05}']
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        event = json.loads(process.stdout.readline())["wireguard"]
        assert event["type"] == "watch_degraded"
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
        # The warning of the log, and no complaint about the pipe.
        assert process.stderr.read().splitlines() == [event["reason"]]

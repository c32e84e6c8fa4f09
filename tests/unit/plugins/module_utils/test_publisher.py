# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The publisher, told to a sink that fails: who folds what arrives has the truth, and what comes twice is the same event."""

from __future__ import annotations

import copy
import json
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Dict

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _publisher
from ansible_collections.wirewatch.wireguard.plugins.module_utils._identity import Identity
from ansible_collections.wirewatch.wireguard.plugins.module_utils._memory import PART
from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import apply
from ansible_collections.wirewatch.wireguard.plugins.module_utils._publisher import Publisher
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sender import Pauses
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sinks import (
    SHORTENED,
    Sink,
    SinkClosed,
    SinkError,
    SinkRefused,
    SinkTooLarge,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._state import StateFile
from ansible_collections.wirewatch.wireguard.plugins.module_utils._stream import Stream
from ansible_collections.wirewatch.wireguard.plugins.module_utils._trigger import Triggers
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher
from unit.disk import FailingDisk
from unit.watching import World, peer, text

PATIENCE = 60.0  # seconds
SOON = Pauses(first=0.001, longest=0.002, refused=0.001, refused_tries=5)

Envelope = Dict[str, Any]


class Pipe(Sink):
    """A sink that does what `behave` says with each part: it may raise, having taken something or nothing."""

    name = "the pipe"

    def __init__(self, behave: Callable[[Pipe, list[Envelope]], None] | None = None) -> None:
        self.arrived: list[Envelope] = []
        self.parts: list[int] = []
        self.changed = threading.Condition()
        self.gone = False
        self._behave = behave

    def send(self, envelopes: Sequence[Envelope]) -> None:
        part = [json.loads(json.dumps(envelope, allow_nan=False)) for envelope in envelopes]
        self.parts.append(len(part))
        try:
            if self._behave is not None:
                self._behave(self, part)
            self.take(part)
        finally:
            with self.changed:
                self.changed.notify_all()

    def take(self, part: list[Envelope]) -> None:
        self.arrived += part

    def is_gone(self) -> bool:
        return self.gone

    def wait_for(self, true: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(true, PATIENCE)

    @property
    def types(self) -> list[str]:
        return [envelope["wireguard"]["type"] for envelope in self.arrived]


class Run:
    """A publisher in a thread of its own, on a world whose clock stands still, until its block ends."""

    def __init__(
        self, world: World, sink: Sink, folder: Path, state: StateFile | None = None, run: str = "run", **options: Any
    ) -> None:
        if state is not None:
            options["initial"] = "resume"
        self.said: list[str] = []
        self.polls = 0
        self.watcher: Watcher = world.watcher(
            *options.pop("patterns", ("*",)), told=state.state if state else None, interval=0.005, **options
        )
        poll = self.watcher.poll

        def counted(links_changed: bool = False) -> Any:
            batch = poll(True)  # nobody tells a world's links
            self.polls += 1
            return batch

        self.watcher.poll = counted  # type: ignore[method-assign]
        stream = Stream(self.watcher, Triggers([], str(folder)))
        identity = Identity("gw1", run, "boot")
        self.publisher = Publisher(self.watcher, stream, sink, identity, self.said.append, state, SOON)
        self.error: Exception | None = None
        self.idle: bool | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.idle = self.publisher.run()
        except Exception as error:
            self.error = error

    def __enter__(self) -> Run:
        self.thread.start()
        return self

    def __exit__(self, *_about: object) -> None:
        self.publisher.stop()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()

    def wait_for_polls(self, more: int) -> None:
        target = self.polls + more
        while self.polls < target:
            assert self.thread.is_alive(), self.said
            threading.Event().wait(0.001)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_publisher, "PATIENCE", 0.02)
    monkeypatch.setattr(_publisher, "GRACE", 0.2)


def folded(envelopes: Sequence[Envelope], unique: bool = False) -> dict[Any, Any]:
    """What a consumer knows; `unique`: one that drops what has a uuid that it saw before."""
    mirror: dict[Any, Any] = {}
    seen = set()
    for envelope in envelopes:
        if unique and envelope["meta"]["uuid"] in seen:
            continue
        seen.add(envelope["meta"]["uuid"])
        apply(mirror, copy.deepcopy(envelope["wireguard"]))
    return mirror


def truth(world: World) -> dict[Any, Any]:
    mirror: dict[Any, Any] = {}
    for event, _wanted in world.watcher("*").poll(links_changed=True):
        apply(mirror, event)
    return mirror


def stateless(mirror: dict[Any, Any]) -> dict[Any, Any]:
    """Without states, which are judged over time."""
    for entry in mirror.values():
        for facts in entry["peers"].values():
            facts.pop("state", None)
    return mirror


def assert_one_event_to_a_uuid(envelopes: Sequence[Envelope]) -> None:
    of: dict[str, Any] = {}
    for envelope in envelopes:
        assert of.setdefault(envelope["meta"]["uuid"], envelope) == envelope


def test_envelopes_are_those_of_the_source_with_a_uuid_each(world: World, tmp_path: Path) -> None:
    world.put("wg0", peer(1), peer(2))
    sink = Pipe()
    with Run(world, sink, tmp_path):
        sink.wait_for(lambda: len(sink.arrived) == 3)
    assert sink.types == ["interface_added", "peer_added", "peer_added"]
    assert [list(envelope) for envelope in sink.arrived] == [["meta", "wireguard"]] * 3
    assert [list(envelope["meta"]) for envelope in sink.arrived] == [["uuid"]] * 3
    assert [envelope["wireguard"]["sequence"] for envelope in sink.arrived] == [1, 2, 3]
    assert [one["meta"] for one in sink.arrived] == [
        Identity("gw1", "run", "boot").meta({"sequence": n}) for n in (1, 2, 3)
    ]


def test_uuids_differ_by_host_boot_run_and_sequence() -> None:
    names = [("gw1", "run", "boot"), ("gw2", "run", "boot"), ("gw1", "other", "boot"), ("gw1", "run", "other")]
    uuids = {Identity(*name).meta({"sequence": number})["uuid"] for name in names for number in (1, 2)}
    assert len(uuids) == 8
    assert Identity("gw1").meta({"sequence": 1}) != Identity("gw1").meta({"sequence": 1})


def test_while_the_sink_is_away_polls_go_on_and_only_the_net_is_told(world: World, tmp_path: Path) -> None:
    away = threading.Event()
    away.set()

    def behave(_sink: Pipe, _part: list[Envelope]) -> None:
        if away.is_set():
            raise SinkError("The pipe is away. It is tried again")

    world.put("wg0", peer(1, endpoint="192.0.2.1:1"))
    sink = Pipe(behave)
    with Run(world, sink, tmp_path) as run:
        run.wait_for_polls(3)
        for number in range(2, 10):
            world.put("wg0", peer(1, endpoint=f"192.0.2.1:{number}"), *[peer(2)][: number % 2])
            run.wait_for_polls(2)
        world.put("wg0", peer(1, endpoint="192.0.2.1:99"), peer(3))
        run.wait_for_polls(2)
        away.clear()
        sink.wait_for(lambda: len(sink.arrived) >= 4)
    assert sink.types == ["interface_added", "peer_added", "peer_added", "peer_endpoint_changed"]
    last = sink.arrived[-1]["wireguard"]
    assert (last["previous"], last["current"], last["sequence"]) == ("192.0.2.1:1", "192.0.2.1:99", 4)
    assert run.said[0] == "The pipe is away. It is tried again"
    assert run.said[1].startswith("The pipe takes events again after ")
    assert len(run.said) == 2, "each thing is said once"


def test_what_was_told_and_is_undone_while_the_sink_is_away_is_told_to_be_undone(world: World, tmp_path: Path) -> None:
    """The sink took the part and could not say so: nobody knows, and it must come right either way."""
    lost = threading.Event()
    lost.set()

    def behave(sink: Pipe, part: list[Envelope]) -> None:
        if lost.is_set():
            sink.take(part)
            raise SinkError("No answer within 30 s. It is tried again")

    world.put("wg0", peer(1), peer(2))
    sink = Pipe(behave)
    with Run(world, sink, tmp_path) as run:
        run.wait_for_polls(3)
        sink.wait_for(lambda: len(sink.arrived) >= 3)
        world.put("wg0", peer(2))
        run.wait_for_polls(3)
        lost.clear()
        sink.wait_for(lambda: sink.types[-1:] == ["peer_removed"])
    assert folded(sink.arrived) == folded(sink.arrived, unique=True) == truth(world)
    assert_one_event_to_a_uuid(sink.arrived)


def test_what_was_confirmed_of_a_part_is_not_sent_again(world: World, tmp_path: Path) -> None:
    def behave(sink: Pipe, part: list[Envelope]) -> None:
        if len(part) > 1:
            sink.take(part[:1])
            raise SinkError("Enough for now", confirmed=1)

    world.put("wg0", *(peer(number) for number in range(5)))
    sink = Pipe(behave)
    with Run(world, sink, tmp_path):
        sink.wait_for(lambda: len(sink.arrived) == 6)
    assert sink.parts == [6, 5, 4, 3, 2, 1]
    assert folded(sink.arrived) == truth(world)


def test_one_part_at_most_is_held(world: World, tmp_path: Path) -> None:
    def behave(_sink: Pipe, _part: list[Envelope]) -> None:
        raise SinkError("away")

    sink = Pipe(behave)
    with Run(world, sink, tmp_path) as run:
        for number in range(30):
            world.put("wg0", *(peer(100 * number + more, endpoint="192.0.2.1:1") for more in range(400)))
            run.wait_for_polls(2)
        sink.wait_for(lambda: len(sink.parts) > 10)
    assert set(sink.parts) == {PART}


def test_a_sink_that_never_returns_keeps_nobody_from_polling_or_ending(world: World, tmp_path: Path) -> None:
    release = threading.Event()
    world.put("wg0")
    sink = Pipe(lambda _sink, _part: release.wait(PATIENCE) and None)
    with Run(world, sink, tmp_path) as run:
        run.wait_for_polls(10)
    assert run.idle is False
    release.set()


def test_a_sink_that_refuses_is_tried_so_often_and_then_final(world: World, tmp_path: Path) -> None:
    def behave(_sink: Pipe, _part: list[Envelope]) -> None:
        raise SinkRefused("The pipe answers 401")

    world.put("wg0")
    sink = Pipe(behave)
    with Run(world, sink, tmp_path) as run:
        run.thread.join(PATIENCE)
    assert (str(run.error), len(sink.parts), run.said) == ("The pipe answers 401", 5, ["The pipe answers 401"])


def test_an_event_too_large_is_sent_without_its_allowed_ips_and_the_others_whole(world: World, tmp_path: Path) -> None:
    def behave(sink: Pipe, part: list[Envelope]) -> None:
        """As a broker: what comes in one batch with something too large is refused with it, what came before is not."""
        if any(len(json.dumps(envelope)) > 2500 for envelope in part):
            raise SinkTooLarge("The pipe takes 2500 bytes at most")

    many = [f"10.1.{number}.0/24" for number in range(200)]
    world.put(
        "wg0", peer(1, allowed_ips=["10.0.0.1/32"]), peer(2, allowed_ips=many), peer(3, allowed_ips=["10.0.0.3/32"])
    )
    sink = Pipe(behave)
    with Run(world, sink, tmp_path) as run:
        sink.wait_for(lambda: len(sink.arrived) == 4)
        world.put("wg0", peer(1, allowed_ips=["10.0.0.1/32"]), peer(2, allowed_ips=many[1:]))
        sink.wait_for(lambda: len(sink.arrived) == 6)
    events = [envelope["wireguard"] for envelope in sink.arrived]
    assert [event["sequence"] for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event["peer"]["allowed_ips"] for event in events[1:4]] == [["10.0.0.1/32"], None, ["10.0.0.3/32"]]
    assert events[2]["reason"] == SHORTENED
    assert (events[1]["reason"], events[3]["reason"]) == (None, None)
    changed = events[5]
    assert changed["type"] == "peer_allowed_ips_changed"
    assert (changed["previous"], changed["current"], changed["added"], changed["removed"]) == (None, None, None, None)
    assert run.said == [
        "The pipe takes 2500 bytes at most. The event peer_added of interface wg0, peer %s, is sent without its allowed IPs"
        % text(2),
        "The pipe takes 2500 bytes at most. The event peer_allowed_ips_changed of interface wg0, peer %s, is sent without its "
        "allowed IPs" % text(2),
    ]


def test_an_event_that_is_too_large_even_so_is_refused(world: World, tmp_path: Path) -> None:
    def behave(_sink: Pipe, _part: list[Envelope]) -> None:
        raise SinkTooLarge("The pipe takes nothing")

    world.put("wg0")
    sink = Pipe(behave)
    with Run(world, sink, tmp_path) as run:
        run.thread.join(PATIENCE)
    assert str(run.error) == "The pipe takes nothing"


def test_a_fault_in_a_sink_is_said_without_its_text_and_tried_again(world: World, tmp_path: Path) -> None:
    def behave(sink: Pipe, _part: list[Envelope]) -> None:
        if len(sink.parts) == 1:
            raise RuntimeError("with a SECRET in it")

    world.put("wg0")
    sink = Pipe(behave)
    with Run(world, sink, tmp_path) as run:
        sink.wait_for(lambda: bool(sink.arrived))
    assert run.said[0] == "Unexpected RuntimeError while sending; it is tried again"


@pytest.mark.parametrize("how", ["send", "look"])
def test_nobody_who_reads_on_is_a_clean_end(world: World, tmp_path: Path, how: str) -> None:
    def behave(_sink: Pipe, _part: list[Envelope]) -> None:
        raise SinkClosed("Nobody reads")

    if how == "send":
        world.put("wg0")
    sink = Pipe(behave)
    sink.gone = how == "look"
    with Run(world, sink, tmp_path) as run:
        run.thread.join(PATIENCE)
        assert not run.thread.is_alive()
    assert (run.error, run.said) == (None, [])


def test_who_watches_nothing_is_told_so_once(world: World, tmp_path: Path) -> None:
    sink = Pipe()
    with Run(world, sink, tmp_path) as run:
        run.wait_for_polls(3)
        world.put("wg0")
        sink.wait_for(lambda: sink.types == ["interface_added"])
    (said,) = run.said
    assert said.startswith("There is no WireGuard interface here. ") and said.endswith(". What appears is told")


def test_a_fault_while_looking_is_said_and_tried_again(world: World, tmp_path: Path) -> None:
    world.finding = RuntimeError("with a SECRET in it")
    sink = Pipe()
    with Run(world, sink, tmp_path) as run:
        while not run.said:
            assert run.thread.is_alive()
        world.put("wg0")
        world.finding = None
        sink.wait_for(lambda: "watch_recovered" in sink.types)
    assert sink.types == ["watch_degraded", "interface_added", "watch_recovered"]
    assert run.said == ["Unexpected RuntimeError while looking; it is tried again at each poll"]


# --- with a state file


def test_what_was_under_way_at_a_kill_comes_again_with_its_uuids(world: World, tmp_path: Path) -> None:
    heard: list[Envelope] = []

    def take_and_hang(_sink: Pipe, part: list[Envelope]) -> None:
        heard.extend(part)
        raise SinkError("It was taken, and nobody heard")

    path = str(tmp_path / "state.db")
    world.put("wg0", peer(1), peer(2))
    sink = Pipe(take_and_hang)
    with Run(world, sink, tmp_path, StateFile(path, "gw1"), run="first") as run:
        run.wait_for_polls(5)
    world.put("wg0", peer(2), peer(3))
    sink = Pipe()
    with Run(world, sink, tmp_path, StateFile(path, "gw1"), run="second"):
        sink.wait_for(lambda: len(sink.arrived) == 5)
    assert sink.arrived[:3] == heard[:3]
    assert sink.types[3:] == ["peer_added", "peer_removed"]
    everything = heard + sink.arrived
    assert folded(everything) == folded(everything, unique=True) == truth(world)
    assert_one_event_to_a_uuid(everything)
    state = StateFile(path, "gw1")
    assert (state.untold, state.state) == ([], truth(world))
    state.close()


def test_an_event_that_the_source_announced_gets_a_uuid_of_its_own(world: World, tmp_path: Path) -> None:
    path = str(tmp_path / "state.db")
    world.put("wg0")
    state = StateFile(path, "gw1")
    state.announce([event for event, _wanted in world.watcher("*").poll(links_changed=True)])
    state.close()
    world.put("wg0", peer(1))
    sink = Pipe()
    with Run(world, sink, tmp_path, StateFile(path, "gw1")):
        sink.wait_for(lambda: len(sink.arrived) == 2)
    assert [one["wireguard"]["sequence"] for one in sink.arrived] == [1, 1]
    assert_one_event_to_a_uuid(sink.arrived)


def test_a_disk_that_fails_is_said_and_the_events_go_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FailingDisk(monkeypatch)
    world.put("wg0")
    sink = Pipe()
    path = str(tmp_path / "state.db")
    with Run(world, sink, tmp_path, StateFile(path, "gw1")):
        sink.wait_for(lambda: sink.types == ["interface_added", "watch_degraded"])
        disk.mend()
        sink.wait_for(lambda: sink.types[2:] == ["watch_recovered"])
    state = StateFile(path, "gw1")
    assert state.state == truth(world)
    state.close()


# --- the model


def histories(chance: random.Random, world: World) -> Iterator[None]:
    """Steps of a random history."""
    while True:
        for name in ("wg0", "wg1"):
            happens = chance.random()
            if happens < 0.08:
                world.there.pop((None, name), None)
            elif happens < 0.6:
                fields: list[dict[str, Any]] = [
                    {},
                    {"endpoint": "192.0.2.1:1"},
                    {"endpoint": "192.0.2.2:2", "handshake": 2},
                ]
                peers = [peer(number, **chance.choice(fields)) for number in range(5) if chance.random() < 0.7]
                world.put(name, *peers)
        yield


def test_the_fold_is_the_truth_wherever_the_sink_fails_and_the_process_dies(
    tmp_path: Path, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_publisher, "PART", 3)
    for seed in range(100 if full else 8):
        chance = random.Random(seed)
        behaviour = random.Random(seed)
        world = World()
        well = threading.Event()

        def behave(sink: Pipe, part: list[Envelope], behaviour: random.Random = behaviour, well: Any = well) -> None:
            if well.is_set() or behaviour.random() < 0.4:
                return
            taken = behaviour.randrange(len(part) + 1)
            sink.take(part[:taken])
            raise SinkError("away", confirmed=behaviour.randrange(taken + 1))

        path = str(tmp_path / f"{seed}.db")
        history = histories(chance, world)
        arrived: list[Envelope] = []
        for life in range(4):
            next(history)
            sink = Pipe(behave)
            if life == 3:
                well.set()
            # The end of a run without a word writes nothing that a SIGKILL would not leave.
            with Run(world, sink, tmp_path, StateFile(path, "gw1"), run=str(life)) as run:
                for _step in range(6):
                    next(history)
                    run.wait_for_polls(1)
                run.wait_for_polls(3)
                if life == 3:
                    expected = stateless(truth(world))
                    sink.wait_for(lambda: True)
                    for _turn in range(200):
                        if stateless(folded(arrived + sink.arrived)) == expected:
                            break
                        run.wait_for_polls(1)
            arrived += sink.arrived
        assert stateless(folded(arrived)) == stateless(truth(world)), seed
        assert stateless(folded(arrived, unique=True)) == stateless(truth(world)), seed
        assert_one_event_to_a_uuid(arrived)

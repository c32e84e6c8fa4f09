# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wait in slices comes to what one long wait comes to, whatever happens and wherever it is cut."""

from __future__ import annotations

import json
from typing import Any, Callable, Tuple

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _handover
from ansible_collections.wirewatch.wireguard.plugins.module_utils._condition import CONDITIONS
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InvalidArgument, Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._handover import Slice, asked_for
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND, Device
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._wait import Outcome, Wait, WaitOptions
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.watching import FakeReader, World, key, peer

Happening = Tuple[float, Callable[[World], None]]
BUSY = Temporary("The kernel is busy")


def put(*peers: Any, **fields: Any) -> Callable[[World], None]:
    return lambda world: world.put("wg0", *peers, **fields)


def drop(world: World) -> None:
    world.there.pop((None, "wg0"), None)


def busy(world: World) -> None:
    world.fail("wg0", BUSY)


class Told:
    """A world with things to happen at seconds after its start, and one wait in it, as slices or whole."""

    def __init__(self, happenings: list[Happening], before: Device | None = None, **options: Any) -> None:
        self.world = World()
        put(peer(1), peer(2))(self.world)
        self.happenings = sorted(happenings, key=lambda one: one[0])
        self.before = before
        self.options = WaitOptions(**{"host": "gw1", "timeout": 40.0, **options})
        self.slices = 0

    def wait(self, part: Slice | None = None) -> Outcome:
        told, inner = self, self.world.make_reader(Namespace(None), "wg0")

        class Reader(FakeReader):
            def read(self) -> Device:
                while told.happenings and told.happenings[0][0] <= told.world.clock.now / SECOND:
                    told.happenings.pop(0)[1](told.world)
                return inner.read()

        baseline = self.before if part is None or part.state is None else None
        reader = Reader(self.world, inner.namespace, "wg0")
        return Wait(reader, self.options, baseline, self.world.clock).run(part)  # type: ignore[arg-type]

    def in_slices(self, seconds: float, pause: Callable[[], float] = lambda: 0.0) -> Outcome:
        """As the action plugin has it: one look, then slices; its events those of all of them."""
        state, events = None, []
        while True:
            elapsed = self.world.clock.now / SECOND
            outcome = self.wait(Slice(0 if state is None else seconds, elapsed, state))
            self.slices += 1
            events += outcome.result["events"]
            if outcome.handed_on is None:
                outcome.result["events"] = events
                return outcome
            state = json.loads(json.dumps(outcome.handed_on))["state"]
            due = min(outcome.handed_on["due"], self.options.timeout - self.world.clock.now / SECOND)
            self.world.clock.sleep(max(pause(), due if due > seconds else 0.0))


def peers_at(second: float) -> st.SearchStrategy[list[Any]]:
    def one(number: int) -> st.SearchStrategy[Any]:
        return st.builds(
            lambda ago, rx, tx, port, keepalive, secret: peer(
                number,
                handshake=second - ago if ago is not None else -1_795_435_200,
                rx_bytes=rx * 32,
                tx_bytes=tx * 148,
                endpoint=f"192.0.2.1:{port}" if port else None,
                persistent_keepalive=keepalive,
                preshared_key=secret,
            ),
            st.sampled_from([None, 0.5, 100, 170, 176, 179, 200, 235]),
            st.integers(0, 4),
            st.integers(0, 4),
            st.sampled_from([0, 1, 2]),
            st.sampled_from([0, 2]),
            st.sampled_from([None, b"hash of a key"]),
        )

    return st.tuples(one(1), one(2), one(3)).flatmap(
        lambda three: st.sets(st.sampled_from([0, 1, 2])).map(lambda chosen: [three[index] for index in chosen])
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Happening]:
    found: list[Happening] = []
    for second in sorted(draw(st.lists(st.integers(0, 38), max_size=8))):
        kind = draw(st.sampled_from(["peers", "peers", "peers", "peers", "down", "new", "gone", "busy"]))
        if kind in ("gone", "busy"):
            found.append((second, drop if kind == "gone" else busy))
        else:
            fields = {"up": kind != "down", "ifindex": 8 if kind == "new" else 7}
            found.append((second, put(*draw(peers_at(second)), **fields)))
    return found


@settings(max_examples=400, deadline=None)
@given(
    histories(),
    st.sampled_from(sorted(CONDITIONS)),
    st.booleans(),
    st.sampled_from([None, (key(1),), (key(2), key(1))]),
    st.sampled_from([0.5, 1.0, 3.0, 15.0]),
    st.sampled_from([0.0, 2.5, 12.0]),
    st.sampled_from([1.0, 4.0, 10.0]),
    st.booleans(),
)
def test_slices_come_to_what_one_long_wait_comes_to(
    history: list[Happening],
    condition: str,
    match_all: bool,
    peers: tuple[bytes, ...] | None,
    interval: float,
    delay: float,
    seconds: float,
    with_baseline: bool,
) -> None:
    chosen = {"condition": condition, "match_all": match_all, "peers": peers, "interval": interval, "delay": delay}
    before = Device("wg0", ifindex=7, up=True, peers={key(1): peer(1), key(4): peer(4)}) if with_baseline else None

    def ended(wait: Callable[[Told], Outcome]) -> Any:
        try:
            return wait(Told(history, before, **chosen))
        except Exception as error:
            return repr(error)

    assert ended(lambda told: told.in_slices(seconds)) == ended(Told.wait)


@pytest.mark.parametrize(
    ("condition", "happening"),
    [
        ("handshake", put(peer(1, handshake=15), peer(2))),
        ("first_handshake", put(peer(1, handshake=15), peer(2))),
        ("endpoint_changed", put(peer(1, endpoint="192.0.2.9:9"), peer(2))),
        ("allowed_ips_changed", put(peer(1, allowed_ips=["::/0"]), peer(2))),
        ("traffic", put(peer(1, rx_bytes=1), peer(2))),
        ("recreated", put(peer(1), peer(2), ifindex=8)),
        ("absent", put(peer(2))),
        ("up", put(peer(1, handshake=15), peer(2))),
    ],
)
def test_what_happens_while_nobody_looks_is_seen_by_the_next_slice(
    condition: str, happening: Callable[[World], None]
) -> None:
    told = Told([(15, happening)], condition=condition, peers=(key(1),))
    pauses = iter([0.0, 20.0])
    outcome = told.in_slices(10, lambda: next(pauses))
    assert outcome.satisfied
    assert told.slices == 3
    assert 20 < outcome.result["elapsed"] <= 32


def test_silence_counts_over_slices_and_over_the_time_between_them() -> None:
    """148 bytes sent into silence at second 3: down 15 s later, since the session is over."""
    old = {"handshake": -200, "rx_bytes": 32}
    history: list[Happening] = [(0, put(peer(1, **old))), (3, put(peer(1, **old, tx_bytes=148)))]
    told = Told(history, condition="down", interval=1.0)
    outcome = told.in_slices(2, lambda: 2.5)
    assert (outcome.satisfied, told.slices > 3) == (True, True)
    assert 18 <= outcome.result["elapsed"] <= 21


def test_a_slice_that_is_two_seconds_old_ends_with_the_look_that_sees_a_change() -> None:
    told = Told([(5, put(peer(1, endpoint="192.0.2.9:9")))], condition="up")
    first = told.wait(Slice(0))
    assert first.handed_on is not None
    second = told.wait(Slice(30, 0, first.handed_on["state"]))
    assert second.handed_on is not None
    assert told.world.clock.now == 5 * SECOND
    assert second.handed_on["due"] == 1
    assert [event["type"] for event in second.result["events"]] == ["peer_removed", "peer_endpoint_changed"]


def test_what_is_seen_is_told_in_a_few_words() -> None:
    history = [(1, put(peer(1, endpoint="192.0.2.9:9", tx_bytes=148), peer(2, handshake=1)))]
    told = Told(history, condition="first_handshake", names={key(1): "office"})
    first = told.wait(Slice(0))
    assert first.handed_on is not None
    second = told.wait(Slice(1, 0, first.handed_on["state"]))
    assert second.handed_on is not None
    assert second.handed_on["seen"] == "office tx +148 B, nothing back"


def test_a_wait_whose_delay_is_long_looks_at_nothing_in_its_first_slice() -> None:
    told = Told([], condition="up", delay=30.0)
    first = told.wait(Slice(0))
    assert first.handed_on is not None
    assert (first.result["polls"], first.handed_on["due"], first.handed_on["seen"]) == (0, 30, "not looked yet")


def test_after_a_reboot_the_baseline_stays_and_the_time_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told([], condition="handshake", timeout=300.0)
    monkeypatch.setattr(_handover, "boot_id", lambda: "one")
    told.world.clock.sleep(1000)
    first = told.wait(Slice(0))
    assert first.handed_on is not None
    monkeypatch.setattr(_handover, "boot_id", lambda: "two")
    told.world.clock.now = 5 * SECOND  # the monotonic clock begins anew
    told.happenings.append((7, put(peer(1, handshake=5), peer(2, handshake=5), ifindex=3)))
    last = told.wait(Slice(10, 60, first.handed_on["state"]))
    assert last.satisfied
    assert last.result["elapsed"] == 62


def test_a_memory_comes_back_whole_and_holds_no_hash_of_a_preshared_key() -> None:
    told = Told([(0, put(peer(1, preshared_key=b"hash", handshake=1)))], condition="down")
    state = told.wait(Slice(0)).handed_on["state"]  # type: ignore[index]
    memory = _handover.unpack(state, _handover.boot_id(), 0)
    assert memory.previous is memory.device
    assert memory.first[key(1)].preshared_key == b""
    assert _handover.pack(memory, _handover.boot_id()) == state


@pytest.mark.parametrize("state", ["", "{", "[]", '{"version": 99}', '{"version": 1}', None])
def test_what_is_no_memory_is_an_error_and_not_a_wait(state: str | None) -> None:
    whole = json.loads(Told([], condition="up").wait(Slice(0)).handed_on["state"])  # type: ignore[index]
    whole["tracks"] = {}
    told = Told([], condition="up")
    with pytest.raises(InvalidArgument, match="begin the wait anew"):
        told.wait(Slice(1, 0, state if state is not None else json.dumps(whole)))


@pytest.mark.parametrize("entry", [{}, {"seconds": "x", "elapsed": 0, "state": None}, None, 5])
def test_an_entry_that_asks_for_no_slice_is_an_error(entry: Any) -> None:
    with pytest.raises(InvalidArgument, match="begin the wait anew"):
        asked_for([{_handover.ENTRY: entry}])


def test_the_users_baseline_is_kept_apart_from_the_slice() -> None:
    slice_ = {"seconds": 1, "elapsed": 2, "state": None}
    device = {"interface": "wg0"}
    assert asked_for(None) == (None, None)
    assert asked_for([]) == ([], None)
    assert asked_for([device]) == ([device], None)
    assert asked_for([device, {_handover.ENTRY: slice_}]) == ([device], Slice(1, 2, None))
    assert asked_for([{_handover.ENTRY: slice_}]) == (None, Slice(1, 2, None))

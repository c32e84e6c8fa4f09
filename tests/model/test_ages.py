# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon that tells the age of a handshake, in whatever order its peers come: ten minutes of polls tell what happened."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import (
    SECOND,
    USERSPACE,
    decode_key,
    encode_key,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reader import InterfaceReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reuse import Reuse
from ansible_collections.wirewatch.wireguard.plugins.module_utils._userspace import UserspaceReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions
from unit.watching import START, Event, FakeClock, poll

PEERS = 5
POLLS = 600
REKEY = 120  # seconds between the handshakes of a busy pair


class Boringtun:
    """Answers as boringtun does, on a clock that stands still between polls; `whole` rounds ages to seconds.

    Its clock is the monotonic one. Between its reading it and ours some milliseconds pass, at each poll others.
    """

    def __init__(self, clock: FakeClock, seed: int, whole: bool) -> None:
        self.handshakes: dict[bytes, int] = {}  # monotonic nanoseconds, by public key
        self.busy: list[bytes] = []
        self.keys = [number.to_bytes(32, "big") for number in range(1, PEERS + 1)]
        self._clock = clock
        self._chance = random.Random(seed)
        self._whole = whole
        self.babbles = False

    def answer(self) -> bytes:
        if self.babbles:
            return b"What was the question?\n\n"
        lines = [f"own_public_key={'77' * 32}", "listen_port=51820"]
        for key in self._chance.sample(self.keys, PEERS):
            lines += [f"public_key={key.hex()}", "endpoint=192.0.2.7:51820", f"allowed_ip=10.9.0.{key[-1]}/32"]
            if key in self.handshakes:
                age = max(1, self._clock.now - self.handshakes[key] - self._chance.randrange(50_000_000))
                seconds, nanoseconds = divmod(age, SECOND)
                if self._whole:  # up, since an age of zero is how the protocol says never
                    seconds, nanoseconds = seconds + 1, 0
                lines += [f"last_handshake_time_sec={seconds}", f"last_handshake_time_nsec={nanoseconds}"]
            # Where somebody talks, counters move with each poll.
            moved = self._clock.now // 10**6 if key in self.busy else 92
            lines += [f"rx_bytes={moved}", f"tx_bytes={moved}"]
        return "\n".join([*lines, "errno=0\n\n"]).encode()


def watch(clock: FakeClock, daemon: Boringtun, monkeypatch: pytest.MonkeyPatch) -> Watcher:
    def make_reader(namespace: Namespace, interface: str) -> UserspaceReader:
        reader = UserspaceReader(
            namespace, interface, memory=Reuse, wall_clock=clock.wall_ns, monotonic_clock=clock.monotonic_ns
        )
        monkeypatch.setattr(reader, "_exchange", daemon.answer)
        return reader

    class Reader(InterfaceReader):
        def _userspace(self) -> Callable[[], UserspaceReader]:
            return lambda: make_reader(self.namespace, self.interface)

    return Watcher(
        WatchOptions(patterns=["wg0"], host="here"),
        clock=clock,
        make_reader=lambda namespace, interface: Reader(namespace, interface, USERSPACE),
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.mark.parametrize("whole", [False, True], ids=["nanoseconds", "whole seconds"])
@pytest.mark.parametrize("seed", range(3))
def test_ten_minutes_of_polls_tell_of_new_handshakes_and_of_nothing_else(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None], seed: int, whole: bool
) -> None:
    chance = random.Random(seed)
    daemon = Boringtun(clock, seed, whole)
    quiet, busy = daemon.keys[0], daemon.keys[1:3]  # of the others nobody ever heard
    daemon.busy = busy
    daemon.handshakes = dict.fromkeys([quiet, *busy], 0)
    clock.sleep(5)
    watcher = watch(clock, daemon, monkeypatch)
    assert len(poll(watcher)) == 1 + PEERS
    expected: list[str] = []
    told: list[Event] = []
    for number in range(POLLS):
        clock.sleep(1 + chance.uniform(-0.01, 0.01))
        if number in (200, 300):  # the wall clock is stepped, which moves no age
            clock.step += (1 if number == 200 else -1) * 3600 * SECOND
        if number % REKEY == REKEY - 1:
            for key in busy:
                daemon.handshakes[key] = clock.now - chance.randrange(SECOND)
                expected.append(encode_key(key))
        daemon.babbles = number in (100, 101, 250)
        told += poll(watcher)
    handshakes = [event for event in told if event["type"] == "peer_handshake_refreshed"]
    assert [event["public_key"] for event in handshakes] == expected
    for event in handshakes[-len(busy) :]:
        # The time is what it was on our clock, to the second that it is rounded to and the milliseconds of the answer.
        at = START + clock.step + daemon.handshakes[decode_key(event["public_key"])]
        assert event["peer"]["last_handshake_epoch"] == pytest.approx(at / SECOND, abs=1.1)
    others = [event["type"] for event in told if event not in handshakes]
    assert sorted(set(others)) == ["peer_state_changed", "watch_degraded", "watch_recovered"]
    assert others.count("watch_degraded") == others.count("watch_recovered") == 2
    # Silence makes the quiet one idle, once; the busy ones stay up.
    states = [(event["public_key"], event["current"]) for event in told if event["type"] == "peer_state_changed"]
    assert states == [(encode_key(quiet), "idle")]
    figure(f"{POLLS} polls of ages in random order: {len(handshakes)} handshakes told of {len(expected)}, nothing else")


def test_a_handshake_is_seen_however_long_nobody_looked(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a rulebook is busy for an hour there are no looks: an age may have grown, and be of a later handshake."""
    daemon = Boringtun(clock, 1, whole=True)
    busy, quiet = daemon.keys[:2]
    daemon.handshakes = {busy: 0, quiet: 0}
    clock.sleep(10)
    watcher = watch(clock, daemon, monkeypatch)
    poll(watcher)
    clock.sleep(3600)
    daemon.handshakes[busy] = clock.now - 100 * SECOND
    assert [event["public_key"] for event in poll(watcher) if event["type"] == "peer_handshake_refreshed"] == [
        encode_key(busy)
    ]

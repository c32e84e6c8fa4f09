# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A watcher polls while wg(8) and ip(8) change the interface as fast as they can: all that it tells was true, at that time.

Each poll is held against the history of the commands. What it tells, and the whole mirror after it, must be what the interface
was at *one* position in it, between the begin and the end of the dump; nothing is missed if that holds after every poll.
"""

from __future__ import annotations

import json
import random
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InterfaceGone, Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._kernel import KernelReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import apply
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions
from integration.following import dump, mirrored
from kernel import storm
from kernel.storm import SHAPES, Secrets, Storm
from lab import Interface, Network, generate_keys, generate_preshared_key, wait_for

SEED = 20261124
PATIENCE = 3600.0  # seconds for the writer; it takes minutes
PAUSES = (0.0, 0.0, 0.05, 0.3)  # seconds between polls
OF_PEERS = ("endpoint", "allowed_ips", "persistent_keepalive", "preshared_key")
OF_INTERFACE = ("ifindex", "listen_port", "fwmark", "public_key", "up")
FIELD_OF = {
    "peer_endpoint_changed": "endpoint",
    "peer_allowed_ips_changed": "allowed_ips",
    "peer_keepalive_changed": "persistent_keepalive",
    "peer_preshared_key_changed": "has_preshared_key",
    "peer_state_changed": "state",
}


class Attempt(NamedTuple):
    """One dump: monotonic times, and what it ended with."""

    start: int
    end: int
    error: type[Exception] | None


class Poll(NamedTuple):
    attempt: Attempt  # the last one, which is what the poll found
    events: list[dict]


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[Attempt]:
    """All attempts to read the kernel's device, as they are made."""
    made: list[Attempt] = []
    read_once = KernelReader._read_once

    def timed(reader: KernelReader) -> Any:
        start, error = time.monotonic_ns(), None
        try:
            return read_once(reader)
        except Exception as raised:
            error = type(raised)
            raise
        finally:
            made.append(Attempt(start, time.monotonic_ns(), error))

    monkeypatch.setattr(KernelReader, "_read_once", timed)
    return made


class Known(NamedTuple):
    """What is to be remembered of the mirror as it was before a poll."""

    ifindex: int
    preshared: dict[str, bool]  # by public key

    @staticmethod
    def of(entry: dict | None) -> Known | None:
        if entry is None:
            return None
        peers = {key: facts["has_preshared_key"] for key, facts in entry["peers"].items()}
        return Known(entry["interface"]["ifindex"], peers)


class Verifier:
    """Folds the events of poll after poll, and holds them against the history of the storm."""

    def __init__(self, plan: Storm, times: list[tuple[int, int]]) -> None:
        self.mirror: dict[Any, dict] = {}
        self.phantoms: list[str] = []  # told, and not true
        self.misses: list[str] = []  # true, and not told
        self._plan = plan
        self._begun, self._ended = [begin for begin, _end in times], [end for _begin, end in times]
        self._low = self._high = 0  # positions of the last good poll
        self._unsettled: set[str] = set()  # peers that were seen in the midst of a command

    def poll(self, poll: Poll) -> None:
        events = [event for event in poll.events if not event["type"].startswith("watch_")]
        before = Known.of(self._shown())
        for event in events:
            self._hear(event)
        if poll.attempt.error not in (None, InterfaceGone):
            self._expect(not events, "told after a dump that is not whole")
            return
        # A command that ended before the dump began is in it; one that began after its end is not.
        low = 2 * bisect_left(self._ended, poll.attempt.start)
        high = 2 * bisect_left(self._begun, poll.attempt.end)
        self._compare(events, before, low, high)
        self._low, self._high = low, high

    def _compare(self, events: list[dict], before: Known | None, low: int, high: int) -> None:
        after = self._shown()
        told = {(event["public_key"] or "", event["type"]) for event in events}
        self._at_one_time = set(range(low, high + 1))
        self._check(told, ("", "present"), after is not None, low, high)
        if after is None:
            return
        for field in OF_INTERFACE:
            self._check(told, ("", field), after["interface"].get(field), low, high)
        touched = {key for key, _kind in told} | self._unsettled
        for command in range(self._low // 2, high // 2 + 1):
            touched |= self._plan.changed.get(command, set())
        self._unsettled.clear()
        for key in touched - {""}:
            self._compare_peer(told, key, after, before, low, high)
        if not self._at_one_time:
            self.phantoms.append(f"positions {low} to {high}: each fact was true, but not all of them at one time")
        if before is not None and before.ifindex != after["interface"]["ifindex"]:
            anew = {key for key, kind in told if kind == "peer_recreated"}
            self._expect(anew == before.preshared.keys() & after["peers"].keys(), "peers of another interface")
        active = after["interface"]["up"] and after["interface"]["public_key"] is not None
        state = "never" if active else "inactive"
        for key in after["peers"] if ("", "interface_changed") in told else touched & after["peers"].keys():
            self._expect(after["peers"][key]["state"] == state, f"state of {key}")

    def _compare_peer(self, told: set, key: str, after: dict, before: Known | None, low: int, high: int) -> None:
        facts = after["peers"].get(key)
        settled = self._check(told, (key, "present"), facts is not None, low, high)
        if facts is None:
            self._expect((key, "peer_recreated") not in told, "recreated, and not there")
            return
        values = {**facts, "allowed_ips": set(facts["allowed_ips"]), "preshared_key": facts["has_preshared_key"]}
        for field in OF_PEERS:
            settled &= self._check(told, (key, field), values[field], low, high)
        if not settled:
            self._unsettled.add(key)
        if before is None or key not in before.preshared:
            return
        plan = self._plan
        if (key, "peer_recreated") in told:
            absent = plan.positions((key, "present"), False, self._low, high)
            self._expect(bool(absent), f"recreated, and never away: {key}")
        # One preshared key for another: the mirror shows it as true and true.
        if before.preshared[key] and facts["has_preshared_key"]:
            then, now = (plan.preshared_keys(key, *span) - {0} for span in ((self._low, self._high), (low, high)))
            if (key, "peer_preshared_key_changed") in told:
                self._expect(len(plan.preshared_keys(key, self._low, high) - {0}) > 1, f"no other preshared key: {key}")
            elif not then & now:
                self.misses.append(f"another preshared key of {key}")

    def _check(self, told: set, fact: tuple[str, str], value: Any, low: int, high: int) -> bool:
        """Whether the value is the one at the end of the dump, too. Keeps the positions at which all facts were true."""
        positions = self._plan.positions(fact, value, low, high)
        if not positions:
            was_told = any(key == fact[0] for key, _kind in told)
            (self.phantoms if was_told else self.misses).append(f"positions {low} to {high}: {fact} was never {value}")
        elif fact != ("", "up"):  # which is no part of a dump, but asked for after it
            self._at_one_time &= positions
        return high in positions

    def _hear(self, event: dict) -> None:
        """A change begins where the mirror is, and leads elsewhere."""
        known = self._shown()
        key, kind = event["public_key"], event["type"]
        if key is None:
            if kind == "interface_changed":
                self._expect(known is not None and known["interface"][event["field"]] == event["previous"], str(event))
                self._expect(event["previous"] != event["current"], str(event))
            else:
                self._expect((known is not None) == (kind == "interface_removed"), str(event))
        else:
            facts = known["peers"].get(key) if known else None
            self._expect((facts is None) == (kind == "peer_added"), str(event))
            if facts and kind in FIELD_OF:
                self._expect(facts[FIELD_OF[kind]] == event["previous"], str(event))
                both_set = kind == "peer_preshared_key_changed" and event["previous"] is True
                self._expect(both_set or event["previous"] != event["current"], str(event))
        apply(self.mirror, event)

    def _expect(self, true: bool, what: str) -> None:
        if not true:
            self.phantoms.append(what)

    def _shown(self) -> dict | None:
        """The mirror of the only interface, as it is now."""
        return next(iter(self.mirror.values()), None)


def run_storm(interface: Interface, plan: Storm, attempts: list[Attempt]) -> tuple[list[Poll], list[tuple[int, int]]]:
    """Polls until the writer is through, and once more; the polls, and the times of the commands."""
    folder, host = interface.host.network.folder, interface.host
    (folder / "commands").write_text(json.dumps(plan.commands), encoding="utf-8")
    chance = random.Random(SEED)
    watcher = Watcher(WatchOptions(patterns=[interface.name], netns=[host.namespace], host="here"))
    polls: list[Poll] = []

    def poll() -> None:
        events = [event for event, _wanted in watcher.poll()]
        watcher.confirm()
        polls.append(Poll(attempts[-1], events))

    def polled_to_the_end() -> bool:
        ended = writer.poll() is not None
        poll()
        return ended

    writer = host.start([sys.executable, storm.__file__, str(folder / "commands"), str(folder / "times")])
    try:
        deadline = time.monotonic() + PATIENCE
        while not polled_to_the_end():
            assert time.monotonic() < deadline, "The writer does not end."
            time.sleep(chance.choice(PAUSES))
        wait_for(lambda: poll() or attempts[-1].error is None, 60, "a dump that nobody disturbs")
    finally:
        watcher.close()
        writer.kill()
        writer.wait()
    lines = (folder / "times").read_text(encoding="ascii").splitlines()
    times = [(int(begin), int(end)) for begin, end in map(str.split, lines)]
    failed = plan.commands[len(times)][:4] if len(times) < len(plan.commands) else None
    assert failed is None
    return polls, times


@pytest.mark.parametrize("peers", SHAPES)
def test_what_is_told_in_a_storm_of_commands_was_true_at_that_time(
    peers: int, network: Network, attempts: list[Attempt], full: bool, figure: Callable[[str], None]
) -> None:
    interface = network.host("hub", "192.0.2.1", "2001:db8:ffff::1").wireguard()
    interface.remove()  # making it is the first command
    own = [generate_keys() for _one in range(3)]
    secrets = Secrets([(keys.public, keys.private) for keys in own], [generate_preshared_key() for _one in range(3)])
    count = 5000 if full else {1: 300, 100: 300, 3000: 200}[peers]
    plan = Storm(SHAPES[peers], count, interface.name, network.folder, secrets, SEED)
    polls, times = run_storm(interface, plan, attempts)

    verifier = Verifier(plan, times)
    for poll in polls:
        verifier.poll(poll)
    events = sum(len(poll.events) for poll in polls)
    outcomes = Counter(attempt.error for attempt in attempts)
    figure(
        f"{len(times)} operations in {(times[-1][1] - times[0][0]) / 1e9:.0f} s, {events} events, {len(polls)} polls "
        f"({outcomes[Temporary]} of {len(attempts)} dumps interrupted, "
        f"{sum(poll.attempt.error is Temporary for poll in polls)} polls without a whole one): "
        f"{len(verifier.phantoms)} phantoms, {len(verifier.misses)} misses"
    )
    assert (verifier.phantoms[:5], verifier.misses[:5]) == ([], [])
    assert outcomes.keys() <= {None, InterfaceGone, Temporary}
    assert_mirror_is_what_the_tools_show(verifier.mirror, interface)


def assert_mirror_is_what_the_tools_show(mirror: dict, interface: Interface) -> None:
    netns = interface.host.namespace
    assert mirrored(mirror, interface.name, netns) == dump(interface)
    (link,) = json.loads(interface.host.ip("-json", "link", "show", interface.name))
    facts = mirror["here", netns, interface.name]["interface"]
    fwmark = interface.wg("show", interface.name, "fwmark").strip()
    assert {field: facts[field] for field in OF_INTERFACE} == {
        "ifindex": link["ifindex"],
        "listen_port": int(interface.wg("show", interface.name, "listen-port")),
        "fwmark": 0 if fwmark == "off" else int(fwmark, 16),
        "public_key": interface.wg("show", interface.name, "public-key").strip(),
        "up": "UP" in link["flags"],
    }

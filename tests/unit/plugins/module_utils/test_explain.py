# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentences that say why a wait timed out, and what there is instead of a missing interface."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _gather
from ansible_collections.wirewatch.wireguard.plugins.module_utils._condition import CONDITIONS, Expected, Seen
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import (
    Temporary,
    WireGuardError,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._explain import explain_peer, list_some
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Device, parse_allowed_ip
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._wait import Wait, WaitOptions
from unit.watching import World, key, peer, text

HERE = {"endpoint": "192.0.2.7:51820"}
NOTHING_SENT = (
    "nothing sent and nothing received: WireGuard shakes hands only when there is something to send. Send a packet into the "
    "tunnel, or set a persistent keepalive"
)
MUST_START = "no endpoint and nothing received: the other side must start"


def ips(*texts: str) -> tuple[bytes, ...]:
    return tuple(sorted(map(parse_allowed_ip, texts)))


def explained(
    condition: str,
    now: dict[str, Any] | None,
    start: dict[str, Any] | None = None,
    expected: Expected | None = None,
    state: str = "never",
    **device: Any,
) -> str:
    first = peer(1, **({} if start is None else start))
    seen = Seen(first, first, None if now is None else peer(1, **now), state)
    return explain_peer(condition, expected or Expected(), seen, first, Device("wg0", **device))


# --- what the counters say


@pytest.mark.parametrize("condition", ["first_handshake", "handshake", "up", "traffic"])
@pytest.mark.parametrize(
    ("start", "now", "sentence"),
    [
        ({}, {}, MUST_START),
        ({}, {"persistent_keepalive": 25}, MUST_START),
        ({}, HERE, NOTHING_SENT),
        ({**HERE, "tx_bytes": 500}, {**HERE, "tx_bytes": 500}, NOTHING_SENT),
        ({}, {**HERE, "persistent_keepalive": 25}, "nothing sent and nothing received"),
        (
            {},
            {**HERE, "tx_bytes": 148},
            "148 bytes sent every 5 s (1 handshake initiations) and nothing back: 192.0.2.7:51820 is unreachable, or one side "
            "has a wrong key",
        ),
        (
            {"tx_bytes": 1000},
            {"endpoint": "[2001:db8::7]:1", "tx_bytes": 1000 + 12 * 148},
            "148 bytes sent every 5 s (12 handshake initiations) and nothing back: [2001:db8::7]:1 is unreachable, or one side "
            "has a wrong key",
        ),
        (
            {},
            {**HERE, "tx_bytes": 147},
            "147 bytes sent to 192.0.2.7:51820 and nothing back: unreachable, or one side has a wrong key",
        ),
        (
            {},
            {**HERE, "tx_bytes": 149},
            "149 bytes sent to 192.0.2.7:51820 and nothing back: unreachable, or one side has a wrong key",
        ),
        (
            {"rx_bytes": 10},
            {**HERE, "rx_bytes": 306, "tx_bytes": 184},
            "296 bytes were received from it, yet no handshake completed: check both public keys and the preshared key",
        ),
    ],
)
def test_why_no_session_came_to_be(condition: str, start: dict[str, Any], now: dict[str, Any], sentence: str) -> None:
    assert explained(condition, now, start) == sentence


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ({"up": False}, "the interface is down"),
        ({"up": False, "has_private_key": False}, "the interface is down"),
        ({"up": True, "has_private_key": False}, "the interface has no private key"),
    ],
)
def test_an_interface_that_cannot_shake_hands_is_the_reason(device: dict[str, Any], sentence: str) -> None:
    assert explained("first_handshake", {**HERE, "tx_bytes": 148}, {}, **device) == sentence


@pytest.mark.parametrize(
    ("condition", "state", "rx", "sentence"),
    [
        ("handshake", "up", 5, "its last handshake is still that of {} (state up); 5 bytes were received from it"),
        (
            "handshake",
            "idle",
            0,
            "its last handshake is still that of {} (state idle); nothing sent and nothing received",
        ),
        ("up", "down", 0, "its last handshake is still that of {} (state down); nothing sent and nothing received"),
        ("down", "up", 5, "its state is up, last handshake {}"),
        ("traffic", "up", 0, "nothing sent and nothing received"),
    ],
)
def test_a_handshake_that_is_the_old_one(condition: str, state: str, rx: int, sentence: str) -> None:
    now = {**HERE, "handshake": 0, "rx_bytes": rx, "persistent_keepalive": 25}
    said = explained(condition, now, {"handshake": 0}, state=state)
    assert said == sentence.format("2026-11-23T12:00:00.000000Z")


@pytest.mark.parametrize(
    ("condition", "now", "sentence"),
    [
        ("present", None, "it is not configured on the interface"),
        ("up", None, "it is not configured on the interface"),
        ("absent", {}, "it is still configured"),
        ("recreated", HERE, "it is still the same peer object"),
        ("down", {}, "its state is never, last handshake never"),
        ("endpoint_changed", {}, f"its endpoint is still not set; {MUST_START}"),
        ("endpoint_changed", HERE, f"its endpoint is still 192.0.2.7:51820; {NOTHING_SENT}"),
        ("allowed_ips_changed", {}, "its allowed IPs are still none"),
        ("allowed_ips_changed", {"allowed_ips": ["::/0", "10.0.0.0/8"]}, "its allowed IPs are still 10.0.0.0/8, ::/0"),
    ],
)
def test_what_did_not_come_true(condition: str, now: dict[str, Any] | None, sentence: str) -> None:
    assert explained(condition, now) == sentence


# --- expected values


@pytest.mark.parametrize("condition", sorted(set(CONDITIONS) - {"absent"}))
def test_a_value_that_is_not_the_expected_one_is_the_reason_whatever_the_condition(condition: str) -> None:
    """All but the value may well hold, so that nothing else explains it."""
    now = {**HERE, "allowed_ips": ["10.0.0.1/32"], "handshake": 0, "rx_bytes": 9}
    assert explained(condition, now, {}, Expected(None, None, ips("10.0.0.2/32", "::/0"))) == (
        "its allowed IPs are 10.0.0.1/32, not the expected 10.0.0.2/32, ::/0"
    )
    for expected in (Expected("192.0.2.8"), Expected("192.0.2.7", 1)):
        assert explained(condition, now, {}, expected) == (
            "its endpoint is 192.0.2.7:51820, not the expected one; 9 bytes were received from it"
        )
    assert explained(condition, {}, {}, Expected("192.0.2.8")) == (
        f"its endpoint is not set, not the expected one; {MUST_START}"
    )


@pytest.mark.parametrize("condition", sorted(set(CONDITIONS) - {"absent", "endpoint_changed", "present"}))
def test_a_value_that_is_the_expected_one_is_not_blamed(condition: str) -> None:
    now = {**HERE, "allowed_ips": ["10.0.0.1/32"]}
    assert "not the expected" not in explained(condition, now, {}, Expected("192.0.2.7", 51820, ips("10.0.0.1/32")))


def test_an_empty_set_may_be_expected_too() -> None:
    said = explained("present", {"allowed_ips": ["::/0"]}, {}, Expected(None, None, ()))
    assert said == "its allowed IPs are ::/0, not the expected none"


# --- many


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (1, "0"), (5, "0; 1; 2; 3; 4"), (6, "0; 1; 2; 3; 4; and 1 more"), (1000, "0; 1; 2; 3; 4; and 995 more")],
)
def test_the_first_few_are_listed_and_the_rest_counted(count: int, text: str) -> None:
    assert list_some([str(number) for number in range(count)]) == text


def timed_out(world: World, **options: Any) -> str:
    reader = world.make_reader(Namespace(None), "wg0")
    chosen = WaitOptions("first_handshake", **{"timeout": 2.5, **options})
    return Wait(reader, chosen, None, world.clock).run().reason  # type: ignore[arg-type]


def test_a_whole_reason() -> None:
    world = World()
    world.put("wg0", peer(1, handshake=0), peer(2), peer(3, **HERE))
    assert timed_out(world, names={key(3): "office"}) == (
        "Timed out after 2.5 s waiting for first_handshake on wg0 (1 of 3 peers satisfied). "
        f"peer {text(2)}: {MUST_START}; peer {text(3)} (office): {NOTHING_SENT}"
    )


def test_initiations_are_counted_from_the_first_look() -> None:
    world = World()
    world.put("wg0", peer(1, **HERE, tx_bytes=1480))
    sleep = world.clock.sleep

    def sleeping(seconds: float) -> None:
        sleep(seconds)
        world.put("wg0", peer(1, **HERE, tx_bytes=1480 + 148 * int(world.clock.now / 5e9)))

    world.clock.sleep = sleeping  # type: ignore[method-assign]
    reason = timed_out(world, timeout=61)
    assert "148 bytes sent every 5 s (12 handshake initiations) and nothing back" in reason


def test_of_many_peers_a_few_are_named() -> None:
    world = World()
    world.put("wg0", *map(peer, range(1, 101)))
    reason = timed_out(world)
    assert "(0 of 100 peers satisfied)" in reason
    assert reason.endswith("; and 95 more")
    assert len(reason) < 1000


# --- an interface that is not there


@pytest.mark.parametrize(
    ("found", "netns", "sentence"),
    [
        (["wg1", "wg2"], None, "There is no interface wg0. WireGuard interfaces here: wg1, wg2"),
        ([], None, "There is no interface wg0. WireGuard interfaces here: none"),
        (
            ["wg1"],
            "blue",
            "There is no interface wg0. WireGuard interfaces in network namespace blue: wg1",
        ),
        (Temporary("The links can't be listed"), None, "There is no interface wg0"),
    ],
)
def test_a_missing_interface_is_told_with_those_that_are_there(
    monkeypatch: pytest.MonkeyPatch, found: list[str] | WireGuardError, netns: str | None, sentence: str
) -> None:
    def find(namespace: Namespace, backend: str) -> list[str]:
        if isinstance(found, WireGuardError):
            raise found
        return found

    monkeypatch.setattr(_gather, "find", find)
    assert _gather.with_existing("There is no interface wg0", Namespace(netns)) == sentence

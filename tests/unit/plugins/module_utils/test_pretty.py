# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads: lines of events, a device as wg(8) shows it, times and amounts."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._event import TYPES
from ansible_collections.wirewatch.wireguard.plugins.module_utils._pretty import Pretty
from ansible_collections.wirewatch.wireguard.plugins.module_utils._record import device_record
from ansible_collections.wirewatch.wireguard.plugins.module_utils._show import device_text
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sink_lines import LineSink
from ansible_collections.wirewatch.wireguard.plugins.module_utils._sinks import SinkClosed, SinkError
from ansible_collections.wirewatch.wireguard.plugins.module_utils._words import amount, duration
from unit.watching import START, World, peer, text

KEY = text(1)


def event(kind: str, at: float = 0.0, **fields: Any) -> dict[str, Any]:
    keys = "initial netns interface public_key name field previous current first added removed reason device peer"
    found: dict[str, Any] = dict.fromkeys(keys.split())
    found.update(type=kind, initial=False, host="gw1", observed_at="2026-11-23T12:00:01.000000Z", observed_at_epoch=at)
    if kind.startswith("peer_"):
        found.update(interface="wg0", public_key=KEY, peer={"state": "never", "endpoint": None})
    if kind.startswith("interface_"):
        found.update(interface="wg0", device={"backend": "kernel", "listen_port": 51820})
    return {**found, **fields}


def line(one: dict[str, Any]) -> str:
    return Pretty().line({"wireguard": one})


WORDS = [
    ("peer_added", {}, "was added, never"),
    (
        "peer_added",
        {"initial": True, "peer": {"state": "up", "endpoint": "192.0.2.7:1"}},
        "is there, up at 192.0.2.7:1",
    ),
    ("peer_removed", {}, "was removed"),
    (
        "peer_endpoint_changed",
        {"previous": "192.0.2.7:51820", "current": "198.51.100.4:40000"},
        "roamed 192.0.2.7:51820 -> 198.51.100.4:40000",
    ),
    ("peer_endpoint_changed", {"current": "192.0.2.7:1"}, "is reached at 192.0.2.7:1"),
    ("peer_endpoint_changed", {"previous": "192.0.2.7:1"}, "lost its endpoint 192.0.2.7:1"),
    ("peer_handshake_refreshed", {"first": True}, "shook hands for the first time"),
    ("peer_handshake_refreshed", {"first": False}, "shook hands"),
    (
        "peer_allowed_ips_changed",
        {"added": ["10.0.0.1/32"], "removed": ["::/0"]},
        "has other allowed IPs: +10.0.0.1/32 -::/0",
    ),
    ("peer_recreated", {}, "was made anew"),
    ("peer_keepalive_changed", {"previous": 0, "current": 25}, "persistent keepalive off -> 25 s"),
    ("peer_preshared_key_changed", {"previous": False, "current": True}, "has a preshared key now"),
    ("peer_preshared_key_changed", {"previous": True, "current": True}, "has another preshared key"),
    ("peer_preshared_key_changed", {"previous": True, "current": False}, "has no preshared key any more"),
    ("peer_state_changed", {"previous": "down", "current": "up"}, "came up (was down)"),
    ("peer_state_changed", {"previous": "up", "current": "unresponsive"}, "does not respond (was up)"),
    ("interface_added", {"initial": True}, "is there (kernel, port 51820)"),
    ("interface_removed", {}, "is gone"),
    ("interface_changed", {"field": "listen_port", "previous": 51820, "current": 0}, "listen port 51820 -> none"),
    ("interface_changed", {"field": "up", "previous": True, "current": False}, "link went down"),
    ("watch_heartbeat", {}, "is being watched"),
    ("watch_degraded", {"reason": "The kernel is busy"}, "can't be watched: The kernel is busy"),
    ("watch_recovered", {}, "is watched again"),
]


@pytest.mark.parametrize(("kind", "fields", "words"), WORDS)
def test_words(kind: str, fields: dict[str, Any], words: str) -> None:
    where = "wg0 AAAAAAAA…" if kind.startswith("peer_") else "wg0" if kind.startswith("interface_") else "-"
    assert line(event(kind, **fields)) == f"2026-11-23 12:00:01Z gw1 {where} {words}"


def test_every_type_has_words() -> None:
    assert {kind for kind, _fields, _words in WORDS} == set(TYPES)


def test_a_name_and_a_namespace_are_shown_and_nothing_that_a_terminal_obeys() -> None:
    shown = line(event("peer_removed", name="off\x1b[2Jice\n", netns="blue"))
    assert shown == "2026-11-23 12:00:01Z gw1 blue/wg0 off?[2Jice? was removed"


def test_how_long_a_state_lasted_is_said_where_its_beginning_was_seen() -> None:
    pretty = Pretty()
    changes = [("up", "down", 100.0), ("down", "up", 290.0), ("up", "idle", 290.0 + 90000)]
    words = [pretty.words(event("peer_state_changed", at, previous=old, current=new)) for old, new, at in changes]
    assert words == ["went down (was up)", "came up after 3 min 10 s", "is idle after 1 d 1 h"]
    added = event("peer_added", 10.0)
    assert pretty.words(added) == "was added, never"
    assert pretty.words(event("peer_state_changed", 14.25, previous="never", current="up")) == "came up after 4.2 s"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (0.44, "0.4 s"), (9.94, "9.9 s"), (10, "10 s"), (59.6, "1 min"), (190, "3 min 10 s"), (3600, "1 h")]
    + [(3601, "1 h"), (3660, "1 h 1 min"), (90061, "1 d 1 h"), (-1, "0 s")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (1240, "1.21 KiB"), (1 << 64, "16.00 EiB")])
def test_amounts(count: int, shown: str) -> None:
    assert amount(count) == shown


def test_a_device_is_shown_as_wg_shows_it_with_the_state_and_no_secret() -> None:
    world = World()
    fields = {"endpoint": "192.0.2.7:51820", "handshake": -63, "persistent_keepalive": 25, "preshared_key": b"HASH"}
    world.put(
        "wg0", peer(1, **fields, allowed_ips=["10.0.0.1/32", "::/0"], rx_bytes=1240, tx_bytes=5), peer(2), fwmark=7
    )
    record = device_record(world.there[None, "wg0"], START, lambda *_about: "up", {peer(1).public_key: "office"})  # type: ignore[arg-type]
    assert device_text({**record, "public_key": text(9), "listen_port": 51820}) == (
        f"interface: wg0\n  public key: {text(9)}\n  private key: (hidden)\n  listening port: 51820\n  fwmark: 0x7\n"
        f"  link: up\n\npeer: {text(1)}\n  name: office\n  state: up\n  preshared key: (hidden)\n"
        "  endpoint: 192.0.2.7:51820\n  allowed ips: 10.0.0.1/32, ::/0\n  latest handshake: 1 min 3 s ago\n"
        "  transfer: 1.21 KiB received, 5 B sent\n  persistent keepalive: every 25 s\n\n"
        f"peer: {text(2)}\n  state: up\n  allowed ips: (none)"
    )


# --- the sink of lines


def envelopes(*numbers: int) -> list[dict[str, Any]]:
    return [{"meta": {"uuid": str(number)}, "wireguard": {"sequence": number}} for number in numbers]


def test_lines_are_json_and_whole() -> None:
    reader, writer = os.pipe()
    LineSink(descriptor=writer).send(envelopes(1, 2))
    os.close(writer)
    with os.fdopen(reader, encoding="ascii") as lines:
        assert [json.loads(one) for one in lines] == envelopes(1, 2)


def test_a_pipe_that_nobody_reads_is_known_without_writing_and_by_writing() -> None:
    reader, writer = os.pipe()
    sink = LineSink(descriptor=writer)
    assert not sink.is_gone()
    os.close(reader)
    assert sink.is_gone()
    with pytest.raises(SinkClosed):
        sink.send(envelopes(1))
    os.close(writer)


def test_a_disk_that_is_full_is_said_and_no_line_is_torn_or_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    written = b""
    room = 60

    def write(_descriptor: int, data: bytes) -> int:
        nonlocal written
        taken = data[: room - len(written)]
        if not taken:
            raise OSError(28, "No space left on device")
        written += taken
        return len(taken)

    monkeypatch.setattr(os, "write", write)
    sink = LineSink(descriptor=1)
    with pytest.raises(SinkError, match="The standard output can't be written: No space left on device") as caught:
        sink.send(envelopes(1, 2, 3))
    assert caught.value.confirmed == 1
    room = 10000
    sink.send(envelopes(2, 3))
    assert [json.loads(one) for one in written.decode().splitlines()] == envelopes(1, 2, 3)


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    many = envelopes(*range(5000))
    sending = threading.Thread(target=lambda: (LineSink(descriptor=writer).send(many), os.close(writer)), daemon=True)
    sending.start()
    with os.fdopen(reader, encoding="ascii") as lines:
        assert [json.loads(one) for one in lines] == many
    sending.join(10)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of docs/events.md: one event of each type, by the real watcher over one short history."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Peer, decode_key
from unit.watching import World, poll
from unit.watching import peer as simple_peer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "events.md"

OWN_KEY = decode_key("HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=")
OFFICE = decode_key("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=")
LAPTOP = decode_key("TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=")

# What docs/events.md shows: type, then the JSON of what stands under `wireguard`.
EXAMPLE = re.compile(r"^## `(\w+)`$.*?^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def office(**fields: Any) -> Peer:
    fields = {
        "endpoint": "192.0.2.7:51820",
        "allowed_ips": ["10.0.0.2/32"],
        "persistent_keepalive": 25,
        "handshake": 0,
        "rx_bytes": 92,
        "tx_bytes": 148,
        **fields,
    }
    return simple_peer(1, **fields)._replace(public_key=OFFICE)


def laptop() -> Peer:
    return simple_peer(2, allowed_ips=["10.0.0.3/32", "2001:db8:1::3/128"])._replace(public_key=LAPTOP)


def examples() -> dict[str, dict[str, Any]]:
    """One event of each type; of a type that comes both as inventory and as a change, the change."""
    world = World()
    watcher = world.watcher("wg0", names={OFFICE: "office"}, heartbeat=300)
    seen: dict[str, dict[str, Any]] = {}

    def look(*peers: Peer, after: float = 1, **device: Any) -> None:
        world.clock.sleep(after)
        if peers:
            world.put("wg0", *peers, **{"public_key": OWN_KEY, "listen_port": 51820, **device})
        for event in poll(watcher):
            if event["type"] not in seen or seen[event["type"]]["initial"]:
                seen[event["type"]] = event

    look(after=0)  # there is no wg0 yet
    look(office())
    look(office(), laptop())
    moved = office(endpoint="198.51.100.4:40000")
    look(moved, laptop())
    renewed = office(endpoint="198.51.100.4:40000", handshake=3.5, rx_bytes=240, tx_bytes=296)
    look(renewed, laptop())
    renewed = renewed._replace(allowed_ips=office(allowed_ips=["10.0.0.2/32", "10.2.0.0/16"]).allowed_ips)
    look(renewed, laptop())
    renewed = renewed._replace(persistent_keepalive=15)
    look(renewed, laptop())
    renewed = renewed._replace(preshared_key=b"a fingerprint")
    look(renewed, laptop())
    look(renewed, laptop(), listen_port=51821)
    look(renewed, listen_port=51821)
    look(after=300)
    look(renewed._replace(last_handshake_ns=0, rx_bytes=0, tx_bytes=0), listen_port=51821)
    world.fail("wg0", Temporary("The kernel is busy (Device or resource busy), 6 times in a row, for interface wg0"))
    look()
    look(renewed._replace(last_handshake_ns=0, rx_bytes=0, tx_bytes=0), listen_port=51821)
    world.drop("wg0")
    look()
    return seen


def render(event: dict[str, Any]) -> str:
    """JSON with one key on a line and lists in it."""
    text = json.dumps(event, indent=2)
    return re.sub(r"\[\n\s+([^]]*?)\n\s+\]", lambda found: "[" + re.sub(r"\n\s+", " ", found[1]) + "]", text) + "\n"


def on_the_page() -> dict[str, dict[str, Any]]:
    return {kind: json.loads(text) for kind, text in EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))}


def rewrite() -> None:
    """Puts today's examples into the page."""
    made = examples()

    def block(found: re.Match[str]) -> str:
        start, stop = found.span(2)
        return found[0][: start - found.start()] + render(made[found[1]]) + found[0][stop - found.start() :]

    PAGE.write_text(EXAMPLE.sub(block, PAGE.read_text(encoding="utf-8")), encoding="utf-8")

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A world without sockets and without time: what watchers are tested against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Dict

from ansible_collections.wirewatch.wireguard.plugins.module_utils._clock import Clock
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InterfaceGone
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import (
    SECOND,
    Device,
    Peer,
    decode_key,
    encode_key,
    parse_allowed_ip,
    parse_endpoint,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions

START = 1_795_435_200 * SECOND  # the wall clock of a new world

Event = Dict[str, Any]


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def text(number: int) -> str:
    """The public key of a peer as events show it."""
    return encode_key(key(number))


def peer(number: int, **fields: Any) -> Peer:
    """A peer; `endpoint` and `allowed_ips` as text, `handshake` as seconds after the start of the world."""
    if "endpoint" in fields:
        fields["endpoint"] = parse_endpoint(fields["endpoint"]) if fields["endpoint"] else None
    if "allowed_ips" in fields:
        fields["allowed_ips"] = tuple(sorted(parse_allowed_ip(ip) for ip in fields["allowed_ips"]))
    if "handshake" in fields:
        fields["last_handshake_ns"] = START + round(fields.pop("handshake") * 1_000_000) * 1000
    return Peer(key(number), **fields)


class FakeClock(Clock):
    """Stands still unless told otherwise; sleeping takes no time of ours."""

    def __init__(self) -> None:
        self.now = 0  # monotonic nanoseconds
        self.step = 0  # how far the wall clock was stepped

    def monotonic_ns(self) -> int:
        return self.now

    def wall_ns(self) -> int:
        return START + self.now + self.step

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


class World:
    """Interfaces by name (or by namespace and name): a device, or the exception that reading it raises."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.there: dict[tuple[str | None, str], Device | Exception] = {}
        self.readers: list[FakeReader] = []
        self.finding: Exception | None = None

    def put(self, interface: str, *peers: Peer, netns: str | None = None, **fields: Any) -> None:
        """Makes this interface be as given. Peers that are equal stay the same objects, as readers have it."""
        old = self.there.get((netns, interface))
        known = old.peers if isinstance(old, Device) else {}
        now = {one.public_key: known[one.public_key] if known.get(one.public_key) == one else one for one in peers}
        fields = {"ifindex": 7, "has_private_key": True, "up": True, **fields}
        device = Device(interface, netns, peers=now, **fields)
        if not (isinstance(old, Device) and old == device):
            self.there[netns, interface] = device

    def drop(self, interface: str, netns: str | None = None) -> None:
        del self.there[netns, interface]

    def fail(self, interface: str, error: Exception, netns: str | None = None) -> None:
        self.there[netns, interface] = error

    def find(self, namespace: Namespace) -> list[str]:
        if self.finding is not None:
            raise self.finding
        return sorted(interface for netns, interface in self.there if netns == namespace.netns)

    def make_reader(self, namespace: Namespace, interface: str) -> FakeReader:
        self.readers.append(FakeReader(self, namespace, interface))
        return self.readers[-1]

    def watcher(self, *patterns: str, told: Any = None, **options: Any) -> Watcher:
        if patterns:
            options["patterns"] = patterns
        return Watcher(
            WatchOptions(**{"host": "gw1", **options}),
            clock=self.clock,
            told=told,
            make_reader=self.make_reader,
            find_interfaces=self.find,
        )


class FakeReader:
    def __init__(self, world: World, namespace: Namespace, interface: str) -> None:
        self.namespace = namespace
        self.interface = interface
        self.closed = False
        self._world = world

    def read(self) -> Device:
        found = self._world.there.get((self.namespace.netns, self.interface))
        if found is None:
            raise InterfaceGone(f"There is no interface {self.interface}")
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        self.closed = True


def poll(watcher: Watcher, links_changed: bool = False, confirm: bool = True) -> list[Event]:
    """The wanted events of one poll."""
    events = [event for event, wanted in watcher.poll(links_changed) if wanted]
    if confirm:
        watcher.confirm()
    return events


def short(events: list[Event]) -> list[str]:
    """Each event as "type interface peer's number", what is null left out."""
    return [" ".join(_words(event)) for event in events]


def _words(event: Event) -> Iterator[str]:
    yield event["type"]
    if event["interface"]:
        yield event["interface"]
    if event["public_key"]:
        yield str(int.from_bytes(decode_key(event["public_key"]), "big"))

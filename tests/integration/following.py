# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following real interfaces: every event, the mirror kept from them, and what wg(8) says to hold it against."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import Place, apply
from ansible_collections.wirewatch.wireguard.plugins.module_utils._stream import Stream
from ansible_collections.wirewatch.wireguard.plugins.module_utils._trigger import Triggers
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions
from lab import Interface, LabTimeout, wait_for

Event = dict[str, Any]
Mirror = dict[Place, dict[str, Any]]
PATIENCE = 30.0  # seconds; a poll takes some milliseconds


class Following:
    """A stream in a thread of its own, as the event source has it, until its block ends. `events` has all that it told."""

    def __init__(self, patterns: Sequence[str], netns: Sequence[str | None] = (None,), interval: float = 0.05) -> None:
        self.events: list[Event] = []
        self.mirror: Mirror = {}
        self.polls = 0
        self._watcher = Watcher(WatchOptions(patterns=patterns, netns=netns, interval=interval, host="here"))
        self._stream = Stream(self._watcher, Triggers(self._watcher.namespaces))
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)

    def __enter__(self) -> Following:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.stop()
        self._thread.join(PATIENCE)

    def of(self, kind: str, interface: str, public_key: str | None = None) -> list[Event]:
        """The events of this type so far, of one interface, and of one peer where that is asked for."""
        return [
            event
            for event in list(self.events)
            if (event["type"], event["interface"]) == (kind, interface) and public_key in (None, event["public_key"])
        ]

    def wait_for(self, kind: str, interface: str, public_key: str | None = None, count: int = 1) -> Event:
        """Waits for so many of these events, and returns the last of them."""

        def enough() -> list[Event] | None:
            found = self.of(kind, interface, public_key)
            return found if len(found) >= count else None

        return wait_for(enough, PATIENCE, f"{count} events {kind} of {interface}")[count - 1]

    def wait_for_truth(self, interface: Interface, netns: str | None = None) -> None:
        """Waits until the mirror kept from the events is what wg(8) says; on failure both are shown."""

        def told() -> dict[str, Any]:
            return mirrored(self.mirror, interface.name, netns)

        try:
            wait_for(lambda: told() == dump(interface), PATIENCE, "the mirror to be what wg shows")
        except LabTimeout:
            assert told() == dump(interface)

    def _run(self) -> None:
        while True:
            batch = self._stream.next(or_empty=True)
            if batch is None:
                break
            self.polls += 1
            for event, _wanted in batch:
                apply(self.mirror, event)
                self.events.append(event)
            self._watcher.confirm()
        self._stream.close()
        self._watcher.close()


def dump(interface: Interface) -> dict[str, Any]:
    """What `wg show IF dump` says of the peers, by key. Of a preshared key only whether it is set; no counters."""
    peers = {}
    for line in interface.wg("show", interface.name, "dump").splitlines()[1:]:
        key, preshared_key, endpoint, allowed_ips, handshake, _rx, _tx, keepalive = line.split("\t")
        peers[key] = {
            "has_preshared_key": preshared_key != "(none)",
            "endpoint": None if endpoint == "(none)" else endpoint,
            "allowed_ips": set() if allowed_ips == "(none)" else set(allowed_ips.split(",")),
            "persistent_keepalive": 0 if keepalive == "off" else int(keepalive),
            "last_handshake": int(handshake),
        }
    return peers


def mirrored(mirror: Mirror, interface: str, netns: str | None = None, host: str = "here") -> dict[str, Any]:
    """What the events say of the peers of an interface, in the form of `dump`."""
    entry = mirror.get((host, netns, interface), {"peers": {}})
    return {
        key: {
            "has_preshared_key": facts["has_preshared_key"],
            "endpoint": facts["endpoint"],
            "allowed_ips": set(facts["allowed_ips"]),
            "persistent_keepalive": facts["persistent_keepalive"],
            "last_handshake": int(facts["last_handshake_epoch"] or 0),
        }
        for key, facts in list(entry["peers"].items())
    }


def chain(events: Sequence[Event]) -> list[Any]:
    """The values that changes led through. Each must begin where the one before ended: nothing lost, nothing invented."""
    values = [events[0]["previous"]]
    for event in events:
        assert event["previous"] == values[-1]
        values.append(event["current"])
    return values

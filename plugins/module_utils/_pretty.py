# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events as lines that a person reads: when, where, who, and in words what happened."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from . import _event as event_types
from . import _liveness
from ._event import Event
from ._sinks import Envelope
from ._words import duration, plain, short_key

Peer = Tuple[Optional[str], Optional[str], str]  # namespace, interface, public key

ARROW = "->"

# What is said of a state that began; "after …" follows where it is known when the one before began.
STATES = {
    _liveness.NEVER: "has not shaken hands",
    _liveness.UP: "came up",
    _liveness.UNRESPONSIVE: "does not respond",
    _liveness.DOWN: "went down",
    _liveness.HALF_OPEN: "is half open: it reaches us, and no session completes",
    _liveness.IDLE: "is idle",
    _liveness.INACTIVE: "is inactive: the interface is down or has no private key",
}
FIELDS = {"listen_port": "listen port", "public_key": "public key", "ifindex": "index"}


class Pretty:
    """Makes lines. Remembers of each peer since when it is in its state, to say how long the one before lasted."""

    def __init__(self) -> None:
        self._since: Dict[Peer, Tuple[Any, float]] = {}

    def line(self, envelope: Envelope) -> str:
        event = envelope["wireguard"]
        where = event["interface"] or "-"
        if event["netns"] is not None:
            where = "%s/%s" % (event["netns"], where)
        when = event["observed_at"][:19].replace("T", " ") + "Z"
        who = [event["name"] or short_key(event["public_key"])] if event["public_key"] is not None else []
        return plain(" ".join([when, event["host"], where, *who, self.words(event)]))

    def words(self, event: Event) -> str:
        """What happened, without when, where and to whom."""
        words = _WORDS[event["type"]](event)
        if event["public_key"] is None:
            return words
        peer: Peer = (event["netns"], event["interface"], event["public_key"])
        if event["type"] == event_types.PEER_REMOVED:
            self._since.pop(peer, None)
        elif event["type"] == event_types.PEER_STATE_CHANGED:
            words += self._after(peer, event)
        elif event["type"] == event_types.PEER_ADDED and not event["initial"]:
            self._since[peer] = (event["peer"]["state"], event["observed_at_epoch"])
        return words

    def _after(self, peer: Peer, event: Event) -> str:
        before, since = self._since.get(peer, (None, 0.0))
        self._since[peer] = (event["current"], event["observed_at_epoch"])
        if before is None or before != event["previous"]:
            return " (was %s)" % event["previous"]
        return " after %s" % duration(event["observed_at_epoch"] - since)


def _added(event: Event) -> str:
    words = "is there" if event["initial"] else "was added"
    peer = event["peer"]
    if peer["state"] is not None:
        words += ", %s" % peer["state"]
    return words + (" at %s" % peer["endpoint"] if peer["endpoint"] else "")


def _endpoint(event: Event) -> str:
    if event["previous"] is None:
        return "is reached at %s" % event["current"]
    if event["current"] is None:
        return "lost its endpoint %s" % event["previous"]
    return "roamed %s %s %s" % (event["previous"], ARROW, event["current"])


def _handshake(event: Event) -> str:
    return "shook hands for the first time" if event["first"] else "shook hands"


def _allowed_ips(event: Event) -> str:
    changes: List[str] = ["+" + ip for ip in event["added"]] + ["-" + ip for ip in event["removed"]]
    return "has other allowed IPs: " + " ".join(changes)


def _keepalive(event: Event) -> str:
    before, now = ("%d s" % seconds if seconds else "off" for seconds in (event["previous"], event["current"]))
    return "persistent keepalive %s %s %s" % (before, ARROW, now)


def _preshared_key(event: Event) -> str:
    if event["previous"] and event["current"]:
        return "has another preshared key"
    return "has a preshared key now" if event["current"] else "has no preshared key any more"


def _state(event: Event) -> str:
    return STATES.get(event["current"], str(event["current"]))


def _interface_added(event: Event) -> str:
    device = event["device"]
    port = ", port %d" % device["listen_port"] if device["listen_port"] else ""
    return "%s (%s%s)" % ("is there" if event["initial"] else "appeared", device["backend"], port)


def _interface_changed(event: Event) -> str:
    if event["field"] == "up":
        return {True: "link went up", False: "link went down"}.get(event["current"], "link is not visible any more")
    before, now = ("none" if value in (None, 0) else str(value) for value in (event["previous"], event["current"]))
    return "%s %s %s %s" % (FIELDS.get(event["field"], event["field"]), before, ARROW, now)


_WORDS: Dict[str, Callable[[Event], str]] = {
    event_types.PEER_ADDED: _added,
    event_types.PEER_REMOVED: lambda event: "was removed",
    event_types.PEER_ENDPOINT_CHANGED: _endpoint,
    event_types.PEER_HANDSHAKE_REFRESHED: _handshake,
    event_types.PEER_ALLOWED_IPS_CHANGED: _allowed_ips,
    event_types.PEER_RECREATED: lambda event: "was made anew",
    event_types.PEER_KEEPALIVE_CHANGED: _keepalive,
    event_types.PEER_PRESHARED_KEY_CHANGED: _preshared_key,
    event_types.PEER_STATE_CHANGED: _state,
    event_types.INTERFACE_ADDED: _interface_added,
    event_types.INTERFACE_REMOVED: lambda event: "is gone",
    event_types.INTERFACE_CHANGED: _interface_changed,
    event_types.WATCH_HEARTBEAT: lambda event: "is being watched",
    event_types.WATCH_DEGRADED: lambda event: "can't be watched: %s" % event["reason"],
    event_types.WATCH_RECOVERED: lambda event: "is watched again",
}

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of a watch (of the event source and of whatever else watches), checked."""

from __future__ import annotations

import platform
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence

from . import _options
from ._discovery import check_interfaces
from ._errors import InvalidArgument
from ._event import WATCH_HEARTBEAT, check_types
from ._watch import EMIT, INITIAL, RESUME, WatchOptions

INTERVAL_LEAST = 0.05  # seconds: each poll holds the RTNL lock, which everybody else on the host needs too

ARGUMENTS = (
    "interfaces",
    "netns",
    "interval",
    "types",
    "peers",
    "names",
    "initial",
    "state_file",
    "host",
    "hosts",
    "expected_keepalive",
    "timers",
    "debounce",
    "heartbeat",
)


class WatchArguments(NamedTuple):
    """Checked arguments. ``hosts`` is what ``meta.hosts`` is set to, None for leaving it out."""

    options: WatchOptions
    state_file: Optional[str]
    hosts: Optional[List[str]]


def check(arguments: Mapping[str, Any], known: Sequence[str] = ARGUMENTS) -> WatchArguments:
    """``known`` are those that the caller takes. InvalidArgument names the argument that can't be, what is wrong with it, and
    what would be right."""
    unknown = sorted(str(name) for name in arguments if name not in known)
    if unknown:
        raise InvalidArgument("There is no argument %s. There are: %s" % (", ".join(unknown), ", ".join(known)))
    initial = arguments.get("initial", EMIT)
    if initial not in INITIAL:
        raise InvalidArgument("initial is %r. There are: %s" % (initial, ", ".join(INITIAL)))
    peers = _options.public_keys("peers", _list(arguments, "peers"))
    options = WatchOptions(
        patterns=check_interfaces(_list(arguments, "interfaces")),
        netns=_namespaces(_list(arguments, "netns")),
        interval=_options.number("interval", arguments.get("interval", 1), INTERVAL_LEAST),
        types=check_types(_list(arguments, "types")),
        peers=None if peers is None else frozenset(peers),
        names=_options.names("names", arguments.get("names")),
        initial=initial,
        host=_text(arguments, "host") or platform.node(),
        liveness=_options.liveness(arguments.get("expected_keepalive"), arguments.get("timers")),
        debounce=_options.number("debounce", arguments.get("debounce", 0), 0),
        heartbeat=_heartbeat(arguments),
    )
    return WatchArguments(options, _state_file(arguments, initial), _hosts(arguments))


def _list(arguments: Mapping[str, Any], name: str) -> Optional[List[Any]]:
    value = arguments.get(name)
    if value is None:
        return None
    if isinstance(value, list):
        # What else is no text is refused by who knows what each is to be.
        return [_options.text(name, one) if isinstance(one, (int, float)) else one for one in value]
    if isinstance(value, str):
        return [value]
    raise InvalidArgument("%s is %r and must be a list" % (name, value))


def _text(arguments: Mapping[str, Any], name: str) -> Optional[str]:
    value = arguments.get(name)
    return None if value is None else _options.text(name, value)


def _namespaces(names: Optional[List[Any]]) -> List[Optional[str]]:
    """None in the list is the caller's own namespace, to be watched beside others."""
    if names is None:
        return [None]
    if not names:
        raise InvalidArgument(
            "netns is an empty list: name at least one, or leave it out for the source's own namespace"
        )
    for name in names:
        if name is not None and (not isinstance(name, str) or not name):
            raise InvalidArgument("netns has %r, which is neither a name nor a path" % (name,))
    return list(dict.fromkeys(names))


def _heartbeat(arguments: Mapping[str, Any]) -> float:
    seconds = _options.number("heartbeat", arguments.get("heartbeat", 0), 0)
    if 0 < seconds < INTERVAL_LEAST:
        raise InvalidArgument("heartbeat is %r and must be 0 for none, or at least %g" % (seconds, INTERVAL_LEAST))
    types = _list(arguments, "types")
    if seconds and types is not None and WATCH_HEARTBEAT not in types:
        raise InvalidArgument(
            "heartbeat is %g and types leaves out %s, so none would ever come: add it to types, or leave heartbeat out"
            % (seconds, WATCH_HEARTBEAT)
        )
    return seconds


def _state_file(arguments: Mapping[str, Any], initial: str) -> Optional[str]:
    path = _text(arguments, "state_file")
    if initial == RESUME and path is None:
        raise InvalidArgument("initial is resume, which needs state_file: the path of a file to remember in")
    if initial != RESUME and path is not None:
        raise InvalidArgument("state_file is set and initial is %s: only initial: resume uses a state file" % initial)
    return path


def _hosts(arguments: Mapping[str, Any]) -> Optional[List[str]]:
    hosts = _list(arguments, "hosts")
    if hosts is None:
        return None
    if not hosts or not all(isinstance(host, str) and host for host in hosts):
        raise InvalidArgument(
            "hosts is %r and must name at least one host of the inventory: an empty list would run playbooks on all"
            % (hosts,)
        )
    return hosts

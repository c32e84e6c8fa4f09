# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report of a mesh remembers of itself, in the page, and what changed from one report to the next."""

from __future__ import annotations

import json
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ._mesh_links import MISSING, UNREAD, Link, natural, rank

SCHEMA = 1
# A page of a thousand changes is read by nobody; what a page holds, the next one carries on.
MOST_CHANGES = 200
ELEMENT = "mesh-facts"  # id of the script element that holds the facts
_EMBEDDED = re.compile(r'<script type="application/json" id="%s">(.*?)</script>' % ELEMENT, re.DOTALL)

Sight = Tuple[str, bool, Optional[str], Tuple[str, ...], Optional[int]]  # state, fine, endpoint, allowed IPs, keepalive
Ends = Tuple[str, Optional[str], str, Optional[str]]  # host, interface, peer's host, peer's interface


class Facts(NamedTuple):
    """A mesh without what moves by itself: no ages, no counters."""

    made: str  # ISO 8601, UTC
    unread: Dict[str, Optional[str]]  # by host: why it could not be read, None where it could
    sights: Dict[Ends, Sight]


class Change(NamedTuple):
    """One fact that differs from the last report."""

    where: str
    what: str
    before: str
    after: str
    worse: bool

    def __str__(self) -> str:
        return "%s: %s %s -> %s" % (self.where, self.what, self.before, self.after)


class Memory(NamedTuple):
    """What a report knows of itself and of the one before it."""

    facts: Facts
    fresh: bool  # whether the changes are those of this report, or of an earlier one that nothing followed
    last: Optional[str]  # when the last report was made, None where there was none
    compared: Optional[str]  # what the changes are changes from: when that report was made
    changes: List[Change]
    more: int  # changes beyond those


def facts_of(made: str, hosts: Sequence[str], links: Sequence[Link], allowed_states: Sequence[str]) -> Facts:
    unread = dict.fromkeys(hosts)
    sights = {}
    for link in links:
        if link.peer_host is None:
            unread[link.host] = link.problem
        else:
            ends = (link.host, link.interface, link.peer_host, link.peer_interface)
            fine = link.state in allowed_states
            sights[ends] = (link.state, fine, link.endpoint, link.allowed_ips, link.keepalive)
    return Facts(made, unread, sights)


def embedded(memory: Memory) -> str:
    """The facts as JSON that can stand in an HTML script element, whatever the names in it are.

    Interfaces and sights are listed once, and links name them by number: 300 hosts have 90,000 links.
    """
    facts = memory.facts
    places: Dict[Tuple, int] = {}
    sights: Dict[Sight, int] = {}
    links: Dict[int, List[int]] = {}
    for (host, interface, peer_host, peer_interface), sight in facts.sights.items():
        here = places.setdefault((host, interface), len(places))
        there = places.setdefault((peer_host, peer_interface), len(places))
        links.setdefault(here, []).extend([there, sights.setdefault(sight, len(sights))])
    text = json.dumps(
        {
            "schema": SCHEMA,
            "made": facts.made,
            "unread": facts.unread,
            "places": list(places),
            "sights": list(sights),
            "links": [[here, *others] for here, others in links.items()],
            "compared": memory.compared,
            "changes": memory.changes,
            "more": memory.more,
        },
        separators=(",", ":"),
    )
    # Only strings can hold these, and there the escape means the same.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def read(page: Optional[str]) -> Optional[Memory]:
    """What a page remembers; None where it is no report, or one that another version made."""
    found = _EMBEDDED.search(page or "")
    if found is None:
        return None
    try:
        kept = json.loads(found.group(1))
        if kept["schema"] != SCHEMA:
            return None
        places = [(str(host), interface) for host, interface in kept["places"]]
        sights = [
            (_known(state), bool(fine), endpoint, tuple(map(str, allowed_ips)), keepalive)
            for state, fine, endpoint, allowed_ips, keepalive in kept["sights"]
        ]
        facts = Facts(
            str(kept["made"]),
            dict(kept["unread"]),
            {
                (*places[here], *places[there]): sights[sight]
                for here, *others in kept["links"]
                for there, sight in zip(others[::2], others[1::2])
            },
        )
        changes = [Change(*change) for change in kept["changes"]]
        return Memory(facts, False, None, kept["compared"], changes, int(kept["more"]))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def compare(now: Facts, last: Optional[Memory]) -> Memory:
    """Where nothing changed, the changes of the time that something did are carried on: looking often must not lose them."""
    if last is None:
        return Memory(now, True, None, None, [], 0)
    changes = changes_between(last.facts, now)
    made = last.facts.made
    if changes:
        return Memory(now, True, made, made, changes[:MOST_CHANGES], max(0, len(changes) - MOST_CHANGES))
    return last._replace(facts=now, last=made)


def _known(state: str) -> str:
    """ValueError for a state that there is not."""
    rank(state)
    return state


def changes_between(before: Facts, after: Facts) -> List[Change]:
    """What differs, the worse first. A move between two states that are fine is none: silence alone makes it."""
    return sorted(
        [*_host_changes(before, after), *_link_changes(before, after)],
        key=lambda change: (not change.worse, natural(change.where), change.what),
    )


def _host_changes(before: Facts, after: Facts) -> Iterator[Change]:
    for host in {**before.unread, **after.unread}:
        if host not in before.unread:
            yield Change(host, "host", "not asked", after.unread[host] or "read", after.unread[host] is not None)
        elif host not in after.unread:
            yield Change(host, "host", before.unread[host] or "read", "not asked", False)
        elif before.unread[host] != after.unread[host]:
            reason = after.unread[host]
            yield Change(host, "host", before.unread[host] or "read", reason or "read", reason is not None)


def _link_changes(before: Facts, after: Facts) -> Iterator[Change]:
    for ends in {**before.sights, **after.sights}:
        if any(facts.unread.get(end, UNREAD) for facts in (before, after) for end in (ends[0], ends[2])):
            continue  # of a host that was not read or not asked there is nothing to compare
        where = _where(ends)
        old, new = (facts.sights.get(ends) for facts in (before, after))
        if old is None or new is None:
            was, now = (sight[0] if sight else "no peer" for sight in (old, new))
            yield Change(where, "state", was, now, new is not None and not new[1])
            continue
        if old[0] != new[0] and not (old[1] and new[1]):
            yield Change(where, "state", old[0], new[0], rank(new[0]) < rank(old[0]))
        if MISSING in (old[0], new[0]):
            continue  # all the rest came or went with it
        for what, was, now in (
            ("endpoint", old[2] or "none", new[2] or "none"),
            ("allowed IPs", " ".join(old[3]) or "none", " ".join(new[3]) or "none"),
            ("keepalive", _seconds(old[4]), _seconds(new[4])),
        ):
            if was != now:
                yield Change(where, what, was, now, False)


def _where(ends: Ends) -> str:
    host, interface, peer_host, peer_interface = ends
    return "%s sees %s" % (
        " ".join(filter(None, (host, interface))),
        " ".join(filter(None, (peer_host, peer_interface))),
    )


def _seconds(keepalive: Optional[int]) -> str:
    return "%d s" % keepalive if keepalive else "off"

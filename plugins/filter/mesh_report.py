# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mesh_report
short_description: What a report of a WireGuard mesh shows
version_added: 0.2.0
description:
  - Makes of what M(wirewatch.wireguard.wg_device_info) returned on several hosts, and of the pairs that the filter
    P(wirewatch.wireguard.mesh_pairs#filter) found in it, all that the report of the role P(wirewatch.wireguard.mesh_check#role)
    shows. The rows of its table with the worst first, a drawing, and what changed since the last report.
  - Texts are as they are. Whoever puts them into a page escapes them; only RV(_value.facts) can stand in a page's script element as
    it is.
author:
  - wirewatch developers (@wirewatch)
positional: pairs, made, last, allowed_states
options:
  _input:
    description: What the module returned, by host.
    type: dict
    required: true
  pairs:
    description: What the filter P(wirewatch.wireguard.mesh_pairs#filter) made of it.
    type: list
    elements: dict
    required: true
  made:
    description: When it was gathered (ISO 8601, UTC).
    type: str
    required: true
  last:
    description: The page of the last report, which remembers its facts. Left out, or something else, nothing is compared.
    type: str
  allowed_states:
    description: States of a peer that are fine. A move from one of them to another one is no change.
    type: list
    elements: str
    default: [up, idle]
"""

EXAMPLES = r"""
- name: Look at every host
  wirewatch.wireguard.wg_device_info:
    interfaces: [wg0]
  become: true
  register: wireguard

- name: Show who sees whom, the worst first
  ansible.builtin.debug:
    msg: "{{ report.rows | map(attribute='host') | zip(report.rows | map(attribute='state')) }}"
  vars:
    results: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'wireguard'))) }}"
    pairs: "{{ results | wirewatch.wireguard.mesh_pairs }}"
    report: "{{ results | wirewatch.wireguard.mesh_report(pairs, now(true, '%Y-%m-%dT%H:%M:%SZ')) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: What the report shows.
  type: dict
  contains:
    made:
      description: The time given.
      type: str
    hosts:
      description: The hosts, the one with the most trouble first.
      type: list
      elements: str
    pairs:
      description: How many pairs there are, C(all), and how many of them are C(connected).
      type: dict
    unread:
      description: How many hosts could not be read.
      type: int
    outside:
      description: How many peers belong to none of the hosts.
      type: int
    states:
      description: How often each state is seen, the worst first.
      type: dict
    rows:
      description:
        - What each interface sees of each other one, the worst first. The keys are C(host), C(interface), C(peer_host),
          C(peer_interface), C(state), C(problem), C(endpoint), C(allowed_ips), C(handshake), C(age), C(rx_bytes), C(tx_bytes),
          C(keepalive), and for people C(ago), C(received), C(sent).
        - At most 2000 of them.
      type: list
      elements: dict
    links:
      description: How many rows there would be without that bound.
      type: int
    marks:
      description: By state, the path of the mark that a link in it bears; empty for V(up).
      type: dict
    circle:
      description:
        - Geometry of the drawing of a small mesh, or of the worst hosts of a large one. V(null) where there is nothing to draw.
      type: dict
    matrix:
      description: Geometry of the drawing of a large mesh, V(null) for a small one.
      type: dict
    changes:
      description:
        - What changed since the last report. C(changed) is whether anything did, or there was none; C(since) when that was made,
          V(null) where there was none; C(list) the changes, at most 200, each with C(where), C(what), C(before), C(after),
          C(worse) and C(text); C(more) how many there are beyond.
        - Where nothing changed, C(earlier) has the changes of the last time that something did, of the same shape. Else it is
          V(null).
      type: dict
    facts:
      description: What the next report compares itself with, as JSON.
      type: str
"""

from collections import Counter
from typing import Any, Dict, Mapping, Optional, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.wirewatch.wireguard.plugins.module_utils._words import amount, duration
from ansible_collections.wirewatch.wireguard.plugins.plugin_utils import _filter_options
from ansible_collections.wirewatch.wireguard.plugins.plugin_utils import _mesh_drawing as drawing
from ansible_collections.wirewatch.wireguard.plugins.plugin_utils import _mesh_history as history
from ansible_collections.wirewatch.wireguard.plugins.plugin_utils._mesh_links import (
    SEVERITY,
    UNREAD,
    Link,
    hosts_of,
    links_of,
)

# 2000 rows are some 0.8 MB: a page that opens at once, and more than anybody reads. Who looks for a healthy link finds it in the
# matrix.
MOST_ROWS = 2000


def mesh_report(
    results: Mapping[str, Any],
    pairs: Sequence[Mapping[str, Any]],
    made: str,
    last: Optional[str] = None,
    allowed_states: Sequence[str] = ("up", "idle"),
    **unknown: Any,
) -> Dict[str, Any]:
    allowed_states = _filter_options.check(
        "mesh_report", ("pairs", "made", "last", "allowed_states"), unknown, allowed_states
    )
    try:
        links = links_of(results, pairs)
        hosts = hosts_of(results, links)
        outside = _outside(results)
    except (AttributeError, KeyError, TypeError):
        raise AnsibleFilterError(
            "mesh_report is given something else than what wg_device_info returned, by host, and the pairs that mesh_pairs"
            " made of it: give both whole"
        ) from None
    now = history.facts_of(made, hosts, links, allowed_states)
    memory = history.compare(now, history.read(last))
    states = Counter(link.state for link in links)
    return {
        "made": made,
        "hosts": hosts,
        "pairs": _count(pairs),
        "unread": states[UNREAD],
        "outside": outside,
        "states": {state: states[state] for state in SEVERITY if state in states},
        "rows": [_row(link) for link in links[:MOST_ROWS]],
        "links": len(links),
        "marks": drawing.MARKS,
        **_drawings(hosts, links),
        "changes": _changes(memory),
        "facts": history.embedded(memory),
    }


def _count(pairs: Sequence[Mapping[str, Any]]) -> Dict[str, int]:
    real = [row for row in pairs if row["peer_host"] is not None]
    return {"all": len(real), "connected": sum(row["problem"] is None for row in real)}


def _outside(results: Mapping[str, Any]) -> int:
    devices = [device for result in results.values() for device in (result.get("devices") or ())]
    own = {device["public_key"] for device in devices}
    return len({peer["public_key"] for device in devices for peer in device["peers"]} - own)


def _row(link: Link) -> Dict[str, Any]:
    return {
        **link._asdict(),
        "allowed_ips": list(link.allowed_ips),
        "ago": None if link.age is None else duration(link.age),
        "received": None if link.rx_bytes is None else amount(link.rx_bytes),
        "sent": None if link.tx_bytes is None else amount(link.tx_bytes),
    }


def _drawings(hosts: Sequence[str], links: Sequence[Link]) -> Dict[str, Any]:
    """All of a small mesh in a circle; a large one as a matrix, and its worst hosts, with what is wrong alone, in a circle."""
    if len(hosts) <= drawing.MOST_IN_A_CIRCLE:
        return {"circle": _circle(hosts, links, links) if hosts else None, "matrix": None}
    wrong = [link for link in links if link.problem is not None]
    touched = {host for link in wrong for host in (link.host, link.peer_host)}
    worst = [host for host in hosts if host in touched][: drawing.MOST_IN_A_CIRCLE]
    return {"circle": _circle(worst, wrong, links) if worst else None, "matrix": drawing.matrix(hosts, links)}


def _circle(hosts: Sequence[str], links: Sequence[Link], all_links: Sequence[Link]) -> Dict[str, Any]:
    drawn = drawing.circle(hosts, links)
    unread = {link.host for link in all_links if link.state == UNREAD}
    for node in drawn["nodes"]:
        node["unread"] = node["name"] in unread
    for line in drawn["lines"]:
        line["link"] = _row(line["link"])
    return drawn


def _changes(memory: history.Memory) -> Dict[str, Any]:
    listed: Dict[str, Any] = {
        "since": memory.compared,
        "list": [{**change._asdict(), "text": str(change)} for change in memory.changes],
        "more": memory.more,
    }
    if memory.fresh:
        return {"changed": True, **listed, "earlier": None}
    return {
        "changed": False,
        "since": memory.last,
        "list": [],
        "more": 0,
        "earlier": listed if memory.changes else None,
    }


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> Dict[str, Any]:
        return {"mesh_report": mesh_report}

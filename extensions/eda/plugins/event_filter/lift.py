# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Event filter: WireGuard events that came by webhook or Kafka, put where the local source puts them."""

from __future__ import annotations

import logging
import re
from typing import Any, Dict, List, Optional, Set

DOCUMENTATION = r"""
short_description: Bring WireGuard events to where rules look for them
description:
  - Events of M(wirewatch.wireguard.wg_events) stand under C(wireguard). Those that other hosts send arrive one level deeper,
    in C(body) from C(ansible.eda.kafka) and in C(payload) from C(eda.builtin.webhook). This filter brings them up, so that
    one set of rules serves all three sources.
  - A batch, a list C(events) in C(body) or C(payload), becomes one event for each in the list.
  - C(meta) stays as the source made it. From the sender's C(meta) only C(uuid) is taken, by which repeated events are told;
    C(hosts) never is, since it says where playbooks run.
  - Whatever is not an event of this collection passes as it is. In a mixed batch it stays together, in one event.
  - Of an event of this collection that holds the beginning of a Jinja template, in whatever place, nothing is left, since
    a playbook would run that. It is told of in the log.
options:
  hosts:
    description:
      - How to limit actions to hosts of the inventory, by C(meta.hosts).
      - A dictionary gives, by what events name as C(host), the host of the inventory or a list of them. An event of another
        host gets no C(meta.hosts).
      - V(true) takes what events name as C(host), where it is a plain name. Whoever may send events can name any host there,
        or a group of the inventory. A dictionary leaves this choice to you.
      - Left out or V(false), C(meta.hosts) stays as it is.
      - C(ansible-rulebook) runs actions on all hosts of the ruleset where an event has no C(meta.hosts). A rule that is not to
        do so has C(event.meta.hosts is defined) in its condition.
      - C(ansible-rulebook) fills no variables into the arguments of filters.
      - A wrong value is told of in the log, and has no effect.
    type: raw
"""

EXAMPLES = r"""
- eda.builtin.webhook:
    host: 0.0.0.0
    port: 5000
    token: "{{ webhook_token }}"
  filters:
    - wirewatch.wireguard.lift:
        hosts:
          gw1.example.com: gw1
          gw2.example.com: [gw2, gw2-standby]

- ansible.eda.kafka:
    host: kafka.example.com
    port: 9092
    topic: wireguard
    group_id: reactions
  filters:
    - wirewatch.wireguard.lift:
        hosts: true

- wirewatch.wireguard.wg_events:
    interfaces: [wg0]
  filters:
    - wirewatch.wireguard.lift:
"""

CARRIERS = ("body", "payload")  # where ansible.eda.kafka and eda.builtin.webhook put what they receive
# meta.hosts becomes ansible-playbook's --limit, where "*", "a:b", "!a", "~a", "@file" are patterns, and "" is no limit at all.
PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
EVERYBODY = ("all", "ungrouped")  # groups that every inventory has
# Playbooks get an event as extra variables, in which Ansible runs templates wherever they stand. By these they begin; the last
# says how others begin (JINJA2_OVERRIDE in ansible/template). No fact of WireGuard has one.
TEMPLATES = ("{{", "{%", "{#", "#jinja2:")
LOGGER = logging.getLogger("wirewatch.wireguard.lift")

_said: Set[str] = set()


def main(event: Any, /, hosts: Any = None, **others: Any) -> Any:
    """The event, lifted; a list of events where it was a batch; the same object where there is nothing to do.

    Never raises and never returns None, either of which would end the source.
    """
    if others:
        _complain("There is no argument %s: it is ignored. The only argument is hosts" % ", ".join(sorted(others)))
    if hosts is not None and not isinstance(hosts, (bool, dict)):
        _complain("hosts must be true, or a dictionary of event hosts and hosts of the inventory: it is ignored")
        hosts = None
    if not isinstance(event, dict):
        return event
    if _is_ours(event):
        return _harmless(_at_top(event, hosts))
    for carrier in CARRIERS:
        message = event.get(carrier)
        if not isinstance(message, dict):
            continue
        if _is_ours(message):
            return _harmless(_lift(event, carrier, message, hosts))
        batch = message.get("events")
        if isinstance(batch, list) and any(map(_is_ours, batch)):
            # The engine takes a list for several events (FilteredQueue.put in ansible_rulebook/engine.py).
            lifted = [_harmless(_lift(event, carrier, one, hosts)) for one in batch if _is_ours(one)]
            rest = [one for one in batch if not _is_ours(one)]
            return [*lifted, {**event, carrier: {**message, "events": rest}}] if rest else lifted
    return event


def _is_ours(envelope: Any) -> bool:
    wireguard = envelope.get("wireguard") if isinstance(envelope, dict) else None
    if not isinstance(wireguard, dict):
        return False
    schema, kind = wireguard.get("schema"), wireguard.get("type")
    return schema == 1 and schema is not True and isinstance(kind, str) and kind != ""


def _at_top(event: Dict[Any, Any], hosts: Any) -> Dict[Any, Any]:
    """An event of the local source, or one that eda.builtin.event_splitter took out of a batch."""
    if hosts is None or hosts is False:
        return event
    return {**event, "meta": _limited(_meta(event), event["wireguard"], hosts)}


def _lift(event: Dict[Any, Any], carrier: str, envelope: Dict[Any, Any], hosts: Any) -> Dict[Any, Any]:
    meta = _meta(event)
    uuid = _meta(envelope).get("uuid")
    if isinstance(uuid, str) and uuid:
        # The engine sets one of its own only where there is none, after all filters (insert_meta_info.py).
        meta["uuid"] = uuid
    lifted = {key: value for key, value in event.items() if key != carrier}
    lifted["wireguard"] = envelope["wireguard"]
    lifted["meta"] = _limited(meta, envelope["wireguard"], hosts)
    return lifted


def _harmless(event: Dict[Any, Any]) -> Dict[Any, Any]:
    """The event, or an empty one in its place, since a source with feedback waits for an answer to each."""
    values: List[Any] = [event]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            values += [*value, *value.values()]
        elif isinstance(value, list):
            values += value
        elif isinstance(value, str) and any(begin in value for begin in TEMPLATES):
            _complain("An event held a Jinja template, which a playbook would have run: nothing is left of it")
            return {}
    return event


def _meta(envelope: Dict[Any, Any]) -> Dict[Any, Any]:
    """A copy: the engine writes into it, and the events of a batch come from one."""
    meta = envelope.get("meta")
    return dict(meta) if isinstance(meta, dict) else {}


def _limited(meta: Dict[Any, Any], wireguard: Dict[Any, Any], hosts: Any) -> Dict[Any, Any]:
    """With meta.hosts where the argument gives some, without where it gives none. An empty list would run on all hosts."""
    if hosts is not None and hosts is not False:
        meta.pop("hosts", None)
        names = _inventory_hosts(wireguard.get("host"), hosts)
        if names:
            meta["hosts"] = names
    return meta


def _inventory_hosts(host: Any, hosts: Any) -> Optional[List[str]]:
    if not isinstance(host, str):
        return None
    if hosts is True:
        return [host] if PLAIN.fullmatch(host) and host not in EVERYBODY else None
    if host not in hosts:
        return None
    names = [hosts[host]] if isinstance(hosts[host], str) else hosts[host]
    if isinstance(names, list) and names and all(isinstance(name, str) and name.strip(" ,") for name in names):
        return list(names)
    _complain("hosts has for %s neither the name of a host nor a list of names: its events get no meta.hosts" % host)
    return None


def _complain(sentence: str) -> None:
    """Once: filters are called for each event."""
    if sentence not in _said:
        _said.add(sentence)
        LOGGER.warning("wirewatch.wireguard.lift: %s", sentence)

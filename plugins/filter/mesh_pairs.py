# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mesh_pairs
short_description: Which pairs of hosts are connected by WireGuard
version_added: 0.1.0
description:
  - Finds out from what M(wirewatch.wireguard.wg_device_info) returned on several hosts who is whose peer, by public keys, and
    judges each pair of interfaces from both sides.
  - Peers that belong to none of the hosts are no part of the mesh and are left out.
author:
  - wirewatch developers (@wirewatch)
positional: allowed_states, full_mesh
options:
  _input:
    description:
      - What the module returned, by host. A result without C(devices), or with C(msg), is of a host that could not be read; it
        becomes a row with that as its problem.
    type: dict
    required: true
  allowed_states:
    description: States of a peer that are fine.
    type: list
    elements: str
    default: [up, idle]
  full_mesh:
    description: Whether every two hosts must be peers of each other.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Look at every host
  wirewatch.wireguard.wg_device_info:
    interfaces: [wg0]
  become: true
  register: wireguard

- name: Show the pairs that are not connected
  ansible.builtin.debug:
    msg: "{{ results | wirewatch.wireguard.mesh_pairs | selectattr('problem') }}"
  vars:
    results: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'wireguard'))) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The pairs, sorted by host; then the hosts that could not be read.
  type: list
  elements: dict
  contains:
    host:
      description: One side, the host.
      type: str
    interface:
      description: One side, its interface. V(null) where the row is about a host as a whole.
      type: str
    state:
      description: The state of the other side as this one sees it, V(null) where it is not its peer.
      type: str
    peer_host:
      description: The other side, the host. V(null) where the row is about one host alone.
      type: str
    peer_interface:
      description: The other side, its interface.
      type: str
    peer_state:
      description: The state of this side as the other one sees it.
      type: str
    problem:
      description: What is wrong, V(null) where nothing is.
      type: str
"""

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.wirewatch.wireguard.plugins.plugin_utils import _filter_options

Row = Dict[str, Optional[str]]
SIDES = ("host", "interface", "peer_host", "peer_interface")


class Place(NamedTuple):
    """One end of a tunnel."""

    host: str
    interface: str


def mesh_pairs(
    results: Mapping[str, Any], allowed_states: Sequence[str] = ("up", "idle"), full_mesh: bool = False, **unknown: Any
) -> List[Row]:
    allowed_states = _filter_options.check("mesh_pairs", ("allowed_states", "full_mesh"), unknown, allowed_states)
    if not isinstance(results, Mapping):
        raise AnsibleFilterError(
            "mesh_pairs is given a %s and takes a dictionary: what wg_device_info returned, by host"
            % type(results).__name__
        )
    if isinstance(results.get("devices"), list):
        raise AnsibleFilterError(
            "mesh_pairs is given what wg_device_info returned on one host, and takes a dictionary of that by host: {'gw1': ...}"
        )
    unread = [
        _row(host, problem="%s could not be read: %s" % (host, _complaint(result)))
        for host, result in sorted(results.items())
        if _complaint(result)
    ]
    read = {host: result["devices"] for host, result in results.items() if not _complaint(result)}
    try:
        mesh = _Mesh(read)
        pairs = [*mesh.pairs(allowed_states), *mesh.twins(), *(mesh.strangers() if full_mesh else ())]
    except (AttributeError, KeyError, TypeError):
        raise AnsibleFilterError(
            "mesh_pairs is given devices that are not of the shape that wg_device_info returns: give its results whole"
        ) from None
    return (
        sorted(
            pairs, key=lambda row: [row[side] or "" for side in ("host", "interface", "peer_host", "peer_interface")]
        )
        + unread
    )


def _complaint(result: Any) -> Optional[str]:
    """Why there is nothing of a host, None where there is."""
    if isinstance(result, Mapping) and "devices" in result and not result.get("msg"):
        return None
    said = result.get("msg") if isinstance(result, Mapping) else None
    return str(said or "it was not asked")


def _row(host: str, interface: Optional[str] = None, problem: Optional[str] = None, **others: Optional[str]) -> Row:
    row: Row = {"host": host, "interface": interface, "state": None}
    row.update({"peer_host": None, "peer_interface": None, "peer_state": None, "problem": problem})
    row.update(others)
    return row


class _Mesh:
    """Who is whose peer."""

    def __init__(self, devices: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self._hosts = sorted(devices)
        self._owners: Dict[str, List[Place]] = {}  # by public key; more than one is a mistake
        self._states: Dict[Place, Dict[str, str]] = {}  # state of each peer, by its key
        self._keys: Dict[Place, Optional[str]] = {}
        for host in self._hosts:
            for device in devices[host]:
                place = Place(host, device["interface"])
                self._keys[place] = device["public_key"]
                self._states[place] = {peer["public_key"]: peer["state"] for peer in device["peers"]}
                if device["public_key"] is not None:
                    self._owners.setdefault(device["public_key"], []).append(place)

    def pairs(self, allowed_states: Sequence[str]) -> Iterator[Row]:
        """Each two interfaces of which one at least has the other as its peer."""
        seen = set()
        for place, states in sorted(self._states.items()):
            for key in states:
                for other in self._owners.get(key, ()):
                    pair = tuple(sorted((place, other)))
                    if place != other and pair not in seen:
                        seen.add(pair)
                        yield self._judged(pair[0], pair[1], allowed_states)

    def twins(self) -> Iterator[Row]:
        """Interfaces with one public key: packets for the one reach the other."""
        for places in self._owners.values():
            for other in places[1:]:
                yield self._pair(places[0], other, problem="both have the same private key: give each its own")

    def strangers(self) -> Iterator[Row]:
        """Each two hosts of which neither has the other as a peer."""
        known = {frozenset((row["host"], row["peer_host"])) for row in self.pairs(())}
        for number, host in enumerate(self._hosts):
            for other in self._hosts[number + 1 :]:
                if frozenset((host, other)) not in known:
                    yield _row(host, peer_host=other, problem="missing on both sides")

    def _judged(self, one: Place, other: Place, allowed_states: Sequence[str]) -> Row:
        row = self._pair(one, other)
        found: Dict[str, List[str]] = {}
        for host, state in ((one.host, row["state"]), (other.host, row["peer_state"])):
            if state is None or state not in allowed_states:
                found.setdefault("missing" if state is None else state, []).append(host)
        row["problem"] = ", ".join("%s on %s" % (what, " and ".join(hosts)) for what, hosts in found.items()) or None
        return row

    def _pair(self, one: Place, other: Place, problem: Optional[str] = None) -> Row:
        return _row(
            one.host,
            one.interface,
            state=self._state(one, other),
            peer_host=other.host,
            peer_interface=other.interface,
            peer_state=self._state(other, one),
            problem=problem,
        )

    def _state(self, place: Place, other: Place) -> Optional[str]:
        key = self._keys[other]
        return None if key is None else self._states[place].get(key)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> Dict[str, Any]:
        return {"mesh_pairs": mesh_pairs}

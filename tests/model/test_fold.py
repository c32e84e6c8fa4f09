# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folding the events onto nothing gives the present state, whatever happened: the property everything hangs on.

Hypothesis makes up histories of a host, whose readers decode real bytes; after each poll the mirror that was kept from the
events is held against the host's own truth, and every event against the mirror before it.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _netlink
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import LivenessOptions
from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import apply
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND, decode_key
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from model.host import Facts, Host, Interface, Peer, Place

NAMES = ("wg0", "wg1")
NAMESPACES = (None, "blue")
KEYS = st.integers(1, 4)
NETWORKS = (
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.0.0/24",
    "0.0.0.0/0",
    "192.0.2.1/32",
    "::/0",
    "2001:db8::/32",
    "fe80::/64",
)
ENDPOINTS = (None, ("192.0.2.7", 51820), ("192.0.2.7", 51821), ("198.51.100.4", 1), ("2001:db8::7", 51820))
FAULTS = ("interrupted", "early end", "error at end", "EBUSY", "EPERM")


class History(RuleBasedStateMachine):
    """A host that lives, a watcher that polls it, and somebody who keeps a mirror from the events alone."""

    def __init__(self) -> None:
        super().__init__()
        self.host = Host(random.Random(0))
        self.mirror: dict[Any, Facts] = {}
        self.read: dict[Place, Facts] = {}  # as the last good reading found it, or else the run before was told it was
        self.objects: dict[tuple[Place, str], tuple[int, Peer]] = {}  # of self.read: the kernel's, behind the facts
        self.told_objects: dict[tuple[Place, str], tuple[int, Peer]] | None = {}
        self.resumed: set[Place] = set()  # places that the run before told of, and this one has told nothing of yet
        self.seen: set[Place] = set()  # places that were looked into since
        self.watcher = self._watcher(None)
        self.host.add_interface(None, "wg0", "kernel")

    def _watcher(self, told: Any) -> Watcher:
        options = WatchOptions(netns=NAMESPACES, host="gw1", liveness=LivenessOptions(25), debounce=3.0)
        return Watcher(options, self.host.clock, told, self.host.make_reader, self.host.find)

    # --- what happens to the host

    def _some_interface(self, number: int) -> Interface:
        interfaces = list(self.host.interfaces.values())
        return interfaces[number % len(interfaces)]

    def _some_peer(self, number: int, key: int) -> Peer:
        interface = self._some_interface(number)
        self.host.add_peer(interface, key)
        return interface.peers[key]

    def _has_interface(self) -> bool:
        return bool(self.host.interfaces)

    @rule(
        netns=st.sampled_from(NAMESPACES), name=st.sampled_from(NAMES), backend=st.sampled_from(["kernel", "userspace"])
    )
    def an_interface_is_made(self, netns: str | None, name: str, backend: str) -> None:
        self.host.add_interface(netns, name, backend)

    @precondition(_has_interface)
    @rule(which=st.integers(0, 3), anew=st.booleans(), keep_peers=st.booleans())
    def an_interface_is_deleted_and_perhaps_made_anew(self, which: int, anew: bool, keep_peers: bool) -> None:
        old = self._some_interface(which)
        del self.host.interfaces[old.netns, old.name]
        if anew:
            self.host.add_interface(old.netns, old.name, old.backend)
            new = self.host.interfaces[old.netns, old.name]
            for key in old.peers if keep_peers else ():
                self.host.add_peer(new, key)
                new.peers[key].allowed_ips = list(old.peers[key].allowed_ips)

    @precondition(_has_interface)
    @rule(which=st.integers(0, 3), netns=st.sampled_from(NAMESPACES), name=st.sampled_from(NAMES))
    def an_interface_is_renamed_or_moved(self, which: int, netns: str | None, name: str) -> None:
        interface = self._some_interface(which)
        self.host.move((interface.netns, interface.name), (netns, name))

    @precondition(_has_interface)
    @rule(
        which=st.integers(0, 3),
        own_key=st.integers(0, 2),
        port=st.sampled_from([0, 51820, 6000]),
        fwmark=st.sampled_from([0, 5]),
        up=st.booleans(),
    )
    def an_interface_is_configured(self, which: int, own_key: int, port: int, fwmark: int, up: bool) -> None:
        interface = self._some_interface(which)
        interface.own_key, interface.listen_port, interface.fwmark, interface.up = own_key, port, fwmark, up

    @precondition(_has_interface)
    @rule(which=st.integers(0, 3), key=KEYS)
    def a_peer_is_added(self, which: int, key: int) -> None:
        self.host.add_peer(self._some_interface(which), key)

    @precondition(_has_interface)
    @rule(which=st.integers(0, 3), key=KEYS, back=st.booleans(), as_before=st.booleans())
    def a_peer_is_removed_and_perhaps_put_back(self, which: int, key: int, back: bool, as_before: bool) -> None:
        interface = self._some_interface(which)
        old = interface.peers.pop(key, None)
        if old is not None and back:
            self.host.add_peer(interface, key)
            if as_before:
                new = interface.peers[key]
                new.endpoint, new.keepalive, new.preshared_key = old.endpoint, old.keepalive, old.preshared_key
                new.allowed_ips = list(old.allowed_ips)

    @precondition(_has_interface)
    @rule(
        which=st.integers(0, 3),
        key=KEYS,
        endpoint=st.sampled_from(ENDPOINTS),
        keepalive=st.sampled_from([0, 25]),
        preshared_key=st.sampled_from([0, 0x5EC2E7, 0x5EC2E8]),
    )
    def a_peer_is_configured(
        self, which: int, key: int, endpoint: tuple[str, int] | None, keepalive: int, preshared_key: int
    ) -> None:
        peer = self._some_peer(which, key)
        peer.endpoint, peer.keepalive, peer.preshared_key = endpoint, keepalive, preshared_key

    @precondition(_has_interface)
    @rule(which=st.integers(0, 3), key=KEYS, network=st.sampled_from(NETWORKS))
    def an_allowed_ip_is_given_to_a_peer(self, which: int, key: int, network: str) -> None:
        self._some_peer(which, key)
        self.host.give(self._some_interface(which), key, network)

    @precondition(_has_interface)
    @rule(which=st.integers(0, 3), key=KEYS, rx=st.integers(0, 200), tx=st.integers(0, 200))
    def packets_travel(self, which: int, key: int, rx: int, tx: int) -> None:
        peer = self._some_peer(which, key)
        peer.rx, peer.tx = peer.rx + rx, peer.tx + tx

    @precondition(_has_interface)
    @rule(which=st.integers(0, 3), key=KEYS)
    def hands_are_shaken(self, which: int, key: int) -> None:
        peer = self._some_peer(which, key)
        peer.rx, peer.tx, peer.handshake_ns = peer.rx + 92, peer.tx + 148, self.host.clock.wall_ns()

    @rule(seconds=st.sampled_from([0.3, 1.0, 5.0, 30.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.host.clock.sleep(seconds)

    @rule(seconds=st.sampled_from([-3600, -1, 1, 3600]))
    def the_wall_clock_is_stepped(self, seconds: int) -> None:
        self.host.clock.step += seconds * SECOND

    @rule()
    def the_module_is_loaded_again(self) -> None:
        self.host.family = 1000 + self.host.number()
        for place, interface in list(self.host.interfaces.items()):
            if interface.backend == "kernel":
                del self.host.interfaces[place]

    @precondition(_has_interface)
    @rule(which=st.integers(0, 3), fault=st.sampled_from(FAULTS))
    def reading_fails_from_now_on(self, which: int, fault: str) -> None:
        interface = self._some_interface(which)
        self.host.faults[interface.netns, interface.name] = fault

    @rule()
    def nothing_fails_any_more(self) -> None:
        self.host.faults.clear()
        self.host.missing_namespaces.clear()

    @rule()
    def a_namespace_is_not_to_be_found(self) -> None:
        self.host.missing_namespaces.add("blue")

    # --- what the watcher makes of it

    @rule()
    def poll(self) -> None:
        events = self._poll()
        for event in events:
            self._hear(event)
        self.watcher.confirm()
        self._compare()
        # Of what the run before told, its index is known, and its objects are not: those may be told to be others.
        known = [event for event in events if (event["netns"], event["interface"]) not in self.resumed]
        self._compare_recreated(known)
        self.resumed -= self.seen

    @rule()
    def a_poll_is_not_delivered(self) -> None:
        self._poll()

    @rule(share=st.floats(0, 1))
    def the_watcher_is_killed_in_mid_delivery(self, share: float) -> None:
        """And the next one resumes from what was delivered."""
        events = self._poll()
        for event in events[: round(share * len(events))]:
            self._hear(event)
        self.watcher.close()
        self.watcher = self._watcher(copy.deepcopy(self.mirror) or None)
        self.read = _without_states(self.mirror)
        self.objects, self.told_objects = {}, None
        self.resumed, self.seen = set(self.read), set()
        self.poll()

    def _poll(self) -> list[Facts]:
        events = [event for event, _wanted in self.watcher.poll(links_changed=True)]
        for place in {*self.read, *self.host.interfaces}:
            netns = place[0]
            if netns in self.host.missing_namespaces:
                continue
            if place not in self.host.interfaces:
                self.read.pop(place, None)
                self._know_objects(place, None)
            elif place not in self.host.faults:
                interface = self.host.interfaces[place]
                peers = {peer.public_key: peer.facts() for peer in interface.peers.values()}
                self.read[place] = {"interface": interface.facts(), "peers": peers}
                self._know_objects(place, interface)
        for event in events:
            json.dumps(event, allow_nan=False)
        return events

    def _know_objects(self, place: Place, interface: Interface | None) -> None:
        self.objects = {one: known for one, known in self.objects.items() if one[0] != place}
        self.seen.add(place)
        for peer in interface.peers.values() if interface else ():
            self.objects[place, peer.public_key] = (interface.ifindex, copy.copy(peer))

    def _compare_recreated(self, events: list[Facts]) -> None:
        """Told of exactly those keys that stayed and whose object can be seen to be another one."""
        told, self.told_objects = self.told_objects, dict(self.objects)
        if told is None:
            return  # the run before knew no counters
        recreated = set()
        for one in told.keys() & self.objects.keys():
            (old_index, old), (index, new) = told[one], self.objects[one]
            shrunk = new.rx < old.rx or new.tx < old.tx or (old.handshake_ns and not new.handshake_ns)
            if index != old_index or shrunk:
                recreated.add(one)
                assert index != old_index or new.made != old.made
        heard = [event for event in events if event["type"] == "peer_recreated"]
        assert {((event["netns"], event["interface"]), event["public_key"]) for event in heard} == recreated
        assert len(heard) == len(recreated)

    def _hear(self, event: Facts) -> None:
        """Every event says something new and true: its previous value is the mirror's, its current one another."""
        before = copy.deepcopy(self.mirror)
        place = apply(self.mirror, event)
        kind = event["type"]
        if kind.startswith("watch_"):
            return
        known = before.get(place, {"interface": {}, "peers": {}})
        if event["public_key"] is None:
            if kind == "interface_changed":
                assert known["interface"][event["field"]] == event["previous"] != event["current"]
            else:
                assert (place in before) == (kind == "interface_removed")
            return
        facts = known["peers"].get(event["public_key"])
        assert (facts is None) == (kind == "peer_added"), event
        field = {
            "peer_endpoint_changed": "endpoint",
            "peer_handshake_refreshed": "last_handshake",
            "peer_allowed_ips_changed": "allowed_ips",
            "peer_keepalive_changed": "persistent_keepalive",
            "peer_state_changed": "state",
        }.get(kind)
        if field is not None and facts is not None:
            assert facts[field] == event["previous"] != event["current"]
        if kind == "peer_preshared_key_changed" and facts is not None:
            assert facts["has_preshared_key"] == event["previous"]

    def _compare(self) -> None:
        assert _without_states(self.mirror) == self.read
        for (_host, netns, name), entry in self.mirror.items():
            tracker = self.watcher._targets[netns, name]._tracker
            for key, facts in entry["peers"].items():
                assert facts["state"] == tracker.state(decode_key(key))

    def teardown(self) -> None:
        """Whatever happened, once everything can be read again the mirror is the present state."""
        self.nothing_fails_any_more()
        self.poll()
        assert self.read.keys() == self.host.interfaces.keys()
        self.watcher.close()


def _without_states(mirror: dict[Any, Facts]) -> dict[Place, Facts]:
    """What a host can tell of it."""
    facts = copy.deepcopy(mirror)
    for entry in facts.values():
        for peer in entry["peers"].values():
            del peer["state"]
    return {(netns, name): entry for (_host, netns, name), entry in facts.items()}


@pytest.mark.parametrize("size", ["short", "long"])
def test_folding_the_events_gives_the_present_state(
    size: str, full: bool, figure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_netlink, "BACKOFF", 0)
    steps = {"short": 15, "long": 80}[size]
    histories = {"short": 1500, "long": 300}[size] * (20 if full else 1)
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            derandomize=not full,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    figure(f"{histories} histories of up to {steps} steps")

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diff against an oracle that is written another way, and its order."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._diff import diff, is_new_object, peer_changes
from ansible_collections.wirewatch.wireguard.plugins.module_utils._event import TYPES, Change
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import (
    Device,
    Peer,
    pack_endpoint,
    parse_allowed_ip,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.watching import key, peer, text


def device(*peers: Peer, **fields: Any) -> Device:
    return Device("wg0", **{"ifindex": 7, **fields}, peers={one.public_key: one for one in peers})


def number(change: Change) -> int | None:
    return None if change.peer is None else int.from_bytes(change.peer.public_key, "big")


def told(changes: list[Change]) -> list[tuple[str, int | None]]:
    return [(change.type, number(change)) for change in changes]


# --- an oracle: facts as rows, compared row by row

IPS = [parse_allowed_ip(ip) for ip in ("10.0.0.0/24", "10.0.0.1/32", "2001:db8::/32")]
# 13 and 3 stand the other way round by bytes than by text.
PEERS = st.builds(
    Peer,
    st.sampled_from([key(one) for one in (1, 2, 3, 13, 40)]),
    st.sampled_from([None, b"", b"hash", b"other"]),
    st.sampled_from(
        [None, pack_endpoint("192.0.2.1", 1), pack_endpoint("192.0.2.1", 2), pack_endpoint("2001:db8::1", 1)]
    ),
    st.sets(st.sampled_from(IPS)).map(lambda ips: tuple(sorted(ips))),
    st.sampled_from([0, 25]),
    st.sampled_from([0, 1000, 2000]),
    st.sampled_from([0, 1]),
    st.sampled_from([0, 1]),
)
DEVICES = st.none() | st.builds(
    lambda peers, **fields: device(*peers, **fields),
    peers=st.lists(PEERS, max_size=5, unique_by=lambda one: one.public_key),
    ifindex=st.sampled_from([None, 7, 8]),
    backend=st.sampled_from(["kernel", "userspace"]),
    public_key=st.sampled_from([None, key(9)]),
    listen_port=st.sampled_from([0, 51820]),
    fwmark=st.sampled_from([0, 1]),
    up=st.sampled_from([None, True, False]),
)


def oracle(before: Device | None, after: Device | None) -> list[tuple[str, int | None, Any, Any]]:
    """Every (type, peer, previous, current), sorted by the contract's order at the very end."""
    rows: list[tuple[tuple[Any, ...], tuple[str, int | None, Any, Any]]] = []

    def row(group: int, kind: str, who: bytes | None, old: Any = None, new: Any = None, place: int = 0) -> None:
        label = int.from_bytes(who, "big") if who is not None else None
        rows.append(((group, text(label) if label is not None else "", place), (kind, label, old, new)))

    if before is None and after is not None:
        row(0, "interface_added", None)
    if before is not None and after is None:
        row(9, "interface_removed", None)
    if before and after:
        for place, field in enumerate(("ifindex", "backend", "public_key", "listen_port", "fwmark", "up")):
            if getattr(before, field) != getattr(after, field):
                row(1, "interface_changed", None, getattr(before, field), getattr(after, field), place)
    old_peers = before.peers if before else {}
    new_peers = after.peers if after else {}
    other_interface = bool(before and after and before.ifindex and after.ifindex and before.ifindex != after.ifindex)
    for who in {*old_peers, *new_peers}:
        old, new = old_peers.get(who), new_peers.get(who)
        if old is None or new is None:
            row(2 if old is None else 3, "peer_added" if old is None else "peer_removed", who)
            continue
        if old.endpoint != new.endpoint:
            row(4, "peer_endpoint_changed", who, old.endpoint, new.endpoint, 0)
        if new.last_handshake_ns not in (0, old.last_handshake_ns):
            row(4, "peer_handshake_refreshed", who, old.last_handshake_ns, new.last_handshake_ns, 1)
        if set(old.allowed_ips) != set(new.allowed_ips):
            row(4, "peer_allowed_ips_changed", who, old.allowed_ips, new.allowed_ips, 2)
        vanished = old.last_handshake_ns > 0 and new.last_handshake_ns == 0
        if vanished or old.rx_bytes > new.rx_bytes or old.tx_bytes > new.tx_bytes or other_interface:
            row(4, "peer_recreated", who, None, None, 3)
        if old.persistent_keepalive != new.persistent_keepalive:
            row(4, "peer_keepalive_changed", who, old.persistent_keepalive, new.persistent_keepalive, 4)
        secrets = {old.preshared_key, new.preshared_key}
        if len(secrets) == 2 and (None in secrets or b"" not in secrets):
            row(4, "peer_preshared_key_changed", who, old.preshared_key is not None, new.preshared_key is not None, 5)
    return [shown for _order, shown in sorted(rows, key=lambda entry: entry[0])]


@settings(deadline=None, database=None, max_examples=500)
@given(DEVICES, DEVICES)
def test_the_diff_is_that_of_the_oracle(before: Device | None, after: Device | None) -> None:
    changes = diff(before, after)
    assert [(one.type, number(one), one.previous, one.current) for one in changes] == oracle(before, after)
    for change in changes:
        gone = change.type in ("peer_removed", "interface_removed")
        assert change.device is (before if gone and after is None else after)
        if change.peer is not None:
            seen = before if change.type == "peer_removed" else after
            assert seen is not None
            assert change.peer is seen.peers[change.peer.public_key]


@settings(deadline=None, database=None)
@given(DEVICES)
def test_the_same_twice_is_no_change_be_it_the_same_object_or_an_equal_one(one: Device | None) -> None:
    equal = None if one is None else Device(*one[:-1], peers={who: Peer(*each) for who, each in one.peers.items()})
    assert diff(one, one) == diff(one, equal) == []


@settings(deadline=None, database=None)
@given(DEVICES, DEVICES)
def test_a_diff_is_pure(before: Device | None, after: Device | None) -> None:
    copies = [None if one is None else one._replace(peers=dict(one.peers)) for one in (before, after)]
    assert diff(before, after) == diff(before, after)
    assert [before, after] == copies


@settings(deadline=None, database=None)
@given(st.lists(PEERS, unique_by=lambda one: one.public_key), st.randoms(use_true_random=False))
def test_the_order_in_which_peers_are_read_is_of_no_account(peers: list[Peer], chance: Any) -> None:
    """Daemons answer in another order each time, and kernels in that of creation."""
    shuffled = chance.sample(peers, len(peers))
    assert told(diff(None, device(*shuffled))) == told(diff(None, device(*peers)))
    assert diff(device(*peers), device(*shuffled)) == []


# --- the order of the contract


def test_one_poll_in_which_everything_happens() -> None:
    before = device(peer(1), peer(2), peer(3, handshake=0), peer(13, rx_bytes=5), peer(6, preshared_key=b"a"), up=True)
    anew = {"endpoint": "192.0.2.1:1", "allowed_ips": ["10.0.0.1/32"], "persistent_keepalive": 25}
    after = device(
        peer(13, handshake=1, preshared_key=b"b", **anew), peer(3, **anew), peer(6), peer(5), peer(4), listen_port=1
    )
    by_key = sorted((3, 6, 13), key=text)
    assert by_key == [13, 3, 6]  # by bytes they stand otherwise
    of_both = {
        3: ["endpoint_changed", "allowed_ips_changed", "recreated", "keepalive_changed"],
        13: [
            "endpoint_changed",
            "handshake_refreshed",
            "allowed_ips_changed",
            "recreated",
            "keepalive_changed",
            "preshared_key_changed",
        ],
    }
    assert told(diff(before, after)) == [
        ("interface_changed", None),
        ("interface_changed", None),
        ("peer_added", 4),
        ("peer_added", 5),
        ("peer_removed", 1),
        ("peer_removed", 2),
        *[(f"peer_{kind}", who) for who in by_key for kind in of_both.get(who, ["preshared_key_changed"])],
    ]


def test_an_interface_that_appears_comes_before_its_peers_and_one_that_goes_after_them() -> None:
    one = device(peer(2), peer(1))
    assert told(diff(None, one)) == [("interface_added", None), ("peer_added", 1), ("peer_added", 2)]
    assert told(diff(one, None)) == [("peer_removed", 1), ("peer_removed", 2), ("interface_removed", None)]


@pytest.mark.parametrize("initial", [True, False])
def test_only_an_inventory_is_initial(initial: bool) -> None:
    one = device(peer(1))
    assert {change.initial for change in diff(None, one, initial)} == {initial}
    assert {change.initial for change in diff(one, device(peer(2), up=True), initial)} == {False}
    assert {change.initial for change in diff(one, None, initial)} == {False}


def test_a_new_peer_gives_peer_added_alone() -> None:
    full = peer(1, endpoint="192.0.2.1:1", handshake=0, allowed_ips=["10.0.0.1/32"], preshared_key=b"x", rx_bytes=1)
    assert told(diff(device(), device(full))) == [("peer_added", 1)]
    assert told(diff(device(full), device())) == [("peer_removed", 1)]


# --- a peer made anew


@pytest.mark.parametrize(
    ("before", "after", "anew"),
    [
        ({}, {}, False),
        ({}, {"handshake": 0}, False),
        ({"handshake": 0}, {"handshake": -600}, False),  # the clock was stepped back
        ({"handshake": 0}, {}, True),
        ({"rx_bytes": 1}, {"rx_bytes": 0}, True),
        ({"tx_bytes": 1}, {"tx_bytes": 0}, True),
        ({"rx_bytes": 1, "tx_bytes": 1}, {"rx_bytes": 1, "tx_bytes": 2}, False),
        ({"rx_bytes": 1, "tx_bytes": 1}, {"rx_bytes": 9, "tx_bytes": 0}, True),
        ({"endpoint": "192.0.2.1:1"}, {"endpoint": None}, False),
    ],
)
def test_what_shows_that_a_peer_was_made_anew(before: dict[str, Any], after: dict[str, Any], anew: bool) -> None:
    assert is_new_object(peer(1, **before), peer(1, **after)) is anew


@pytest.mark.parametrize(("before", "after", "anew"), [(7, 8, True), (7, 7, False), (None, 7, False), (7, None, False)])
def test_another_index_is_another_interface_and_an_unknown_one_is_not(
    before: int | None, after: int | None, anew: bool
) -> None:
    """Peers that are the same objects included: their bytes may well be the same under the new interface."""
    one = device(peer(1), ifindex=before)
    types = [change.type for change in diff(one, one._replace(ifindex=after))]
    assert ("peer_recreated" in types) is anew


def test_changes_of_one_peer_are_there_to_use_on_their_own() -> None:
    changes = peer_changes(peer(1), peer(1, endpoint="192.0.2.1:1"), device())
    assert [(one.type, one.previous, one.current) for one in changes] == [
        ("peer_endpoint_changed", None, pack_endpoint("192.0.2.1", 1))
    ]
    assert peer_changes(peer(1), peer(1), device()) == []
    assert [one.type for one in peer_changes(peer(1), peer(1), device(), made_anew=True)] == ["peer_recreated"]


def test_every_type_that_snapshots_can_show_is_shown() -> None:
    """So that a type added to the contract without a diff is noticed, or the other way round."""
    one = device(peer(1, handshake=0), peer(2))
    other = device(
        peer(
            1,
            endpoint="192.0.2.1:1",
            handshake=1,
            allowed_ips=["10.0.0.1/32"],
            persistent_keepalive=1,
            preshared_key=b"x",
        ),
        peer(3),
        ifindex=8,
    )
    shown = {change.type for pair in ((None, one), (one, other), (other, None)) for change in diff(*pair)}
    of_time = {"peer_state_changed", "watch_heartbeat", "watch_degraded", "watch_recovered"}
    assert shown == set(TYPES) - of_time

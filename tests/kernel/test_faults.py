# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault that a real host does to a watcher, against the kernel's own WireGuard, and what the user sees of it."""

from __future__ import annotations

import base64
import ipaddress
import random
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._clock import Clock
from kernel.faults import (
    CAP_NET_ADMIN,
    CAP_SYS_ADMIN,
    Dumps,
    Event,
    LaterClock,
    Watch,
    a_clock_to_step,
    cursor,
    family,
    no_module,
    without,
)
from lab import Interface, Network, star
from lab.commands import run

SEED = 20261124
HOUR = 3600
ONE, OTHER, THIRD = (base64.b64encode(bytes([number]) * 32).decode() for number in (8, 16, 24))


@pytest.fixture
def watch() -> Iterator[Callable[..., Watch]]:
    """Makes watches that are closed at the end; of one interface by name, unless told otherwise."""
    made: list[Watch] = []

    def make(interface: Interface, *netns: str, pattern: str | None = None, clock: Clock | None = None) -> Watch:
        made.append(Watch(pattern or interface.name, netns or [interface.host.namespace], clock))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def dumps(monkeypatch: pytest.MonkeyPatch) -> Dumps:
    return Dumps(monkeypatch)


@pytest.fixture
def hub(network: Network) -> Interface:
    """An interface with two peers that never say a word."""
    interface = network.host("hub").wireguard()
    configure(interface)
    return interface


@pytest.fixture
def big(network: Network) -> Interface:
    """An interface with so many peers that a dump takes several pages."""
    interface = network.host("hub").wireguard()
    chance = random.Random(SEED)
    lines = []
    for number in range(600):
        v4 = ipaddress.IPv4Address((10 << 24) + number)
        v6 = ipaddress.IPv6Address((0x20010DB8 << 96) + number)
        lines += ["[Peer]", f"PublicKey = {base64.b64encode(chance.randbytes(32)).decode()}"]
        lines.append(f"AllowedIPs = {v4}/32, {v6}/128")
    interface.wg("addconf", interface.name, "/dev/stdin", stdin="\n".join(lines) + "\n")
    return interface


def short(events: list[Event]) -> list[tuple]:
    """Type and subject of each event: the peer's key, or the interface's field, or None."""
    return [(event["type"], event["public_key"] or event["field"]) for event in events]


def create_again(interface: Interface) -> None:
    """As `hub` makes it, keys included: a new kernel object under the old name."""
    keys = interface.keys
    assert keys is not None
    interface.create(address=None, listen_port=0, private_key=False)
    interface.set_private_key(keys)
    configure(interface)


def configure(interface: Interface) -> None:
    """All in one go. A port of its own, since the kernel's choice would be another one each time."""
    interface.set(
        "listen-port", "51820", "peer", ONE, "allowed-ips", "10.1.0.0/16", "peer", OTHER, "allowed-ips", "10.2.0.0/16"
    )


GONE = [("peer_removed", ONE), ("peer_removed", OTHER), ("interface_removed", None)]
CAME = [("interface_added", None), ("peer_added", ONE), ("peer_added", OTHER)]
MADE_ANEW = [("interface_changed", "ifindex"), ("peer_recreated", ONE), ("peer_recreated", OTHER)]


# --- the module. First: what other tests left behind would have to be taken down with it.


@pytest.mark.own_machine
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "within one interval"])
def test_a_module_unloaded_and_loaded_again(
    hub: Interface, watch: Callable, figure: Callable[[str], None], seen: bool
) -> None:
    """Its generic netlink family has another number then. What went with the module is gone, what comes back is new."""
    watching = watch(hub)
    assert short(watching.poll()) == CAME
    before = family()
    told: list[Event] = []
    with no_module():
        for _poll in range(2 if seen else 0):
            told += watching.poll()
    assert family() != before, "the fault did not happen"
    create_again(hub)
    told += watching.poll()
    if seen:
        assert short(told) == GONE + CAME
    else:
        assert short(told) == MADE_ANEW
    assert watching.poll() == []
    figure(f"module loaded again, family {before} -> {family()}: {[kind for kind, _subject in short(told)]}")


# --- a change in mid-dump


def remove(interface: Interface, pages: list[list[str]]) -> list[tuple]:
    """The peer at which the kernel goes on after the second page: it takes the rest for no more peers."""
    key = cursor(pages, 2)
    interface.remove_peer(key)
    return [("peer_removed", key, None, None)]


def move_an_allowed_ip(interface: Interface, pages: list[list[str]]) -> list[tuple]:
    """From the last peer, yet to be dumped, to the first, which was: the dump shows it nowhere."""
    first, last = pages[0][0], pages[-1][-1]
    of_first, of_last = (interface.show("allowed-ips")[key].split() for key in (first, last))
    interface.set_peer(first, allowed_ips=[*of_first, of_last[0]])
    changes = [
        ("peer_allowed_ips_changed", first, [of_last[0]], []),
        ("peer_allowed_ips_changed", last, [], [of_last[0]]),
    ]
    return sorted(changes, key=lambda change: change[1])


@pytest.mark.parametrize("change", [remove, move_an_allowed_ip], ids=["cursor peer removed", "allowed IP moved"])
def test_a_change_in_mid_dump_tells_that_change_and_no_other(
    big: Interface, watch: Callable, dumps: Dumps, figure: Callable[[str], None], change: Callable
) -> None:
    watching = watch(big)
    watching.poll()
    assert watching.poll() == []
    (quiet,) = dumps.pages[1:]
    assert len(quiet) >= 4, "too few pages for a change in between"

    expected: list[tuple] = []

    def change_once(page: int) -> None:
        if page == 1 and not expected:
            expected.extend(change(big, quiet))

    dumps.between = change_once
    events = watching.poll()
    assert [(event["type"], event["public_key"], event["added"], event["removed"]) for event in events] == expected
    torn, *tried_again = dumps.pages[2:]
    assert tried_again, "the dump was not torn"
    there = len({key for page in torn for key in page})
    if change is remove:
        assert there < 599, "the kernel did not end the dump early"
    assert watching.poll() == []
    figure(
        f"{change.__name__.replace('_', ' ')} in mid-dump: {there} of 600 peers in the torn dump; {len(expected)} events"
    )


def test_ten_seconds_of_interrupted_dumps_are_told_once_and_then_the_net_changes(
    big: Interface, watch: Callable, dumps: Dumps, figure: Callable[[str], None]
) -> None:
    clock = LaterClock()
    watching = watch(big, clock=clock)
    peers = [event["public_key"] for event in watching.poll() if event["type"] == "peer_added"]
    changed, gone = peers[0], peers[1]
    begun = clock.monotonic_ns()
    writes = 0

    def write(page: int) -> None:
        nonlocal writes
        if page == 1:
            writes += 1
            big.set_peer(changed, keepalive=writes)
            if writes == 1:
                big.remove_peer(gone)

    dumps.pages.clear()
    dumps.between = write
    (degraded,) = watching.poll()
    assert degraded["type"] == "watch_degraded"
    assert "was changed while it was read (NLM_F_DUMP_INTR), 6 times in a row" in degraded["reason"]
    assert big.name in degraded["reason"]
    polls = 1
    while clock.monotonic_ns() - begun < 10 * 10**9:
        clock.later += 2
        assert watching.poll() == []
        polls += 1
    assert len(dumps.pages) == writes == 6 * polls

    dumps.between = lambda _page: None
    events = watching.poll()
    assert [(event["type"], event["public_key"], event["previous"], event["current"]) for event in events] == [
        ("watch_recovered", None, None, None),
        ("peer_removed", gone, None, None),
        ("peer_keepalive_changed", changed, 0, writes),
    ]
    assert watching.poll() == []
    figure(f"{writes} dumps of 600 peers in {polls} polls over 10 s, each interrupted: 1 watch_degraded, 2 net changes")


# --- interfaces


def delete_and_recreate(hub: Interface, _elsewhere: str) -> None:
    hub.remove()
    create_again(hub)


def rename(hub: Interface, _elsewhere: str) -> None:
    hub.host.ip("link", "set", hub.name, "down")
    hub.host.ip("link", "set", hub.name, "name", renamed(hub))
    hub.host.ip("link", "set", renamed(hub), "up")


def rename_and_replace(hub: Interface, _elsewhere: str) -> None:
    hub.host.ip("link", "set", hub.name, "down")
    hub.host.ip("link", "set", hub.name, "name", renamed(hub))
    create_again(hub)


def move(hub: Interface, elsewhere: str) -> None:
    hub.host.ip("link", "set", hub.name, "netns", elsewhere)


def move_and_replace(hub: Interface, elsewhere: str) -> None:
    move(hub, elsewhere)
    create_again(hub)


def renamed(hub: Interface) -> str:
    return f"ww{hub.host.network.run_id}new"  # comes after "hub", so it is told after it


@pytest.mark.parametrize(
    ("fault", "of_it", "of_the_new_name", "elsewhere"),
    [
        (delete_and_recreate, MADE_ANEW, [], []),
        (rename, GONE, CAME, []),
        (rename_and_replace, MADE_ANEW, CAME, []),
        (move, GONE, [], CAME),
        (move_and_replace, MADE_ANEW, [], CAME),
    ],
    ids=["deleted and made again", "renamed", "renamed and replaced", "moved", "moved and replaced"],
)
def test_what_happens_to_an_interface_within_one_interval_is_told(
    hub: Interface, watch: Callable, fault: Callable, of_it: list, of_the_new_name: list, elsewhere: list
) -> None:
    here, there = hub.host.namespace, hub.host.network.host("yonder").namespace
    watching = watch(hub, here, there, pattern=f"ww{hub.host.network.run_id}*")
    assert short(watching.poll()) == CAME
    fault(hub, there)
    events = watching.poll()
    assert short(events) == of_it + of_the_new_name + elsewhere
    places = [(event["netns"], event["interface"]) for event in events]
    assert places == (
        [(here, hub.name)] * len(of_it)
        + [(here, renamed(hub))] * len(of_the_new_name)
        + [(there, hub.name)] * len(elsewhere)
    )
    assert watching.poll() == []


# --- peers


@pytest.mark.parametrize("shaken_again", [False, True], ids=["silent since", "shaken hands since"])
def test_a_peer_removed_and_put_back_between_two_polls(network: Network, watch: Callable, shaken_again: bool) -> None:
    made = star(network, ["east"])
    east, hub = made.spokes["east"], made.hub
    made.shake_hands()
    for _ping in range(3):
        east.host.ping(hub.tunnel_address)
    watching = watch(hub)
    watching.poll()
    hub.remove_peer(east.public_key)
    hub.set_peer(
        east.public_key,
        endpoint=east.endpoint,
        allowed_ips=[f"{east.tunnel_address}/32"],
        preshared_key=made.preshared_keys["east"],
    )
    if shaken_again:
        # East has a session yet, of which the new object knows nothing. Without it, it begins another.
        restart(east)
        made.shake_hands()
        _event, told = watching.until("peer_recreated")
        assert short(told) == [("peer_handshake_refreshed", east.public_key), ("peer_recreated", east.public_key)]
        assert told[0]["current"] != told[0]["previous"]
    else:
        recreated, state = watching.poll()
        assert (recreated["type"], recreated["public_key"]) == ("peer_recreated", east.public_key)
        assert recreated["peer"]["last_handshake"] is None
        assert (state["type"], state["previous"], state["current"]) == ("peer_state_changed", "up", "never")


def test_an_allowed_ip_that_moves_between_peers_is_seen_at_both(hub: Interface, watch: Callable) -> None:
    watching = watch(hub)
    watching.poll()
    hub.set_peer(OTHER, allowed_ips=["10.2.0.0/16", "2001:db8::/64", "10.1.0.0/16"])
    events = watching.poll()
    assert [(event["type"], event["public_key"], event["added"], event["removed"]) for event in events] == [
        ("peer_allowed_ips_changed", ONE, [], ["10.1.0.0/16"]),
        ("peer_allowed_ips_changed", OTHER, ["10.1.0.0/16", "2001:db8::/64"], []),
    ]
    # There and back between two polls is no news.
    hub.set_peer(ONE, allowed_ips=["10.1.0.0/16"])
    hub.set_peer(OTHER, allowed_ips=["10.2.0.0/16", "2001:db8::/64", "10.1.0.0/16"])
    assert watching.poll() == []


def restart(interface: Interface) -> None:
    """Down and up: it forgets its sessions."""
    interface.host.ip("link", "set", interface.name, "down")
    interface.host.ip("link", "set", interface.name, "up")


# --- privileges and namespaces


@pytest.mark.parametrize(
    "capabilities", [[CAP_NET_ADMIN], [CAP_NET_ADMIN, CAP_SYS_ADMIN]], ids=["CAP_NET_ADMIN", "CAP_SYS_ADMIN too"]
)
def test_privileges_that_are_lost_and_come_back(hub: Interface, watch: Callable, capabilities: list[int]) -> None:
    watching = watch(hub)
    assert short(watching.poll()) == CAME
    with without(*capabilities):
        (degraded,) = watching.poll()
        assert degraded["type"] == "watch_degraded"
        assert f"Interface {hub.name} in network namespace {hub.host.namespace} can't be read" in degraded["reason"]
        assert "needs the capability CAP_NET_ADMIN" in degraded["reason"]
        hub.remove_peer(ONE)
        hub.set_peer(THIRD, allowed_ips=["10.3.0.0/16"])
        hub.set_peer(OTHER, keepalive=25)
        for _poll in range(3):
            assert watching.poll() == []
    assert short(watching.poll()) == [
        ("watch_recovered", None),
        ("peer_added", THIRD),
        ("peer_removed", ONE),
        ("peer_keepalive_changed", OTHER),
    ]
    assert watching.poll() == []


@pytest.mark.parametrize("found", [False, True], ids=["named", "found"])
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "within one interval"])
def test_a_namespace_deleted_and_made_again(hub: Interface, watch: Callable, found: bool, seen: bool) -> None:
    netns = hub.host.namespace
    watching = watch(hub, pattern=f"ww{hub.host.network.run_id}*" if found else None)
    assert short(watching.poll()) == CAME
    run(["ip", "netns", "delete", netns])
    sentence = f"There is no network namespace {netns} (looked for /var/run/netns/{netns})"
    if seen:
        assert_degraded(watching.poll(), sentence, hub)
        assert watching.poll() == []
    run(["ip", "netns", "add", netns])
    create_again(hub)
    hub.remove_peer(OTHER)
    hub.set_peer(THIRD)
    if not seen:
        assert_degraded(watching.poll(), f"Network namespace {netns} was deleted and made again", hub)
    events = watching.poll()
    told = [pair for pair in short(events) if pair != ("watch_recovered", None)]
    assert told == [
        ("interface_changed", "ifindex"),
        ("peer_added", THIRD),
        ("peer_removed", OTHER),
        ("peer_recreated", ONE),
    ]
    assert short(events)[0] == ("watch_recovered", None)
    assert watching.poll() == []


def assert_degraded(events: list[Event], sentence: str, interface: Interface) -> None:
    """Of the interface, and where interfaces are found, of the namespace as well."""
    assert {event["type"] for event in events} == {"watch_degraded"}
    assert events[-1]["interface"] == interface.name
    for event in events:
        assert sentence in event["reason"]
        assert event["netns"] == interface.host.namespace


# --- the clock


@pytest.mark.own_machine
def test_a_clock_that_is_stepped_loses_no_handshake_and_makes_nobody_stale(
    network: Network, watch: Callable, figure: Callable[[str], None]
) -> None:
    """An hour back, then two forward. East shakes hands each time; west did it before, and has nothing more to say."""
    made = star(network, ["east", "west"])
    east, west, hub = made.spokes["east"], made.spokes["west"], made.hub
    # WireGuard refuses an initiation that is dated before the last of that peer. So the hub initiates the first, and east the
    # others, whose dates rise.
    hub.set_peer(east.public_key, endpoint=east.endpoint)
    # Who renews its session is down after 210 s without: by the wall clock, after a step of an hour.
    hub.set_peer(west.public_key, keepalive=25)
    watching = watch(hub)
    watching.poll()
    with a_clock_to_step() as step:
        hub.host.ping_until_answered(east.tunnel_address)
        made.shake_hands("west")
        told = watching.until("peer_handshake_refreshed", public_key=east.public_key)[1]
        if west.public_key not in {event["public_key"] for event in told}:
            told += watching.until("peer_handshake_refreshed", public_key=west.public_key)[1]
        states = [(event["public_key"], event["current"]) for event in told if event["type"] == "peer_state_changed"]
        assert sorted(states) == sorted([(east.public_key, "up"), (west.public_key, "up")])

        told = []
        times = [hub.handshake_of(east.public_key)]
        for number, seconds in enumerate((-HOUR, HOUR)):
            step(seconds)
            told += watching.poll()
            restart(east)
            made.shake_hands("east")
            handshake, events = watching.until("peer_handshake_refreshed", public_key=east.public_key)
            told += events
            times.append(hub.handshake_of(east.public_key))
            assert int(handshake["peer"]["last_handshake_epoch"]) == times[-1]
            # What else is told of west shows how it stands: up, and of an age that no step made.
            hub.set_peer(west.public_key, keepalive=26 + number)
            change, events = watching.until("peer_keepalive_changed")
            told += events
            assert change["peer"]["state"] == "up"
            assert 0 <= change["peer"]["last_handshake_age"] < HOUR / 2
        step(0)
        told += watching.poll()
    assert times[1] < times[0] - HOUR / 2
    assert times[2] > times[0] + HOUR / 2
    refreshed = [event for event in told if event["type"] == "peer_handshake_refreshed"]
    assert [event["public_key"] for event in refreshed] == [east.public_key] * 2
    assert [event for event in told if event["type"] in ("peer_state_changed", "peer_recreated")] == []
    figure(
        f"clock stepped by -1 h and +2 h: 2 of 2 handshakes told, at {times[1] - times[0]:+} s and {times[2] - times[0]:+} s"
    )

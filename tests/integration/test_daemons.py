# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Userspace daemons: real ones that shake hands, roam and are started again, and bad ones beside a good one."""

from __future__ import annotations

import base64
import random
import re
import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._userspace import REPLY_BYTES
from integration.following import Following, chain
from lab import Interface, Network, generate_preshared_key, star, uapi, wait_for
from lab.wireguard import SOCKET_FOLDER

SEED = 20261124
HOME, AWAY = "192.0.2.11", "198.51.100.4"
ROAMS = 6
DYING_OR_BORN = "Broken pipe|Connection reset by peer|hung up in mid-answer|there is no userspace socket"


def stranger(chance: random.Random) -> str:
    """The public key of a peer that nobody has the private key of."""
    return base64.b64encode(chance.randbytes(32)).decode()


def start_again(interface: Interface) -> None:
    """A new daemon in place of one that was killed: it knows the interface's own key and port, and no peer."""
    assert interface.keys is not None and interface.address is not None
    interface.start_daemon()
    interface.set_private_key(interface.keys)
    interface.set("listen-port", str(interface.listen_port))
    interface.host.ip("address", "add", interface.address, "dev", interface.name)
    interface.host.ip("link", "set", interface.name, "up")


# --- real handshakes


def test_the_mirror_of_a_hub_is_what_wg_shows_whatever_happens_to_it(
    network: Network, figure: Callable[[str], None]
) -> None:
    chance = random.Random(SEED)
    net = star(network, ["east", "west", "north"])
    hub, netns = net.hub, net.hub.host.namespace
    keys = {name: spoke.public_key for name, spoke in net.spokes.items()}
    with Following([hub.name], [netns]) as following:
        for key in keys.values():
            following.wait_for("peer_added", hub.name, key)
        net.shake_hands()
        for key in keys.values():
            first = following.wait_for("peer_handshake_refreshed", hub.name, key)
            assert (first["first"], first["previous"]) == (True, None)

        # Roaming: each move of a real host is one event, and the moves make a chain.
        places = [HOME]
        for move in range(ROAMS):
            places.append((AWAY, HOME)[move % 2])
            net.host("east").move_to(places[-1])
            net.shake_hands("east")
            following.wait_for("peer_endpoint_changed", hub.name, keys["east"], count=len(places))
        moves = following.of("peer_endpoint_changed", hub.name, keys["east"])
        assert chain(moves) == [None, *(f"{place}:51820" for place in places)]

        # Peers that come, change and go, while the real ones talk on.
        guests = [stranger(chance) for _number in range(12)]
        for number, guest in enumerate(guests):
            hub.set_peer(guest, endpoint=f"203.0.113.{number}:51820", allowed_ips=[f"10.77.{number}.0/24"])
        for number, guest in enumerate(guests[:8]):
            hub.set_peer(guest, allowed_ips=[f"10.78.{number}.0/24", "2001:db8::/64"], keepalive=20 + number)
        hub.set_peer(guests[0], preshared_key=generate_preshared_key())
        for guest in guests[8:]:
            hub.remove_peer(guest)
        net.shake_hands()
        hub.remove_peer(keys["west"])
        following.wait_for("peer_removed", hub.name, keys["west"])
        hub.set_peer(
            keys["west"],
            allowed_ips=[f"{net.spokes['west'].tunnel_address}/32"],
            preshared_key=net.preshared_keys["west"],
        )
        following.wait_for_truth(hub, netns)

        # The daemon dies and comes back knowing nobody.
        assert not following.of("watch_degraded", hub.name)
        hub.kill_daemon()
        following.wait_for("interface_removed", hub.name)
        assert following.mirror == {}
        start_again(hub)
        following.wait_for("interface_added", hub.name, count=2)
        for name, spoke in net.spokes.items():
            allowed_ips = [f"{spoke.tunnel_address}/32"]
            hub.set_peer(keys[name], allowed_ips=allowed_ips, preshared_key=net.preshared_keys[name])
            following.wait_for("peer_added", hub.name, keys[name], count=3 if name == "west" else 2)
            # The hub begins: the spokes believe in sessions that are no more.
            hub.set_peer(keys[name], endpoint=spoke.endpoint, keepalive=5)
        for name, key in keys.items():
            again = following.wait_for("peer_handshake_refreshed", hub.name, key, count=2)
            assert (again["first"], again["previous"]) == (True, None), name
        following.wait_for_truth(hub, netns)
    told = [event["type"] for event in following.events]
    assert [event["sequence"] for event in following.events] == list(range(1, len(told) + 1))
    # A look may fall on the very moment of the death, or between a new daemon's link and its socket. No other trouble.
    reasons = [event["reason"] for event in following.events if event["reason"]]
    assert [reason for reason in reasons if not re.search(DYING_OR_BORN, reason)] == []
    assert told.count("watch_degraded") == told.count("watch_recovered")
    handshakes, roams = told.count("peer_handshake_refreshed"), len(moves) - 1
    assert (roams, told.count("interface_removed")) == (ROAMS, 1)
    figure(
        f"real wireguard-go: {following.polls} polls, {handshakes} handshakes, {roams} roams, one daemon killed and started "
        f"again, {len(told)} events; mirror = wg show dump"
    )


# --- bad daemons beside a good one


class Bad:
    """An interface of its own kind of badness: `begin` makes it bad, `end` makes it good again."""

    def __init__(self, name: str, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self.name = name
        self.begin = begin
        self.end = end


@contextmanager
def killed(network: Network) -> Iterator[Bad]:
    interface = network.hosts["hub"].wireguard("10.9.1.1/24", name="bad")
    yield Bad(interface.name, interface.kill_daemon, lambda: start_again(interface))


@contextmanager
def hung(network: Network) -> Iterator[Bad]:
    interface = network.hosts["hub"].wireguard("10.9.1.1/24", name="bad")
    daemon = interface.daemon
    assert daemon is not None
    try:
        yield Bad(
            interface.name,
            lambda: daemon.send_signal(signal.SIGSTOP),
            lambda: daemon.send_signal(signal.SIGCONT),
        )
    finally:
        daemon.send_signal(signal.SIGCONT)  # else it can't be ended


def behaving(behaviour: uapi.Behaviour) -> Callable[[Network], object]:
    """A scripted daemon that was good, behaves like this for a while, and is good again."""

    @contextmanager
    def made(network: Network) -> Iterator[Bad]:
        good = uapi.answers(uapi.device_text(3))
        with uapi.FakeDaemon(SOCKET_FOLDER, f"ww{network.run_id}bad", good) as daemon:
            yield Bad(
                daemon.path.stem,
                lambda: setattr(daemon, "behaviour", behaviour),
                lambda: setattr(daemon, "behaviour", good),
            )
            assert set(daemon.requests) == {uapi.GET}, "a reader only reads"

    return made


LATE = r"did not answer whole within 5 s"
BADNESS = {
    "killed": (killed, None),
    "hung": (hung, LATE),
    "garbage": (behaving(uapi.garbage), "is not of the form key=value"),
    "a byte a second": (behaving(uapi.drips(uapi.device_text(3))), LATE),
    "without end": (behaving(uapi.floods), "bytes without an end|" + LATE),
    "cut off": (behaving(uapi.stops_in_mid_reply(uapi.device_text(3))), "hung up in mid-answer"),
}


@pytest.mark.parametrize(("make", "sentence"), BADNESS.values(), ids=BADNESS)
def test_a_bad_daemon_is_said_once_and_keeps_nobody_from_the_good_one(
    network: Network, make: Callable, sentence: str | None, figure: Callable[[str], None]
) -> None:
    good = network.host("hub").wireguard("10.9.0.1/24", name="good")
    peer = stranger(random.Random(SEED))
    good.set_peer(peer)
    with make(network) as bad, Following([good.name, bad.name]) as following:

        def lively(changes: range) -> None:
            """Each change of the good interface is told before the next is made."""
            for keepalive in changes:
                good.set_peer(peer, keepalive=keepalive)
                wait_for(
                    lambda value=keepalive: (
                        following.of("peer_keepalive_changed", good.name)[-1:]
                        and following.of("peer_keepalive_changed", good.name)[-1]["current"] == value
                    ),
                    20,
                    "the good interface's event",
                )

        begin, over = ("watch_degraded", "watch_recovered") if sentence else ("interface_removed", "interface_added")
        starts = len(following.of(over, bad.name)) if sentence else 1
        following.wait_for("interface_added", bad.name)
        following.wait_for("peer_added", good.name)
        polls = following.polls
        wait_for(lambda: following.polls > polls, 60, "the next poll: this one's events may still be on their way")
        before = following.mirror["here", None, bad.name]["peers"].copy()

        tracemalloc.start()
        try:
            bad.begin()
            lively(range(1, 6))
            event = following.wait_for(begin, bad.name)
            polls = following.polls
            lively(range(6, 11))
            wait_for(lambda: following.polls >= polls + 40, 60, "forty polls of the bad interface")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(following.of(begin, bad.name)) == 1, "it is said once"
        if sentence:
            assert re.search(sentence, event["reason"])
            assert bad.name in event["reason"]
            assert following.mirror["here", None, bad.name]["peers"] == before, "bad is not gone"

        bad.end()
        following.wait_for(over, bad.name, count=starts + 1)
        lively(range(11, 13))
        following.wait_for_truth(good)
        assert len(following.of(begin, bad.name)) == 1
    assert {event["interface"] for event in following.events} == {good.name, bad.name}
    # Beside the answer itself there is little: what was received of one that failed is let go before the next.
    assert peak < REPLY_BYTES + (32 << 20)
    figure(f"{following.polls} polls, 12 of 12 changes beside it told, {peak / (1 << 20):.1f} MiB at most")

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""failover, as it ships, on a gateway with two tunnels to one site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from docs.pages import blocks
from eda.reactions import PATIENCE, React, wait_for_task, write_site
from lab import Host, Interface, Network, Running, generate_keys, wait_for

# An entry as the page has it.
(ENTRY,) = (
    entry
    for text in blocks("docs/reactions.md", "yaml")
    if text.startswith("wirewatch_failover:")
    for entry in yaml.safe_load(text)["wirewatch_failover"]
)
# What lies behind the site, and an address there.
ROUTES = dict(zip(ENTRY["routes"], ["10.20.0.1", "2001:db8:20::1"]))

# Seconds. WireGuard's own would take three minutes to call a tunnel down. With these one is judged by what was received within the
# last six seconds, in which it is kept alive five times, once its handshake is older than 15 + 1 + 1.
TIMERS = {"reject_after": 15, "rekey_timeout": 1, "renewal": 86400, "traffic": 6}
HOLD = 3
HOLDING = "Wait for the tunnel to hold"
TOLD = {"wg_timers": TIMERS, "wg_expected_keepalive": 1}


class Pair(NamedTuple):
    """Two tunnels from a gateway to a site, and where the gateway's routes went over time."""

    gateway: Host
    first: Interface
    second: Interface
    far_first: Interface
    far_second: Interface
    log: Path

    @property
    def entry(self) -> dict[str, Any]:
        """Of `wirewatch_failover`."""
        return {
            **ENTRY,
            "interface": self.first.name,
            "public_key": self.far_first.public_key,
            "other": self.second.name,
            "hold": HOLD,
        }

    def cut(self) -> None:
        """The far end of the first tunnel knows us no more and falls silent; the second tunnel goes on."""
        self.far_first.remove_peer(self.first.public_key)

    def heal(self) -> None:
        """It knows us again, and shakes hands at once."""
        join(self.far_first, self.first)

    def through(self) -> set[str]:
        """The interfaces that the routes go through now."""
        found = (self.gateway.ip(f"-{6 if ':' in route else 4}", "route", "show", route) for route in ROUTES)
        return {line.partition(" dev ")[2].split()[0] for text in found for line in text.splitlines()}

    def moves(self) -> list[str]:
        """The interfaces that the first route was given, one after the other."""
        lines = (line.split() for line in self.log.read_text(encoding="ascii").splitlines())
        return [line[line.index("dev") + 1] for line in lines if next(iter(ROUTES)) in line and "Deleted" not in line]

    def wait_until_through(self, interface: Interface, running: Running) -> None:
        wait_for(lambda: self.through() == {interface.name}, PATIENCE, f"routes on {interface.name}; {running.output}")
        for address in ROUTES.values():
            self.gateway.ping_until_answered(address)


def tunnel(near: Host, far: Host, number: int) -> tuple[Interface, Interface]:
    """Makes both ends of one. The far one keeps it alive, so that only what comes from there shows that it works."""
    ends = [
        host.wireguard(f"10.9.{number}.{last}/24", name=f"{host.name}{number}", listen_port=51820 + number)
        for last, host in enumerate((near, far), 1)
    ]
    for last, end in enumerate(ends, 1):
        end.host.ip("-6", "address", "add", f"2001:db8:9:{number}::{last}/64", "dev", end.name, "nodad")
    ends[0].set_peer(ends[1].public_key, endpoint=ends[1].endpoint, allowed_ips=["0.0.0.0/0", "::/0"])
    join(ends[1], ends[0])
    return ends[0], ends[1]


def join(far: Interface, near: Interface) -> None:
    far.set_peer(near.public_key, endpoint=near.endpoint, allowed_ips=["0.0.0.0/0", "::/0"], keepalive=1)


@pytest.fixture
def pair(network: Network, tmp_path: Path) -> Iterator[Pair]:
    gateway, site = network.host("gw", "192.0.2.1"), network.host("site", "192.0.2.2")
    for address in ROUTES.values():
        site.ip("address", "add", address, "dev", "lo")
    (first, far_first), (second, far_second) = (tunnel(gateway, site, number) for number in (1, 2))
    for route in ROUTES:
        gateway.ip(f"-{6 if ':' in route else 4}", "route", "add", route, "dev", first.name)
    first.set_peer(generate_keys().public)  # a stranger who is never heard of, and has no say in where routes go
    log = tmp_path / "routes"
    log.touch()
    gateway.start(["sh", "-c", f"exec ip monitor route >{log}"])
    first.wait_for_handshake(far_first.public_key)
    second.wait_for_handshake(far_second.public_key)
    yield Pair(gateway, first, second, far_first, far_second, log)


@pytest.fixture
def site(network: Network, pair: Pair) -> Path:
    return write_site(network, {"gw": {"wirewatch_failover": [pair.entry]}})


def test_routes_move_when_their_tunnel_goes_down_and_come_back_when_it_holds(
    pair: Pair, site: Path, reacting: React
) -> None:
    with reacting(pair.gateway, [pair.first]).start("failover", site, **TOLD) as running:
        pair.wait_until_through(pair.first, running)
        pair.cut()
        pair.wait_until_through(pair.second, running)
        pair.heal()
        pair.wait_until_through(pair.first, running)
        (watched,) = (report.result for report in running.reports(HOLDING) if report.status == "ok")
        assert watched["elapsed"] >= HOLD
        assert pair.moves() == [pair.second.name, pair.first.name]


def test_routes_stay_away_from_a_tunnel_that_does_not_hold(network: Network, pair: Pair, reacting: React) -> None:
    """It is down already when the rulebook starts. Then it comes back, only to be gone again before it held for long enough.

    Meanwhile another tunnel, here the second one, is not kept from moving its own routes.
    """
    renew(pair)
    pair.gateway.ip("route", "add", "10.30.0.0/16", "dev", pair.second.name)
    own = {"interface": pair.second.name, "public_key": pair.far_second.public_key, "other": pair.first.name}
    entries = [{**pair.entry, "hold": TIMERS["reject_after"] + 15}, {**pair.entry, **own, "routes": ["10.30.0.0/16"]}]
    both = write_site(network, {"gw": {"wirewatch_failover": entries}})
    with reacting(pair.gateway, [pair.first, pair.second]).start("failover", both, **TOLD) as running:
        pair.wait_until_through(pair.second, running)
        pair.heal()
        # The first time that it is started is the one above, where it is skipped at once.
        wait_for(
            lambda: len([one for one in running.tasks if one.task == HOLDING and one.status == "started"]) > 1,
            PATIENCE,
            HOLDING,
        )
        pair.second.remove_peer(pair.far_second.public_key)
        wait_for(
            lambda: pair.first.name in pair.gateway.ip("route", "show", "10.30.0.0/16"), PATIENCE, "its routes to move"
        )
        assert len(running.reports(HOLDING)) == 2, "it waited until the first tunnel had held"
        pair.cut()
        _skipped, _other, watched = wait_for_task(running, HOLDING, 3)
        assert watched.result["satisfied"], watched  # it was seen to be down
        # By the playbook. The rulebook looks for itself, and does nothing for a tunnel that is up again if it never saw it down.
        wait_for_task(running, "Ask where the routes go", 5)
        pair.heal()
        pair.wait_until_through(pair.first, running)
        assert pair.moves() == [pair.second.name, pair.first.name]


def test_in_check_mode_routes_are_left_alone(pair: Pair, site: Path, reacting: React) -> None:
    renew(pair)
    with reacting(pair.gateway, [pair.first]).start("failover", site, wirewatch_check=True, **TOLD) as running:
        (said,) = wait_for_task(running, "Say what is done")
        what = f"would move {', '.join(ROUTES)} to {pair.second.name}: {pair.first.name} is never"
        assert said.result["msg"] == f"gw: {what}"
        (moved,) = wait_for_task(running, "Move the routes")
        assert moved.status == "skipped"
        assert pair.through() == {pair.first.name}


def renew(pair: Pair) -> None:
    """The first tunnel as after a restart of the gateway, with its far end gone."""
    pair.cut()
    far = pair.far_first
    pair.first.remove_peer(far.public_key)
    pair.first.set_peer(far.public_key, endpoint=far.endpoint, allowed_ips=["0.0.0.0/0", "::/0"])

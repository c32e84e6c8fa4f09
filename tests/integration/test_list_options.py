# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list may be given as one text, names with commas between them: no other way is there on a command line without JSON."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from eda.reactions import play_of
from lab.player import Player

KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
DOWN = {"interface": "wg0", "public_key": KEY, "current": "down"}


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "inventory"
    line = f"ansible_connection=local ansible_python_interpreter={sys.executable}\n"
    path.write_text("".join(f"{host} {line}" for host in ("gw1", "gw2", "gw3")), encoding="utf-8")
    return path


def role(name: str) -> str:
    return yaml.safe_dump([{"hosts": "all", "gather_facts": False, "roles": [f"wirewatch.wireguard.{name}"]}])


@pytest.mark.parametrize(
    ("hosts", "pairs"),
    [
        ("mesh_check_hosts=gw1", []),
        ("mesh_check_hosts=gw1,gw2", ["gw1 gw2"]),
        ("mesh_check_hosts='gw1, gw2,'", ["gw1 gw2"]),
        ('{"mesh_check_hosts": ["gw1", "gw3"]}', ["gw1 gw3"]),
    ],
)
def test_hosts_of_a_mesh(play: Player, inventory: Path, tmp_path: Path, hosts: str, pairs: list[str]) -> None:
    # An interface that no host has: all that is found is that none is the other's peer.
    options = {"mesh_check_interfaces": ["nosuch*"], "mesh_check_full_mesh": True, "mesh_check_fail": False}
    run = play(inventory, role("mesh_check"), "--extra-vars", hosts, variables=options)
    rows = run.result("wirewatch.wireguard.mesh_check : Keep the table", "gw1")["ansible_facts"]["mesh_check_pairs"]
    assert [f"{row['host']} {row['peer_host']}" for row in rows] == pairs, rows
    assert {row["problem"] for row in rows} <= {"missing on both sides"}


def test_a_host_of_a_mesh_that_is_none(play: Player, inventory: Path) -> None:
    run = play(inventory, role("mesh_check"), "--extra-vars", "mesh_check_hosts=gw1,gw9", fails=True)
    assert "mesh_check_hosts names gw9, and the inventory has no such host" in run.output


def test_capabilities_of_the_publisher(play: Player, inventory: Path, tmp_path: Path) -> None:
    sink = {"type": "webhook", "url": "https://localhost/"}
    options = {"root": str(tmp_path / "root"), "client": "none", "sink": sink}
    play(
        *(inventory, role("event_publisher"), "--limit", "gw1"),
        *("--extra-vars", "event_publisher_capabilities=CAP_NET_ADMIN,CAP_SYS_ADMIN"),
        variables={f"event_publisher_{name}": value for name, value in options.items()},
    )
    unit = (tmp_path / "root/etc/systemd/system/wirewatch-publisher.service").read_text(encoding="utf-8").splitlines()
    assert "AmbientCapabilities=CAP_NET_ADMIN CAP_SYS_ADMIN" in unit
    assert "CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_ADMIN" in unit


@pytest.mark.parametrize("listed", [False, True])
def test_addresses_and_the_command_of_notify(play: Player, inventory: Path, tmp_path: Path, listed: bool) -> None:
    taken = tmp_path / "taken"
    sendmail = tmp_path / "sendmail"
    sendmail.write_text(f'#!/bin/sh\n{{ printf "%s|" "$@"; echo; cat; }} >{taken}\n', encoding="utf-8")
    sendmail.chmod(0o700)
    addresses = ["one@example.org", "two@example.org"]
    given = {
        "wirewatch_notify_file": str(tmp_path / "notify.json"),
        "wirewatch_mail": addresses if listed else ", ".join(addresses),
        "wirewatch_sendmail": [str(sendmail), "-i"] if listed else f"{sendmail} -i",
    }
    play(inventory, play_of("notify", "gw1", **DOWN), variables=given)
    arguments, to = taken.read_text(encoding="utf-8").splitlines()[:2]
    assert arguments == "-i|one@example.org|two@example.org|"
    assert to == "To: one@example.org, two@example.org"


@pytest.mark.parametrize("routes", ["192.0.2.0/25, 2001:db8::/48", ["192.0.2.0/25", "2001:db8::/48"], "192.0.2.0/25"])
def test_routes_of_failover(play: Player, inventory: Path, routes: str | list[str]) -> None:
    """In check mode: the kernel is asked where they go, which is nowhere, and nothing is moved."""
    pair = {"interface": "wg0", "public_key": KEY, "other": "wg1", "routes": routes}
    run = play(inventory, play_of("failover", "gw1", **DOWN), "--check", variables={"wirewatch_failover": [pair]})
    named = routes if isinstance(routes, str) else ", ".join(routes)
    assert f"gw1: would move {named} to wg1: wg0 is down" in run.output

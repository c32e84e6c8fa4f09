# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service that the role installs, run by a real systemd with all that its unit asks for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel.systemd import INTERFACE, PATIENCE, PORT, UNIT, Systemd, systemd
from lab import generate_keys, wait_for
from lab.commands import run
from lab.webhook import Server, serving


@pytest.fixture
def interface() -> Iterator[str]:
    """In the machine's own namespace, where its services are."""
    run(["ip", "link", "add", INTERFACE, "type", "wireguard"])
    yield INTERFACE
    run(["ip", "link", "delete", INTERFACE])


def heard(server: Server) -> list[dict[str, Any]]:
    """All events so far, each once: what was being told when the service was killed comes again, with the same uuid."""
    return list({one["meta"]["uuid"]: one["wireguard"] for one in list(server.events)}.values())


def wait_until_told(server: Server, machine: Systemd, count: int) -> list[tuple[Any, ...]]:
    """Waits for so many events; all of them, as their type, whether they are inventory, and their peer."""
    wait_for(lambda: len(heard(server)) >= count, PATIENCE, f"{count} events; the service said: {machine.log}")
    return [(event["type"], event["initial"], event["public_key"]) for event in heard(server)]


@pytest.mark.own_machine
def test_the_service_starts_tells_lives_comes_back_and_stops_under_a_real_systemd(
    interface: str, tmp_path: Path
) -> None:
    peer = generate_keys().public
    with serving(port=PORT) as server, systemd(tmp_path) as machine:
        # A job ends once the service said that it is ready.
        machine.run("systemctl", "start", UNIT)
        assert machine.run("systemctl", "is-active", UNIT) == "active", machine.log
        assert wait_until_told(server, machine, 1) == [("interface_added", True, None)]
        # Which it read from its credentials.
        assert {headers["authorization"] for _path, headers, _body in server.posted} == {f"Bearer {machine.token}"}

        main = machine.show("MainPID")
        facts = dict(line.split(":\t", 1) for line in machine.run("cat", f"/proc/{main}/status").splitlines())
        assert int(facts["Uid"].split()[0]) > 60_000, "a user that exists while it runs: of systemd's own range"
        assert {int(facts[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {1 << 12}
        assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
        group = machine.show("ControlGroup")
        assert machine.run("cat", f"/sys/fs/cgroup{group}/memory.max") == str(128 << 20)

        fed = int(machine.show("WatchdogTimestampMonotonic"))
        wait_for(lambda: int(machine.show("WatchdogTimestampMonotonic")) > fed, PATIENCE, "the watchdog to be fed")

        # Killed, it comes back, and knows what it told: no inventory, but what changed meanwhile.
        run(["wg", "set", interface, "peer", peer])
        assert wait_until_told(server, machine, 2)[1:] == [("peer_added", False, peer)]
        machine.run("kill", f"-{signal.SIGKILL.value}", main)
        wait_for(lambda: machine.show("ActiveState") == "activating", PATIENCE, "systemd to see that it was killed")
        run(["wg", "set", interface, "peer", peer, "remove"])
        assert wait_until_told(server, machine, 3)[2:] == [("peer_removed", False, peer)]
        assert machine.run("systemctl", "is-active", UNIT) == "active", machine.log
        assert machine.show("NRestarts") == "1"
        assert machine.show("MainPID") != main

        machine.run("systemctl", "stop", UNIT)
        ended = [machine.show(name) for name in ("ActiveState", "Result", "ExecMainStatus")]
        assert ended == ["inactive", "success", "0"], machine.log
        (state,) = machine.run("find", "/var/lib/private/wirewatch-publisher/", "-name", "state.db").split()
        assert machine.run("stat", "--format=%a", os.path.dirname(state)) == "700"
        assert machine.token not in machine.log
    assert len(heard(server)) == 3

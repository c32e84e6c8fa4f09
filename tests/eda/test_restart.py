# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`initial: resume` over real restarts of the real ansible-rulebook, SIGKILL included."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from ansible_collections.wirewatch.wireguard.plugins.module_utils._state import MAGIC
from eda.rulebooks import fired, wait_for_rule, write_rulebook
from lab import Ansible, Network, Running, star, wait_for, write_inventory


def wait_until_written(running: Running, state_file: Path, *peers: str) -> None:
    """Waits until a SIGKILL would leave on disk that these peers were told, and nothing that is to be told again."""

    def written() -> bool:
        if running.returncode is not None:
            raise running.failed("ended before it wrote the state file.")
        # A copy, since the source keeps the file locked.
        try:
            with TemporaryDirectory() as folder:
                for suffix in ("", "-wal"):
                    shutil.copy(f"{state_file}{suffix}", f"{folder}/copy{suffix}")
                with closing(sqlite3.connect(f"{folder}/copy")) as connection:
                    told = {key for (key,) in connection.execute("SELECT public_key FROM facts")}
                    telling = connection.execute("SELECT sequence FROM telling").fetchall()
        except (OSError, sqlite3.Error):
            return False  # it is not there yet, or was written to while it was copied
        return told.issuperset(peers) and not telling

    wait_for(written, 30, f"{state_file.name} to hold what was told")


def test_after_a_sigkill_what_changed_in_between_is_told_and_nothing_else(
    ansible: Ansible, network: Network, tmp_path: Path
) -> None:
    net = star(network, ["east", "west", "north"])
    east, west, north = (net.spokes[name].public_key for name in ("east", "west", "north"))
    state_file = tmp_path / "state.db"
    arguments = {
        "interfaces": [net.hub.name],
        "netns": [net.hub.host.namespace],
        "interval": 0.25,
        "initial": "resume",
        "state_file": str(state_file),
    }
    rulebook, inventory = write_rulebook(tmp_path, arguments), write_inventory(network)
    with ansible.rulebook(rulebook, inventory) as running:
        for key in (east, west, north):
            wait_for_rule(running, "peer_added", public_key=key, initial="True")
        wait_until_written(running, state_file, east, west, north)
        running.kill()

    net.hub.remove_peer(east)
    net.hub.set_peer(west, endpoint="192.0.2.12:40000")

    with ansible.rulebook(rulebook, inventory) as running:
        wait_for_rule(running, "peer_endpoint_changed", public_key=west)
        # A mark: what comes before it is all that the restart told.
        net.hub.set_peer(north, keepalive=25)
        wait_for_rule(running, "peer_keepalive_changed", public_key=north)
        told = [(one.type, one.public_key, one.initial) for one in fired(running)]
    assert told[:-1] == [
        ("peer_removed", east, "False"),
        ("peer_endpoint_changed", west, "False"),
    ]


def test_a_damaged_state_file_is_told_of_and_put_aside(ansible: Ansible, network: Network, tmp_path: Path) -> None:
    net = star(network, ["east"])
    state_file = tmp_path / "state.db"
    state_file.write_bytes(MAGIC + b"and then the disk broke " * 100)
    arguments = {
        "interfaces": [net.hub.name],
        "netns": [net.hub.host.namespace],
        "initial": "resume",
        "state_file": str(state_file),
    }
    with ansible.rulebook(write_rulebook(tmp_path, arguments), write_inventory(network)) as running:
        wait_for_rule(running, "peer_added", public_key=net.spokes["east"].public_key, initial="True")
        (degraded,) = [one for one in fired(running) if one.type == "watch_degraded"]
    assert f"{state_file}.damaged" in degraded.reason
    assert Path(f"{state_file}.damaged").exists()

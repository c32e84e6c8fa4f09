# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the real ansible-rulebook fire on what wirewatch.pyz posts to its webhook, as they do beside the event source."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import yaml
from eda.rulebooks import PATIENCE_WITH_PAUSE, fired, wait_for_rule, write_rulebook
from lab import Ansible, Network, star, write_inventory
from lab.private import write_private

TOKEN = "a token without spaces".replace(" ", "-")


def test_rules_fire_on_what_is_posted_and_on_what_happened_while_the_rulebook_was_away(
    ansible: Ansible, network: Network, zipapp: Path, tmp_path: Path
) -> None:
    net = star(network)
    east = net.spokes["east"].public_key
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    source = {"host": "127.0.0.1", "port": port, "token": TOKEN}
    rulebook = write_rulebook(tmp_path, {})
    (ruleset,) = yaml.safe_load(rulebook.read_text(encoding="utf-8"))
    splitter = {"eda.builtin.event_splitter": {"splitter_key": "payload.events"}}
    ruleset["sources"] = [{"eda.builtin.webhook": source, "filters": [splitter]}]
    rulebook.write_text(yaml.safe_dump([ruleset], sort_keys=False), encoding="utf-8")

    token_file = write_private(tmp_path / "token", TOKEN)
    command = [sys.executable, zipapp, "watch", net.hub.name, "--netns", net.hub.host.namespace, "--interval", "0.1"]
    command += ["--sink", "webhook", "--url", f"http://127.0.0.1:{port}/wireguard", "--token-file", token_file]
    with subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True) as process:
        try:
            inventory = write_inventory(network)
            with ansible.rulebook(rulebook, inventory) as running:
                wait_for_rule(running, "peer_added", PATIENCE_WITH_PAUSE, public_key=east, initial="True")
                net.shake_hands("east")
                wait_for_rule(running, "peer_state_changed", public_key=east, previous="never", current="up")
            net.hub.remove_peer(east)
            with ansible.rulebook(rulebook, inventory) as running:
                wait_for_rule(running, "peer_removed", PATIENCE_WITH_PAUSE, public_key=east)
                assert "peer_added" not in [one.type for one in fired(running)]
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A publisher whose token the rulebook's webhook does not take says so, gives up in the end, and loses nothing by it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from collection import CHECKOUT
from eda.rulebooks import PATIENCE_WITH_PAUSE
from eda.test_lift import free_port
from fleet.publishing import Publishing, hurried, wait_for_sentence
from lab import Ansible, Network, star, wait_for
from lab.private import write_private

HOST = "gw1"
TRIES = 10  # of what is refused, then the publisher ends
PAUSE, WHOLE_PAUSE = 1.0, 60.0  # seconds between two of them
REFUSED = '"POST /wireguard HTTP/1.1" 401'  # in the access log of the webhook


def test_a_wrong_token_is_said_and_given_up_and_the_right_one_brings_all_of_it(
    ansible: Ansible, network: Network, zipapp: Path, tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    """It is put right while the publisher runs, is wrong again, and is put right for the next run."""
    net = star(network)
    east, west = (net.spokes[name].public_key for name in ("east", "west"))
    # Of digits alone, which the templates of ansible-rulebook would make a number of.
    right, wrong, port = str(10**31 + secrets.randbelow(10**31)), secrets.token_hex(16), free_port()
    token = write_private(tmp_path / "token", wrong)
    url = f"http://127.0.0.1:{port}/wireguard"
    pause = WHOLE_PAUSE if full else PAUSE
    publisher = Publishing(
        zipapp if full else hurried(zipapp, tmp_path, PAUSE),
        tmp_path,
        HOST,
        net.hub,
        {"type": "webhook", "url": url, "token_file": str(token)},
    )
    rulebook, inventory = CHECKOUT / "extensions/eda/rulebooks/fleet_webhook.yml", tmp_path / "inventory"
    inventory.write_text("localhost\n", encoding="ascii")
    variables = {"webhook_port": port, "webhook_token": right}
    with ansible.rulebook(rulebook, inventory, "--verbose", variables=variables) as rules:

        def removed(peer: str) -> int:
            return rules.output.count(f"{HOST}: {peer} was removed from {net.hub.name}")

        with publisher.start() as running:
            # At first nobody listens.
            said = wait_for_sentence(running, f"The webhook {url} answers 401", PATIENCE_WITH_PAUSE)
            assert "it does not take our token, signature or certificate" in said
            assert f"{HOST} is watched" not in rules.output
            write_private(token, right)
            wait_for_sentence(running, "takes events again after", PATIENCE_WITH_PAUSE + pause)
            rules.wait_for_output(f"{HOST} is watched: interface {net.hub.name}", PATIENCE_WITH_PAUSE)

            before = rules.output.count(REFUSED)
            write_private(token, wrong)
            net.hub.remove_peer(east)
            assert running.wait(PATIENCE_WITH_PAUSE + pause * TRIES) == 3
            # The log is of another process, which may write it a moment after it answered.
            wait_for(
                lambda: rules.output.count(REFUSED) - before >= TRIES,
                PATIENCE_WITH_PAUSE,
                f"{TRIES} refusals in its log",
            )
            refused = rules.output.count(REFUSED) - before
            assert refused == TRIES
            lines = [line for line in running.output.splitlines() if "answers 401" in line]
            assert len(lines) == 3, "once each time that it is wrong, and once at the end"
            assert lines[2] == f"{said}. It was tried for minutes, and is given up"
            assert (right in running.output, wrong in running.output) == (False, False)
        net.hub.remove_peer(west)
        assert removed(east) == 0
        write_private(token, right)
        with publisher.start() as running:
            wait_for(lambda: removed(east) and removed(west), PATIENCE_WITH_PAUSE, "both removals to be told")
        assert (removed(east), removed(west)) == (1, 1)
        assert rules.output.count(f"{HOST} is watched") == 1
    figure(f"{refused} tries with a wrong token, then it ended; 0 lost")

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""roam_log and notify, as they ship, on a real network: what is written down, and who is told."""

from __future__ import annotations

import json
import secrets
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from docs.pages import blocks
from eda.mailbox import Mailbox
from eda.reactions import PATIENCE, Inbox, React, listen_in, wait_for_task, write_site
from lab import Network, Star, star, wait_for
from lab.commands import tool

# What the page says that is written, and posted.
LINE, POST = (json.loads(text) for text in blocks("docs/reactions.md", "json"))

# A name that would be a second line, and a command, for who takes it for more than a name.
NASTY = 'office\n{"forged": true}\'; touch /tmp/made "Büro"'


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_each_move_of_a_peer_is_one_line_of_the_log(network: Network, reacting: React, tmp_path: Path) -> None:
    net = star(network, ["office"])
    office, log = net.spokes["office"].public_key, tmp_path / "log/roaming.jsonl"
    inventory = write_site(network, {"hub": {"wirewatch_roam_log": str(log)}})
    told = {"wg_names": {office: NASTY}, "wg_state_file": str(tmp_path / "state.db")}
    reaction = reacting(net.hub.host, [net.hub])
    with reaction.start("roam_log", inventory, **told):
        net.shake_hands()
        wait_for(lambda: len(lines(log)) == 1, PATIENCE, "the first endpoint to be logged")
        net.host("office").move_to("192.0.2.77")
        net.shake_hands()
        wait_for(lambda: len(lines(log)) == 2, PATIENCE, "the move to be logged")
    assert log.stat().st_mode & 0o777 == 0o600
    # And what happens while nobody looks is logged by the next run. No late packet of the office is to undo it.
    net.host("office").unplug()
    net.hub.set_peer(office, endpoint="198.51.100.4:40000")
    variables = {"wg_host": "hub", "wg_interfaces": [net.hub.name], **told}
    with reaction.ansible.rulebook(Path("wirewatch.wireguard.roam_log"), inventory, variables=variables) as running:
        wait_for(lambda: len(lines(log)) == 3, PATIENCE, f"the change to be logged; {running.output}")
    places = [None, "192.0.2.11:51820", "192.0.2.77:51820", "198.51.100.4:40000"]
    assert [(line["from"], line["to"]) for line in lines(log)] == list(zip(places, places[1:]))
    assert {tuple(line) for line in lines(log)} == {tuple(LINE)}
    same = {(line["host"], line["interface"], line["public_key"], line["name"]) for line in lines(log)}
    assert same == {("hub", net.hub.name, office, NASTY)}


def test_in_check_mode_nothing_is_logged(network: Network, reacting: React, tmp_path: Path) -> None:
    net = star(network, ["office"])
    log = tmp_path / "roaming.jsonl"
    inventory = write_site(network, {"hub": {"wirewatch_roam_log": str(log)}})
    told = {"wirewatch_check": True, "wg_state_file": str(tmp_path / "state.db")}
    with reacting(net.hub.host, [net.hub]).start("roam_log", inventory, **told) as running:
        net.shake_hands()
        (appended,) = wait_for_task(running, "Append a line")
        assert appended.status == "changed"
    assert not log.exists()


# Seconds. A peer is judged by what was received within the last three, once its handshake is older than 4 + 1 + 1.
TIMERS = {"reject_after": 4, "rekey_timeout": 1, "renewal": 86400, "traffic": 3}
DEBOUNCE = 2
TOKEN = secrets.token_hex(16)


def silence(net: Star) -> None:
    """The office knows the hub no more."""
    net.spokes["office"].remove_peer(net.hub.public_key)


def speak(net: Star) -> None:
    """The office knows the hub, and sends to it each second."""
    allowed = [f"{net.hub.tunnel_address}/32"]
    net.spokes["office"].set_peer(net.hub.public_key, endpoint=net.hub.endpoint, allowed_ips=allowed, keepalive=1)


def told(net: Star, folder: Path, **more: Any) -> dict[str, Any]:
    """To the rulebook."""
    names = {net.spokes["office"].public_key: NASTY}
    state = str(folder / "state.db")
    return {
        "wg_names": names,
        "wg_expected_keepalive": 1,
        "wg_timers": TIMERS,
        "wg_debounce": DEBOUNCE,
        "wg_state_file": state,
        **more,
    }


def test_who_goes_down_is_told_of_by_mail_and_webhook_and_again_when_up(
    network: Network, reacting: React, tmp_path: Path
) -> None:
    net = star(network, ["office"], preshared=False)
    office = net.spokes["office"].public_key
    name = NASTY.replace("\n", " ")
    with Inbox(net.hub.host) as inbox, Mailbox(listen_in(net.hub.host)) as mailbox:
        settings = {
            "wirewatch_mail": ["ops@example.org", "boss@example.org"],
            "wirewatch_sendmail": [
                tool("msmtp"),
                "--host=127.0.0.1",
                f"--port={mailbox.port}",
                "--from=hub@example.org",
            ],
            "wirewatch_webhook": inbox.url,
            "wirewatch_webhook_token": TOKEN,
            "wirewatch_notify_file": str(tmp_path / "notify.json"),
        }
        inventory = write_site(network, {"hub": settings})
        with reacting(net.hub.host, [net.hub]).start("notify", inventory, "-vv", **told(net, tmp_path)) as running:
            speak(net)
            net.hub.wait_for_handshake(office)
            silence(net)
            silent_at = time.time()
            (down,) = inbox.wait_for()
            speak(net)
            net.hub.wait_for_handshake(office, newer_than=int(silent_at))
            _down, up = inbox.wait_for(2)
            longest = time.time() - silent_at
        shown = running.output + json.dumps([report.result for report in running.tasks])

    assert set(down) == set(up) == set(POST)
    about = {"host": "hub", "interface": net.hub.name, "public_key": office, "name": NASTY}
    assert down.items() >= {**about, "state": "down", "outage": None}.items()
    assert down["text"] == f"hub: {name} on {net.hub.name} is down since {down['since']}"
    assert up.items() >= {**about, "state": "up"}.items()
    assert 0 < up["outage"] <= longest
    assert up["text"].startswith(f"hub: {name} on {net.hub.name} is up again, it was down for 0 h 00 min ")
    assert {headers["Authorization"] for headers in inbox.headers} == {f"Bearer {TOKEN}"}
    assert TOKEN not in shown
    assert inbox.url not in shown

    mails = mailbox.mails
    assert [mail.recipients for mail in mails] == [["ops@example.org", "boss@example.org"]] * 2
    assert [mail.message.get_content().rstrip() for mail in mails] == [down["text"], up["text"]]
    assert [mail.message["Subject"] for mail in mails] == [post["text"].replace("ü", "?") for post in (down, up)]
    assert {mail.message["Bcc"] for mail in mails} == {None}


def wait_until_down(net: Star) -> None:
    """By what wg(8) says and the timers above, whatever a rulebook makes of it."""
    office = net.spokes["office"].public_key
    seen, since = "", time.monotonic()

    def silent() -> bool:
        nonlocal seen, since
        received = net.hub.show("transfer")[office].split()[0]
        if received != seen:
            seen, since = received, time.monotonic()
        return time.monotonic() - since > TIMERS["traffic"] + 0.5 and time.time() - net.hub.handshake_of(office) > 7.5

    wait_for(silent, PATIENCE, "the peer to be silent for so long that it is down")


def settings(inbox: Inbox, folder: Path, **more: Any) -> dict[str, dict[str, Any]]:
    """For the hub, by webhook alone."""
    return {"hub": {"wirewatch_webhook": inbox.url, "wirewatch_notify_file": str(folder / "notify.json"), **more}}


def record(folder: Path) -> dict[str, Any]:
    """What is written down of the only peer; of none, where there is nothing yet."""
    path = folder / "notify.json"
    (one,) = json.loads(path.read_text(encoding="utf-8")) if path.exists() else [{}]
    return dict(one)


def test_who_is_down_for_less_than_the_debounce_is_not_told_of(
    network: Network, reacting: React, tmp_path: Path
) -> None:
    net = star(network, ["office"], preshared=False)
    office = net.spokes["office"].public_key
    with Inbox(net.hub.host) as inbox:
        inventory = write_site(network, settings(inbox, tmp_path))
        variables = told(net, tmp_path, wg_debounce=10)
        with reacting(net.hub.host, [net.hub]).start("notify", inventory, **variables):
            speak(net)
            net.hub.wait_for_handshake(office)
            silence(net)
            wait_until_down(net)
            before = net.hub.handshake_of(office)
            speak(net)
            net.hub.wait_for_handshake(office, newer_than=before)
            silence(net)
            silent_at = time.time()
            (down,) = inbox.wait_for()
    assert datetime.fromisoformat(down["since"].replace("Z", "+00:00")).timestamp() > silent_at + 10


def test_who_goes_down_again_too_soon_is_told_of_later(network: Network, reacting: React, tmp_path: Path) -> None:
    throttle = 40
    net = star(network, ["office"], preshared=False)
    with Inbox(net.hub.host) as inbox:
        inventory = write_site(network, settings(inbox, tmp_path, wirewatch_notify_throttle=throttle))
        variables = told(net, tmp_path, wg_heartbeat=10)
        with reacting(net.hub.host, [net.hub]).start("notify", inventory, **variables) as running:
            speak(net)
            net.hub.wait_for_handshake(net.spokes["office"].public_key)
            silence(net)
            inbox.wait_for()
            first_at = time.monotonic()
            speak(net)
            inbox.wait_for(2)
            silence(net)
            held = {"state": "down", "told": "up"}.items()
            wait_for(
                lambda: record(tmp_path).items() >= held, PATIENCE, f"the outage to be held back; {running.output}"
            )
            down, up, again = inbox.wait_for(3)
            assert time.monotonic() - first_at > throttle - 5  # the time that a playbook takes before it posts
    assert [post["state"] for post in (down, up, again)] == ["down", "up", "down"]
    assert again["since"] > up["since"]


def test_what_was_not_delivered_is_told_again_and_a_restart_forgets_nothing(
    network: Network, reacting: React, tmp_path: Path
) -> None:
    net = star(network, ["office"], preshared=False)
    office = net.spokes["office"].public_key
    variables = told(net, tmp_path, wg_heartbeat=5)
    reaction = reacting(net.hub.host, [net.hub])
    with Inbox(net.hub.host, status=503) as inbox:
        inventory = write_site(network, settings(inbox, tmp_path))
        with reaction.start("notify", inventory, **variables) as running:
            speak(net)
            net.hub.wait_for_handshake(office)
            silence(net)
            running.wait_for_report("Complain of what could not be delivered", "failed", PATIENCE)
            assert record(tmp_path).items() >= {"state": "down", "told": "up"}.items()
            inbox.status = 200
            down = {"state": "down", "told": "down"}.items()
            wait_for(lambda: record(tmp_path).items() >= down, PATIENCE, f"it to be told; {running.output}")
            count = len(inbox.posts)
            assert count > 1
            assert inbox.url not in running.output
        before = net.hub.handshake_of(office)
        speak(net)
        net.hub.wait_for_handshake(office, newer_than=before)
        variables |= {"wg_host": "hub", "wg_interfaces": [net.hub.name]}
        with reaction.ansible.rulebook(Path("wirewatch.wireguard.notify"), inventory, variables=variables) as running:
            up = inbox.wait_for(count + 1)[-1]
    assert {post["since"] for post in inbox.posts[:count]} == {inbox.posts[0]["since"]}
    assert up["state"] == "up"
    assert up["outage"] > 0


def test_in_check_mode_nobody_is_told(network: Network, reacting: React, tmp_path: Path) -> None:
    net = star(network, ["office"], preshared=False)
    with Inbox(net.hub.host) as inbox:
        made = {
            "wirewatch_mail": ["ops@example.org"],
            "wirewatch_sendmail": ["touch", str(tmp_path / "sent")],
        }
        inventory = write_site(network, settings(inbox, tmp_path, **made))
        variables = told(net, tmp_path, wirewatch_check=True)
        with reacting(net.hub.host, [net.hub]).start("notify", inventory, **variables) as running:
            speak(net)
            net.hub.wait_for_handshake(net.spokes["office"].public_key)
            silence(net)
            running.wait_for_report("Write down what was told", "changed", PATIENCE)
            said = running.reports("Say what is told")[-1]
            statuses = [running.reports(f"Tell by {way}")[-1].status for way in ("mail", "webhook")]
        assert " is down since " in said.result["results"][0]["msg"]
        assert statuses == ["skipped", "skipped"]
        assert inbox.posts == []
    assert not (tmp_path / "sent").exists()
    assert not (tmp_path / "notify.json").exists()

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wirewatch.pyz as a process, on real networks: what it prints, posts, remembers, and how it ends."""

from __future__ import annotations

import http.server
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._mirror import apply
from integration.following import Mirror, dump, mirrored
from lab import Network, Star, star, wait_for

PATIENCE = 30.0  # seconds
SEED = 20261125

Envelope = dict[str, Any]


class Process:
    """The command until its block ends; what it prints and says goes to files."""

    def __init__(self, zipapp: Path, folder: Path, *arguments: object) -> None:
        self._command = [sys.executable, str(zipapp), *map(str, arguments)]
        self._output = folder / "output"
        self._said = folder / "said"

    def __enter__(self) -> Process:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        with self._output.open("ab") as output, self._said.open("ab") as said:
            self.process = subprocess.Popen(self._command, stdout=output, stderr=said, env=environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def lines(self) -> list[str]:
        text = self._output.read_text(encoding="utf-8")
        return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]

    @property
    def said(self) -> str:
        return self._said.read_text(encoding="utf-8")

    @property
    def envelopes(self) -> list[Envelope]:
        return [json.loads(line) for line in self.lines]

    def wait_for(self, true: Callable[[], Any], what: str) -> Any:
        def true_or_ended() -> Any:
            assert self.process.poll() is None, self.said
            return true()

        return wait_for(true_or_ended, PATIENCE, what)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Its exit code, and the seconds that it took to end."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE), time.monotonic() - began


def fold(envelopes: Sequence[Envelope], unique: bool = False) -> Mirror:
    mirror: Mirror = {}
    seen = set()
    for envelope in envelopes:
        if not unique or envelope["meta"]["uuid"] not in seen:
            apply(mirror, json.loads(json.dumps(envelope["wireguard"])))
        seen.add(envelope["meta"]["uuid"])
    return mirror


def where(net: Star) -> list[str]:
    """Arguments that watch the hub from outside of its namespace."""
    return [net.hub.name, "--netns", net.hub.host.namespace, "--host", "here", "--interval", "0.05"]


def is_true(net: Star, envelopes: Sequence[Envelope]) -> bool:
    return mirrored(fold(envelopes), net.hub.name, net.hub.host.namespace) == dump(net.hub)


@pytest.fixture
def net(network: Network) -> Star:
    return star(network)


# --- watch


def test_lines_of_json_lead_to_what_wg_shows(zipapp: Path, net: Star, tmp_path: Path) -> None:
    with Process(zipapp, tmp_path, "watch", *where(net)) as running:
        running.wait_for(lambda: is_true(net, running.envelopes), "the inventory")
        net.shake_hands()
        net.host("east").move_to("198.51.100.4")
        net.shake_hands("east")
        net.hub.remove_peer(net.spokes["west"].public_key)
        running.wait_for(lambda: is_true(net, running.envelopes), "the end of the history")
        status, seconds = running.end()
        assert (status, running.said) == (0, "")
        assert seconds < 15
        assert [one["wireguard"]["sequence"] for one in running.envelopes] == list(range(1, len(running.lines) + 1))
        assert len({one["meta"]["uuid"] for one in running.envelopes}) == len(running.lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_lines_for_people_say_what_happened(zipapp: Path, net: Star, tmp_path: Path, number: int) -> None:
    name = ["--name", f"{net.spokes['east'].public_key}=office"]
    with Process(zipapp, tmp_path, "watch", "--pretty", *name, *where(net)) as running:
        place = f"Z here {net.hub.host.namespace}/{net.hub.name} office "
        running.wait_for(lambda: any(f"{place}is there, never" in line for line in running.lines), "the inventory")
        net.shake_hands("east")
        running.wait_for(lambda: any(f"{place}came up (was never)" in line for line in running.lines), "the state")
        net.host("east").move_to("198.51.100.4")
        net.shake_hands("east")
        roamed = f"{place}roamed 192.0.2.11:51820 -> 198.51.100.4:51820\n"
        running.wait_for(lambda: any(line.endswith(roamed) for line in running.lines), "the roam")
        assert running.end(number)[0] == 0
        assert running.said == ""


def test_the_reader_of_a_quiet_watch_leaves_and_it_ends(zipapp: Path, net: Star) -> None:
    command = [sys.executable, str(zipapp), "watch", *where(net)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["wireguard"]["type"] == "interface_added"
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == ""


# --- show


def test_show_is_what_wg_shows_and_the_state_and_no_secret(zipapp: Path, net: Star, secrets_file: Path) -> None:
    net.shake_hands("east")
    east, west = (net.spokes[name].public_key for name in ("east", "west"))
    command = [sys.executable, zipapp, "show", "--netns", net.hub.host.namespace, "--name", f"{east}=office"]
    done = subprocess.run(map(str, command), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    device, *peers = done.stdout.split("\n\n")
    assert device.startswith(f"interface: {net.hub.name} (namespace {net.hub.host.namespace})\n")
    assert f"  public key: {net.hub.public_key}\n  private key: (hidden)\n  listening port: 51820\n" in device
    shown = {peer.split()[1]: peer for peer in peers}
    assert set(shown) == {east, west}
    assert "\n  name: office\n  state: up\n  preshared key: (hidden)\n  endpoint: 192.0.2.11:51820\n" in shown[east]
    assert "\n  latest handshake: " in shown[east] and "\n  transfer: " in shown[east]
    assert "\n  state: never\n" in shown[west]
    for secret in secrets_file.read_text().split():
        assert secret not in done.stdout


def test_show_of_nothing_says_what_there_is(zipapp: Path, net: Star) -> None:
    command = [sys.executable, zipapp, "show", "wg99", "--netns", net.hub.host.namespace]
    done = subprocess.run(map(str, command), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("wirewatch: There is no interface wg99")
    assert net.hub.name in done.stderr


# --- a webhook that goes away, a process that is killed


class Webhook(http.server.ThreadingHTTPServer):
    """Takes what is posted. Of the first, and now and then, it does not say so."""

    def __init__(self, port: int, arrived: list[Envelope], chance: random.Random) -> None:
        self.arrived, self.chance, self.lock = arrived, chance, threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Webhook

    def do_POST(self) -> None:
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["events"]
        with self.server.lock:
            first = not self.server.arrived  # taken without saying so: it comes again, in this life or in the next
            self.server.arrived += events
            heard = self.server.chance.random() < 0.6 and not first
        self.send_response(200 if heard else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_about: object) -> None:
        pass


@contextmanager
def listening(port: int, arrived: list[Envelope], chance: random.Random) -> Iterator[int]:
    with Webhook(port, arrived, chance) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join(PATIENCE)


def test_whatever_dies_the_fold_is_what_wg_shows_and_what_comes_twice_is_the_same(
    zipapp: Path, net: Star, tmp_path: Path
) -> None:
    """SIGKILL of the process and outages of the webhook at random moments of a history, with a state file."""
    chance = random.Random(SEED)
    arrived: list[Envelope] = []
    resume = ["--initial", "resume", "--state-file", tmp_path / "state.db"]
    with listening(0, [], chance) as port:
        pass
    to = ["--sink", "webhook", "--url", f"http://127.0.0.1:{port}/", *resume]
    keys = {name: spoke.public_key for name, spoke in net.spokes.items()}

    def happen() -> None:
        name = chance.choice(list(keys))
        what = chance.random()
        if what < 0.4:
            net.hub.remove_peer(keys[name])
        elif what < 0.8:
            net.hub.set_peer(keys[name], allowed_ips=[f"10.77.{chance.randrange(200)}.0/24"])
        else:
            net.hub.set("peer", keys[name], "persistent-keepalive", str(chance.randrange(1, 100)))

    for _life in range(6):
        with Process(zipapp, tmp_path, "watch", *where(net), *to) as running:
            for _outage in range(2):
                happen()
                time.sleep(chance.uniform(0, 0.2))  # so that the end falls anywhere
                with listening(port, arrived, chance):
                    happen()
                    time.sleep(chance.uniform(0, 0.6))
            running.process.kill()
            running.process.wait()
    with listening(port, arrived, chance), Process(zipapp, tmp_path, "watch", *where(net), *to) as running:
        net.hub.set_peer(keys["east"], allowed_ips=["10.99.0.0/24"])  # which only this life can tell
        running.wait_for(lambda: is_true(net, list(arrived)), "the fold to be what wg shows")
        # A slow machine's lives may have been killed before they posted anything.
        running.wait_for(
            lambda: len({one["meta"]["uuid"] for one in list(arrived)}) < len(arrived), "something to come twice"
        )
        status, seconds = running.end()
        assert status == 0
        assert seconds < 15
    assert "Traceback" not in running.said
    assert fold(arrived) == fold(arrived, unique=True)
    of: dict[str, Envelope] = {}
    for envelope in arrived:
        assert of.setdefault(envelope["meta"]["uuid"], envelope) == envelope
    assert len(of) < len(arrived), "nothing came twice, so this showed nothing"


def test_a_webhook_that_is_away_keeps_nobody_from_ending(zipapp: Path, net: Star, tmp_path: Path) -> None:
    with listening(0, [], random.Random(0)) as port:
        pass
    url = f"http://127.0.0.1:{port}/"
    with Process(zipapp, tmp_path, "watch", *where(net), "--sink", "webhook", "--url", url) as running:
        running.wait_for(lambda: running.said, "the sentence")
        status, seconds = running.end()
        assert status == 0
        assert seconds < 15
        assert running.said == f"wirewatch: The webhook {url} can't be reached: Connection refused. It is tried again\n"

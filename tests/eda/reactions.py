# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reactions that ship, as a user runs them: the real ansible-rulebook on the host that it watches, by the rulebook's name.

::

    net = star(network, ["office"])
    inventory = write_site(network, {"hub": {"wirewatch_peers": [peer_of(net.hub, net.spokes["office"])]}})
    with reacting(net.hub.host, [net.hub]).start("restore", inventory) as running:
        net.hub.remove_peer(net.spokes["office"].public_key)
        wait_for(lambda: …, PATIENCE, "the peer to be back")

A reaction is a rulebook in extensions/eda/rulebooks and the playbook of the collection that it runs. It takes the variables
`wg_host` (who it is in the inventory) and `wg_interfaces`, and says "HOST: INTERFACE is watched" once it has looked at an interface
for the first time: what happens from then on is a change to it.
"""

from __future__ import annotations

import ctypes
import http.server
import json
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from collection import CHECKOUT
from lab import Ansible, Host, Interface, Network, Running, TaskResult, wait_for, write_inventory
from lab.commands import tool

PATIENCE = 60.0  # seconds for a reaction; an event and a playbook take about four on an idle machine
INTERVAL = 0.2  # seconds between two looks

_CLONE_NEWNET = 0x40000000  # linux/sched.h


# --- the inventory


def write_site(network: Network, variables: Mapping[str, Mapping[str, Any]]) -> Path:
    """An inventory of the network's hosts, whose modules run in their namespaces, with these variables by host.

    The file may be written again while a rulebook runs: each playbook reads it anew.
    """
    path = write_inventory(network)
    site = json.loads(path.read_text(encoding="utf-8"))
    site["all"]["vars"] = {"ansible_become": False}  # we are root, and a machine without sudo will do
    for host, more in variables.items():
        site["all"]["hosts"][host].update(more)
    path.write_text(json.dumps(site, indent=2), encoding="utf-8")
    return path


def play_of(name: str, host: str, current: str, **event: Any) -> str:
    """The playbook of a reaction without a rulebook, as one would run it on that host for a peer whose state is `current` now."""
    (play,) = yaml.safe_load((CHECKOUT / f"playbooks/{name}.yml").read_text(encoding="utf-8"))
    seen = {"observed_at": "2026-11-23T12:00:03.000000Z", "observed_at_epoch": 1795435203.0, "name": None}
    known = {"type": "peer_state_changed", "host": host, "current": current, "peer": {"state": current}}
    fired = {"wireguard": {**seen, **known, **event}, "meta": {"hosts": host}}
    return yaml.safe_dump([{**play, "become": False, "vars": {**play["vars"], "ansible_eda": {"event": fired}}}])


def peer_of(interface: Interface, peer: Interface, **more: Any) -> dict[str, Any]:
    """An entry of `wirewatch_peers`: `peer` is to be a peer of `interface`, and may use its own address in the tunnel."""
    bits = 128 if ":" in peer.tunnel_address else 32
    return {
        "interface": interface.name,
        "public_key": peer.public_key,
        "allowed_ips": [f"{peer.tunnel_address}/{bits}"],
        **more,
    }


# --- the names of hosts


@contextmanager
def names(host: Host) -> Iterator[Callable[[Mapping[str, Sequence[str]]], None]]:
    """Gives what sets the addresses of names on this host, any number of times. Other names are unknown there at once.

    ip(8) puts the files of /etc/netns/NAMESPACE in the place of those in /etc for what it runs in the namespace.
    """
    folder = Path("/etc/netns") / host.namespace
    folder.mkdir(parents=True)

    def write(addresses: Mapping[str, Sequence[str]]) -> None:
        # The file stays the same one: what runs already sees the change.
        lines = [f"{address} {name}\n" for name, all_of_it in addresses.items() for address in all_of_it]
        (folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(lines), encoding="ascii")

    try:
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", encoding="ascii")
        write({})
        yield write
    finally:
        shutil.rmtree(folder)


# --- the rulebook


class Reacting:
    """Starts rulebooks in the namespace of one host, for some of its interfaces."""

    def __init__(self, collections_path: Path, folder: Path, host: Host, interfaces: Sequence[Interface]) -> None:
        self.host = host
        self.interfaces = list(interfaces)
        self._folder = folder / host.namespace
        self._folder.mkdir()
        for command in ("ansible-rulebook", "ansible-playbook"):
            script = self._folder / command
            real = Path(sys.executable).with_name(command)
            script.write_text(f'#!/bin/sh\nexec {tool("ip")} netns exec {host.namespace} {real} "$@"\n')
            script.chmod(0o755)
        self.ansible = Ansible(collections_path, self._folder, bin_folder=self._folder)

    @contextmanager
    def start(self, name: str, inventory: Path, *options: str, **variables: Any) -> Iterator[Running]:
        """`ansible-rulebook --rulebook wirewatch.wireguard.NAME`; the block begins when it watches every interface."""
        told = {
            "wg_host": self.host.name,
            "wg_interfaces": [interface.name for interface in self.interfaces],
            "wg_interval": INTERVAL,
            **variables,
        }
        rulebook = Path(f"wirewatch.wireguard.{name}")
        with self.ansible.rulebook(rulebook, inventory, *options, variables=told) as running:
            for interface in self.interfaces:
                running.wait_for_output(f"{self.host.name}: {interface.name} is watched", PATIENCE)
            yield running


# The fixture `reacting`: the host that is watched, its interfaces.
React = Callable[[Host, Sequence[Interface]], Reacting]


def wait_for_task(running: Running, task: str, count: int = 1, timeout: float = PATIENCE) -> list[TaskResult]:
    """Waits until the playbooks of a rulebook have reported this task so many times, whatever came of it, skips included."""

    def reported() -> list[TaskResult]:
        if running.returncode is not None:
            raise running.failed(f"ended before the task '{task}' was reported {count} times.")
        found = running.reports(task)
        return found if len(found) >= count else []

    return wait_for(reported, timeout, f"the task '{task}' to be reported {count} times; {running.output}")


# --- who is told


def listen_in(host: Host) -> socket.socket:
    """A listening socket on 127.0.0.1, on a free port, in the host's namespace. Who reads from it may be in any other."""
    made: list[socket.socket] = []
    libc = ctypes.CDLL(None, use_errno=True)

    def make() -> None:
        # A thread of its own, which ends there: a namespace is a property of the thread.
        with Path("/var/run/netns", host.namespace).open("rb") as namespace:
            if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                return
        made.append(socket.create_server(("127.0.0.1", 0)))

    thread = threading.Thread(target=make, name="listen")
    thread.start()
    thread.join()
    if not made:
        raise OSError(ctypes.get_errno(), f"can't listen in {host.namespace}")
    return made[0]


class Inbox:
    """A web server in a host's namespace that keeps what is posted to it, decoded, in `posts`. To be used in a `with` block."""

    def __init__(self, host: Host, status: int = 200) -> None:
        self.posts: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.status = status
        listener = listen_in(host)
        inbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.headers.append(dict(self.headers.items()))
                inbox.posts.append(json.loads(body))
                self.send_response(inbox.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(listener.getsockname()[:2], Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listener
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="inbox", daemon=True)

    def __enter__(self) -> Inbox:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)

    def wait_for(self, count: int = 1, timeout: float = PATIENCE) -> list[dict[str, Any]]:
        """Waits until so much was posted."""
        return wait_for(
            lambda: list(self.posts) if len(self.posts) >= count else [],
            timeout,
            f"{count} posts; there are {self.posts}",
        )

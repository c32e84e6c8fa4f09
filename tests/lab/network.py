# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts in network namespaces, joined by one bridge: the underlay that WireGuard packets travel on."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from . import wireguard
from .commands import LabError, end_process, run, tool, wait_for
from .signals import deferred, terminable

# An interface name has at most 15 characters (IFNAMSIZ), and "ww" and the run id take six of them.
_HOST_NAME = re.compile(r"[a-z][a-z0-9]{0,8}\Z")

NETNS_FOLDER = Path("/var/run/netns")


class Network:
    """A switch in a namespace of its own, and the hosts plugged into it.

    Nothing leads out of it: the hosts reach each other and nobody else. `run_id` is part of every name that other
    processes on the machine can see, so networks of several runs stand side by side.
    """

    def __init__(self, backend: str = "auto") -> None:
        """`backend` is "kernel", "userspace" (wireguard-go), or "auto": kernel where this machine's kernel has it."""
        if backend not in ("auto", "kernel", "userspace"):
            raise LabError(f"The backend is '{backend}'; it must be auto, kernel or userspace.")
        self.run_id = ""
        self.folder = Path()
        self.hosts: dict[str, Host] = {}
        self._asked_backend = backend
        self._backend: str | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Network:
        if os.geteuid() != 0:
            raise LabError("A test network needs root: it makes network namespaces.")
        self._stack.enter_context(terminable())
        try:
            self._claim_run_id()
            self._add_namespace(self.namespace)
            self.ip("link", "add", "bridge", "type", "bridge")
            self.ip("link", "set", "bridge", "up")
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @property
    def namespace(self) -> str:
        """The namespace of the switch."""
        return f"ww-{self.run_id}-net"

    @property
    def backend(self) -> str:
        """What the WireGuard interfaces of this network are made of, unless asked otherwise: kernel or userspace."""
        if self._backend is None:
            self._backend = self._asked_backend
            if self._backend == "auto":
                self._backend = "kernel" if wireguard.kernel_has_wireguard(self.namespace) else "userspace"
        return self._backend

    def host(self, name: str, *addresses: str) -> Host:
        """Plug in a host with these underlay addresses (v4 or v6, without a prefix length)."""
        if not _HOST_NAME.match(name) or name == "net":
            raise LabError(f"'{name}' is no host name here: at most nine lower-case letters and digits, and not 'net'.")
        if name in self.hosts:
            raise LabError(f"There is a host {name} already in this network.")
        host = Host(self, name, self._stack)
        self._add_namespace(host.namespace)
        host.ip("link", "set", "lo", "up")
        host.ip("link", "add", "eth0", "type", "veth", "peer", "name", host.port, "netns", self.namespace)
        self.ip("link", "set", host.port, "master", "bridge", "up")
        host.ip("link", "set", "eth0", "up")
        for address in addresses:
            host.add_address(address)
        self.hosts[name] = host
        return host

    def ip(self, *arguments: str) -> str:
        """Run ip(8) in the namespace of the switch."""
        return run(["ip", "-n", self.namespace, *arguments]).stdout

    def _claim_run_id(self) -> None:
        while True:
            run_id = secrets.token_hex(2)
            folder = Path(tempfile.gettempdir()) / f"ww-{run_id}"
            try:
                folder.mkdir(mode=0o700)  # atomic: whoever made it owns the id
            except FileExistsError:
                continue
            self.run_id, self.folder = run_id, folder
            self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
            if not (NETNS_FOLDER / self.namespace).exists():
                return

    def _add_namespace(self, namespace: str) -> None:
        # Told before made: a signal between the two must not leave a namespace.
        self._stack.callback(_remove_namespace, namespace)
        run(["ip", "netns", "add", namespace])

    def _close(self) -> None:
        with deferred():
            self._stack.close()
            self.hosts.clear()


class Host:
    """One machine of the network: a namespace with an underlay interface `eth0`."""

    def __init__(self, network: Network, name: str, stack: ExitStack) -> None:
        self.network = network
        self.name = name
        self.addresses: list[str] = []
        self.interfaces: dict[str, wireguard.Interface] = {}
        self._stack = stack

    @property
    def namespace(self) -> str:
        return f"ww-{self.network.run_id}-{self.name}"

    @property
    def port(self) -> str:
        """The name of the switch's end of this host's cable."""
        return f"port-{self.name}"

    @property
    def address(self) -> str:
        """The first underlay address."""
        if not self.addresses:
            raise LabError(f"Host {self.name} has no underlay address.")
        return self.addresses[0]

    def ip(self, *arguments: str) -> str:
        """Run ip(8) in this host's namespace."""
        return run(["ip", "-n", self.namespace, *arguments]).stdout

    def run(
        self, argv: Sequence[str], *, stdin: str = "", check: bool = True, timeout: float = 30.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in this host's namespace to its end."""
        return run(["ip", "netns", "exec", self.namespace, *argv], stdin=stdin, check=check, timeout=timeout)

    def start(self, argv: Sequence[str], env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a daemon in this host's namespace; it is ended with the network.

        It gets a session of its own: Ctrl-C on the terminal is for us, who then end it in order.
        """
        process = subprocess.Popen(
            [tool("ip"), "netns", "exec", self.namespace, *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        self._stack.callback(end_process, process)
        return process

    def add_address(self, address: str) -> None:
        """Add an underlay address. Every host is on the link: any address of any network reaches any other."""
        version, bits = _family(address)
        extra = ["nodad"] if version == "-6" else []  # else the address is tentative for a second or two
        self.ip(version, "address", "add", f"{address}/{bits}", "dev", "eth0", *extra)
        self.ip(version, "route", "replace", "default", "dev", "eth0")
        self.addresses.append(address)

    def remove_address(self, address: str) -> None:
        version, bits = _family(address)
        self.ip(version, "address", "del", f"{address}/{bits}", "dev", "eth0")
        self.addresses.remove(address)

    def move_to(self, address: str) -> None:
        """Roam: from now on this host has this underlay address and no other.

        The other side learns of it from the next packet, so send one (`ping`).
        """
        old = list(self.addresses)
        self.add_address(address)
        for gone in old:
            self.remove_address(gone)
        for interface in self.interfaces.values():
            interface.forget_source_address()

    def unplug(self) -> None:
        """Pull the cable at the switch: addresses and routes stay, packets vanish."""
        self.network.ip("link", "set", self.port, "down")

    def plug(self) -> None:
        self.network.ip("link", "set", self.port, "up")

    def ping(self, address: str, timeout: float = 1.0) -> bool:
        """One echo request, from this host. True when it was answered in time."""
        argv = [tool("ping"), "-n", "-q", "-c", "1", "-W", str(timeout), address]
        return self.run(argv, check=False, timeout=timeout + 10).returncode == 0

    def ping_until_answered(self, address: str, timeout: float = 20.0) -> None:
        """Ping until an answer comes. WireGuard retries a lost handshake only after 5 seconds, hence the long time."""
        wait_for(lambda: self.ping(address), timeout, f"{address} to answer a ping from {self.name}")

    def wireguard(
        self,
        address: str | None = None,
        *,
        name: str | None = None,
        listen_port: int = 0,
        backend: str | None = None,
        private_key: bool = True,
    ) -> wireguard.Interface:
        """Make a WireGuard interface `ww<run id><name>`, bring it up and give it keys.

        `name` defaults to the host's. The name carries the run id since all userspace daemons of a machine share one
        folder of sockets, whatever their namespace.
        """
        interface = wireguard.Interface(
            self, f"ww{self.network.run_id}{name or self.name}", backend or self.network.backend
        )
        if len(interface.name) > 15:
            raise LabError(f"The interface name {interface.name} is longer than 15 characters.")
        self._stack.callback(interface.remove)
        interface.create(address, listen_port, private_key)
        self.interfaces[interface.name] = interface
        return interface


def _family(address: str) -> tuple[str, int]:
    """The option of ip(8) and the length of a host prefix, for an address of either family."""
    parsed = ipaddress.ip_address(address)
    return f"-{parsed.version}", parsed.max_prefixlen


def _remove_namespace(namespace: str) -> None:
    if not (NETNS_FOLDER / namespace).exists():
        return
    # What a daemon left behind there, as sshd its sessions over a link that is cut.
    for pid in run(["ip", "netns", "pids", namespace], check=False).stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    run(["ip", "netns", "delete", namespace], check=False)

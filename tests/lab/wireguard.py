# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WireGuard interfaces of both kinds, configured through wg(8)."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import LabError, end_process, run, tool, wait_for
from .keys import KeyPair, generate_keys, generate_preshared_key

if TYPE_CHECKING:
    from .network import Host

# Where wireguard-go makes its sockets and wg(8) looks for them; the same folder in every namespace.
SOCKET_FOLDER = Path("/var/run/wireguard")


def kernel_has_wireguard(namespace: str) -> bool:
    """Whether an interface of the kernel's own WireGuard can be made; tried out, since the module loads on demand."""
    made = run(["ip", "-n", namespace, "link", "add", "wwprobe", "type", "wireguard"], check=False)
    if made.returncode != 0:
        return False
    run(["ip", "-n", namespace, "link", "del", "wwprobe"])
    return True


class Interface:
    """One WireGuard interface of a host. Made by `Host.wireguard`."""

    def __init__(self, host: Host, name: str, backend: str) -> None:
        self.host = host
        self.name = name
        self.backend = backend
        self.keys: KeyPair | None = None
        self.address: str | None = None
        self.listen_port = 0
        self.daemon: subprocess.Popen[bytes] | None = None

    @property
    def public_key(self) -> str:
        if self.keys is None:
            raise LabError(f"Interface {self.name} has no private key, and so no public key.")
        return self.keys.public

    @property
    def socket_path(self) -> Path:
        return SOCKET_FOLDER / f"{self.name}.sock"

    @property
    def tunnel_address(self) -> str:
        """The address inside the tunnel, without the prefix length."""
        if self.address is None:
            raise LabError(f"Interface {self.name} has no address.")
        return self.address.partition("/")[0]

    @property
    def endpoint(self) -> str:
        """Where others reach this interface on the underlay."""
        address = self.host.address
        return f"[{address}]:{self.listen_port}" if ":" in address else f"{address}:{self.listen_port}"

    def create(self, address: str | None, listen_port: int, private_key: bool) -> None:
        if self.backend == "kernel":
            self.host.ip("link", "add", self.name, "type", "wireguard")
        else:
            self.start_daemon()
        if private_key:
            self.set_private_key(generate_keys())
        if listen_port:
            self.set("listen-port", str(listen_port))
            self.listen_port = listen_port
        if address:
            self.host.ip("address", "add", address, "dev", self.name)
            self.address = address
        self.host.ip("link", "set", self.name, "up")

    def remove(self) -> None:
        """Take the interface away, as `ip link del` or the end of the daemon does. Removing it twice is fine."""
        if self.backend == "kernel":
            run(["ip", "-n", self.host.namespace, "link", "del", self.name], check=False)
            return
        if self.daemon is not None:
            end_process(self.daemon)
        # After a SIGKILL the socket stays. It is ours: nobody else has the run id in the name.
        self.socket_path.unlink(missing_ok=True)

    # --- the userspace daemon

    def start_daemon(self) -> None:
        """Start wireguard-go and wait until its socket answers."""
        if not os.path.exists("/dev/net/tun"):
            raise LabError(
                "wireguard-go needs /dev/net/tun, which is missing here: modprobe tun, or start the container with "
                "--device /dev/net/tun"
            )
        daemon = self.host.start([tool("wireguard-go"), "--foreground", self.name], env={"LOG_LEVEL": "silent"})
        self.daemon = daemon

        def answers() -> bool:
            if daemon.poll() is not None:
                raise LabError(
                    f"wireguard-go for {self.name} ended with status {daemon.returncode} before its socket answered. "
                    "To see why, start it by hand with LOG_LEVEL=verbose."
                )
            return self._socket_answers()

        wait_for(answers, 60, f"wireguard-go to answer on {self.socket_path}", interval=0.01)

    def forget_source_address(self) -> None:
        """Make wireguard-go send from the address that the host has now.

        It remembers the source address of each peer and forgets it on EINVAL. Newer kernels (seen: 6.18) answer
        ENETUNREACH for a source address that is gone, so wireguard-go of 2022 sends nothing until its next handshake,
        15 s later. Setting the endpoint to what it is makes it forget too, and changes nothing that could be observed.
        """
        if self.backend != "userspace":
            return
        for public_key, endpoint in self.show("endpoints").items():
            if endpoint != "(none)":
                self.set_peer(public_key, endpoint=endpoint)

    def kill_daemon(self) -> None:
        """SIGKILL: the device vanishes at once and the socket stays behind, dead."""
        if self.daemon is None:
            raise LabError(f"Interface {self.name} has no daemon: its backend is {self.backend}.")
        self.daemon.kill()
        self.daemon.wait()

    def _socket_answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self.socket_path))
                client.sendall(b"get=1\n\n")
                return bool(client.recv(1))
            except OSError:
                return False

    # --- configuration: everything goes through wg(8), and keys through its stdin

    def set(self, *arguments: str, stdin: str = "") -> None:
        """`wg set INTERFACE ARGUMENTS`."""
        self.wg("set", self.name, *arguments, stdin=stdin)

    def wg(self, *arguments: str, stdin: str = "") -> str:
        return self.host.run([tool("wg"), *arguments], stdin=stdin).stdout

    def set_private_key(self, keys: KeyPair) -> None:
        self.set("private-key", "/dev/stdin", stdin=keys.private)
        self.keys = keys

    def set_peer(
        self,
        public_key: str,
        *,
        endpoint: str | None = None,
        allowed_ips: Sequence[str] | None = None,
        keepalive: int | None = None,
        preshared_key: str | None = None,
    ) -> None:
        """Add a peer, or change what is given of one that is there."""
        arguments: list[str] = ["peer", public_key]
        if preshared_key is not None:
            arguments += ["preshared-key", "/dev/stdin"]
        if endpoint is not None:
            arguments += ["endpoint", endpoint]
        if keepalive is not None:
            arguments += ["persistent-keepalive", str(keepalive)]
        if allowed_ips is not None:
            arguments += ["allowed-ips", ",".join(allowed_ips)]
        self.set(*arguments, stdin=preshared_key or "")

    def remove_peer(self, public_key: str) -> None:
        self.set("peer", public_key, "remove")

    # --- what wg(8) says: the second opinion that tests compare with. Only columns without secrets are asked for.

    def show(self, column: str) -> dict[str, str]:
        """`wg show INTERFACE COLUMN` by public key: endpoints, allowed-ips, latest-handshakes or transfer."""
        lines = self.wg("show", self.name, column).splitlines()
        return {key: value for key, _tab, value in (line.partition("\t") for line in lines)}

    def endpoint_of(self, public_key: str) -> str | None:
        endpoint = self.show("endpoints").get(public_key)
        return None if endpoint == "(none)" else endpoint

    def handshake_of(self, public_key: str) -> int:
        """Epoch seconds of the last handshake; 0 for never or no such peer."""
        return int(self.show("latest-handshakes").get(public_key, "0"))

    def wait_for_handshake(self, public_key: str, newer_than: int = 0, timeout: float = 20.0) -> int:
        """Wait until the last handshake with this peer is newer than the given epoch seconds; returns its time."""

        def newer() -> int:
            seen = self.handshake_of(public_key)
            return seen if seen > newer_than else 0

        return wait_for(newer, timeout, f"a handshake of {public_key} on {self.name}")


def connect(spoke: Interface, hub: Interface, *, keepalive: int = 0, preshared: bool = True) -> str | None:
    """Make two interfaces peers of each other: the spoke knows the hub's endpoint, the hub learns the spoke's.

    Each may use only the other's tunnel address. Returns the preshared key, None without one.
    """
    preshared_key = generate_preshared_key() if preshared else None
    hub.set_peer(spoke.public_key, allowed_ips=[_host_prefix(spoke.tunnel_address)], preshared_key=preshared_key)
    spoke.set_peer(
        hub.public_key,
        endpoint=hub.endpoint,
        allowed_ips=[_host_prefix(hub.tunnel_address)],
        keepalive=keepalive,
        preshared_key=preshared_key,
    )
    return preshared_key


def _host_prefix(address: str) -> str:
    return f"{address}/128" if ":" in address else f"{address}/32"

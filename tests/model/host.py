# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host made of plain values, which answers readers in bytes as a kernel or a daemon does, and knows the truth.

The truth is told in the words of the event contract, by code that shares nothing with the collection's.
"""

from __future__ import annotations

import base64
import errno
import ipaddress
import itertools
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Dict, Optional, Tuple

from ansible_collections.wirewatch.wireguard.plugins.module_utils import _wire
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import (
    InterfaceGone,
    MissingNamespace,
    Temporary,
    WireGuardError,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import (
    GENL_ID_CTRL,
    NLM_F_DUMP_INTR,
    GenericNetlink,
    attribute,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reader import InterfaceReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reuse import Reuse
from ansible_collections.wirewatch.wireguard.plugins.module_utils._userspace import UserspaceReader
from unit.watching import FakeClock
from unit.wire import SCALARS, Frame, KernelSocket, Together, allowed_ip, family, more_bytes, sockaddr

Place = Tuple[Optional[str], str]  # namespace, interface
Facts = Dict[str, Any]

_PRIVATE_KEYS = {  # RFC 7748 section 6.1: private keys and the public keys that belong to them
    1: (
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    ),
    2: (
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
    ),
}


@dataclass
class Peer:
    """As the kernel keeps it. `made` tells one object from another under the same key."""

    key: int
    made: int
    preshared_key: int = 0
    endpoint: tuple[str, int] | None = None
    allowed_ips: list[str] = field(default_factory=list)  # the latest last
    keepalive: int = 0
    handshake_ns: int = 0
    rx: int = 0
    tx: int = 0

    @property
    def public_key(self) -> str:
        return base64.b64encode(self.key.to_bytes(32, "big")).decode()

    def facts(self) -> Facts:
        host, port = self.endpoint or (None, None)
        text = None if host is None else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        networks = sorted(
            map(ipaddress.ip_network, self.allowed_ips),
            key=lambda net: (net.version, net.network_address.packed, net.prefixlen),
        )
        at = self.handshake_ns // 1000
        moment = datetime.fromtimestamp(at // 1_000_000, timezone.utc).replace(microsecond=at % 1_000_000)
        return {
            "public_key": self.public_key,
            "name": None,
            "has_preshared_key": bool(self.preshared_key),
            "endpoint": text,
            "endpoint_host": host,
            "endpoint_port": port,
            "allowed_ips": [str(network) for network in networks],
            "persistent_keepalive": self.keepalive,
            "last_handshake": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at else None,
            "last_handshake_epoch": at / 1_000_000 if at else None,
        }


@dataclass
class Interface:
    netns: str | None
    name: str
    ifindex: int
    backend: str
    own_key: int = 1
    listen_port: int = 51820
    fwmark: int = 0
    up: bool = True
    cuts: float = 0.0  # where dumps of it are cut into messages
    peers: dict[int, Peer] = field(default_factory=dict)

    def facts(self) -> Facts:
        public = base64.b64encode(bytes.fromhex(_PRIVATE_KEYS[self.own_key][1])).decode() if self.own_key else None
        return {
            "interface": self.name,
            "ifindex": self.ifindex,
            "netns": self.netns,
            "backend": self.backend,
            "public_key": public,
            "listen_port": self.listen_port,
            "fwmark": self.fwmark,
            "up": self.up,
        }


class Host:
    """Interfaces in namespaces. `chance` decides what a real host decides by itself: the order of peers, where messages end.

    `faults` is by place: what the next readings of it meet.
    """

    def __init__(self, chance: random.Random) -> None:
        self.clock = FakeClock()
        self.interfaces: dict[Place, Interface] = {}
        self.faults: dict[Place, str] = {}
        self.missing_namespaces: set[str | None] = set()
        self.family = 30
        self._chance = chance
        self._count = itertools.count(1)

    # --- what happens to it

    def number(self) -> int:
        """One that nothing here had before."""
        return next(self._count)

    def add_interface(self, netns: str | None, name: str, backend: str) -> None:
        self.interfaces.setdefault((netns, name), Interface(netns, name, self.number(), backend))

    def move(self, place: Place, target: Place) -> None:
        """Renames it, or moves it to another namespace, where it gets another index if its own is taken."""
        if target in self.interfaces:
            return
        interface = self.interfaces.pop(place)
        interface.netns, interface.name = target
        self.interfaces[target] = interface

    def add_peer(self, interface: Interface, key: int) -> None:
        interface.peers.setdefault(key, Peer(key, self.number()))

    def give(self, interface: Interface, key: int, network: str) -> None:
        """An allowed IP has one owner: the last who got it."""
        for peer in interface.peers.values():
            if network in peer.allowed_ips:
                peer.allowed_ips.remove(network)
        interface.peers[key].allowed_ips.append(network)

    # --- what a watcher asks of it

    def find(self, namespace: Any) -> list[str]:
        if namespace.netns in self.missing_namespaces:
            raise MissingNamespace("There is no network namespace")
        return sorted(name for netns, name in self.interfaces if netns == namespace.netns)

    def make_reader(self, namespace: Any, name: str) -> InterfaceReader:
        return Reader(self, (namespace.netns, name))

    def answer(self, place: Place, kind: int, frame: Frame) -> list[bytes]:
        """Of the kernel, to a dump."""
        if kind == GENL_ID_CTRL:
            return list(family(self.family)(frame))  # type: ignore[arg-type]
        if kind != self.family:
            return [frame.error(errno.ENOENT)]
        interface, fault = self.interfaces.get(place), self.faults.get(place)
        if interface is None:
            return [frame.error(errno.ENODEV)]
        if interface.backend != "kernel":
            return [frame.error(errno.EOPNOTSUPP)]
        if fault in ("EBUSY", "EPERM"):
            return [frame.error(getattr(errno, fault))]
        messages = self._messages(interface)
        if fault == "early end":
            return [
                frame.generic(message, self.family) for message in messages[: self._chance.randrange(len(messages))]
            ]
        flags = [0] * len(messages)
        if fault == "interrupted":
            # The cursor peer was removed: what comes after it is missing, and one message says so.
            messages = messages[: 1 + self._chance.randrange(len(messages))]
            flags = [0] * (len(messages) - 1) + [NLM_F_DUMP_INTR]
        said = [frame.generic(message, self.family, flag) for message, flag in zip(messages, flags)]
        if fault == "error at end":
            return [*said, frame.done(-errno.EINTR)]
        return [*said, frame.done()]

    def _messages(self, interface: Interface) -> list[bytes]:
        """Peers in the order they were made, cut into messages anywhere, a peer in the middle of its allowed IPs too.

        Mostly where the last dump was cut, as a kernel does.
        """
        if self._chance.random() < 0.25:
            interface.cuts = self._chance.random()
        chance = random.Random(interface.cuts)
        keys = b""
        if interface.own_key:
            private, public = (bytes.fromhex(text) for text in _PRIVATE_KEYS[interface.own_key])
            keys = attribute(_wire.WGDEVICE_A_PRIVATE_KEY, private) + attribute(_wire.WGDEVICE_A_PUBLIC_KEY, public)
        head = (
            attribute(_wire.WGDEVICE_A_LISTEN_PORT, struct.pack("=H", interface.listen_port))
            + attribute(_wire.WGDEVICE_A_FWMARK, struct.pack("=I", interface.fwmark))
            + attribute(_wire.WGDEVICE_A_IFINDEX, struct.pack("=I", interface.ifindex))
            + keys
        )
        messages: list[list[bytes]] = [[]]
        ends = chance.choice([0.02, 0.2])
        for peer in interface.peers.values():
            if chance.random() < ends:
                messages.append([])
            rest = list(peer.allowed_ips)
            cut = chance.randrange(len(rest) + 1) if chance.random() < 0.3 else len(rest)
            messages[-1].append(_peer_bytes(peer, rest[:cut], whole=True))
            while cut < len(rest):
                start, cut = cut, chance.randrange(cut + 1, len(rest) + 1)
                messages.append([_peer_bytes(peer, rest[start:cut], whole=False)])
        return [head + more_bytes(*messages[0]), *(more_bytes(*peers) for peers in messages[1:])]

    def text(self, place: Place) -> bytes | None:
        """Of a daemon, None where there is none: peers in another order each time."""
        interface = self.interfaces.get(place)
        if interface is None or interface.backend != "userspace":
            return None
        lines = [f"private_key={_PRIVATE_KEYS[interface.own_key][0]}"] if interface.own_key else []
        lines += [f"listen_port={interface.listen_port}"] if interface.listen_port else []
        lines += [f"fwmark={interface.fwmark}"] if interface.fwmark else []
        peers = list(interface.peers.values())
        self._chance.shuffle(peers)
        for peer in peers:
            lines += [f"public_key={peer.key:064x}", f"preshared_key={peer.preshared_key:064x}", "protocol_version=1"]
            if peer.endpoint:
                lines.append("endpoint=" + (peer.facts()["endpoint"] or ""))
            seconds, nanoseconds = divmod(peer.handshake_ns, 1_000_000_000)
            lines += [f"last_handshake_time_sec={seconds}", f"last_handshake_time_nsec={nanoseconds}"]
            lines += [f"tx_bytes={peer.tx}", f"rx_bytes={peer.rx}", f"persistent_keepalive_interval={peer.keepalive}"]
            lines += [f"allowed_ip={network}" for network in peer.allowed_ips]
        text = "\n".join([*lines, "errno=0", "", ""]).encode()
        fault = self.faults.get(place)
        if fault == "early end":
            return text[: self._chance.randrange(len(text))]
        return b"" if fault else text


def _peer_bytes(peer: Peer, allowed_ips: list[str], whole: bool) -> bytes:
    values = {_wire.WGPEER_A_PUBLIC_KEY: peer.key.to_bytes(32, "big")}
    if whole:
        values.update(SCALARS)
        values.update(
            {
                _wire.WGPEER_A_PRESHARED_KEY: peer.preshared_key.to_bytes(32, "big"),
                _wire.WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL: struct.pack("=H", peer.keepalive),
                _wire.WGPEER_A_LAST_HANDSHAKE_TIME: struct.pack("=qq", *divmod(peer.handshake_ns, 1_000_000_000)),
                _wire.WGPEER_A_RX_BYTES: struct.pack("=Q", peer.rx),
                _wire.WGPEER_A_TX_BYTES: struct.pack("=Q", peer.tx),
            }
        )
        del values[_wire.WGPEER_A_ENDPOINT]
        if peer.endpoint:
            values[_wire.WGPEER_A_ENDPOINT] = sockaddr(*peer.endpoint)
    if allowed_ips or whole:
        values[_wire.WGPEER_A_ALLOWEDIPS] = b"".join(map(allowed_ip, allowed_ips))
    return attribute(0, b"".join(attribute(kind, value) for kind, value in values.items()))


class Namespace:
    """What a Namespace is to the reader of one interface: sockets opened in it lead to the host."""

    generation = 0

    def __init__(self, host: Host, place: Place) -> None:
        self.netns = place[0]
        self._host = host
        self._place = place

    def __str__(self) -> str:
        return "" if self.netns is None else f" in network namespace {self.netns}"

    def check(self) -> None:
        if self.netns in self._host.missing_namespaces:
            raise MissingNamespace("There is no network namespace")

    def run(self, _open: Callable[[], Any]) -> GenericNetlink:
        return GenericNetlink(KernelSocket(self), Together)  # type: ignore[arg-type]

    def answer(self, kind: int, frame: Frame) -> list[bytes]:
        return self._host.answer(self._place, kind, frame)

    link_changes = None

    def link(self, name: str) -> tuple[int | None, bool | None]:
        interface = self._host.interfaces.get((self.netns, name))
        return (interface.ifindex, interface.up) if interface else (None, None)

    def link_name(self, ifindex: int) -> str:
        return str(ifindex)

    def close(self) -> None:
        pass


class Reader(InterfaceReader):
    """The collection's own; a daemon's answer comes from the host."""

    def __init__(self, host: Host, place: Place) -> None:
        super().__init__(Namespace(host, place), place[1])  # type: ignore[arg-type]
        self._host = host
        self._place = place

    def _socket_is_ours(self, error: WireGuardError) -> bool:
        return self._host.text(self._place) is not None

    def _userspace(self) -> Callable[[], UserspaceReader]:
        def make() -> UserspaceReader:
            clock = self._host.clock
            reader = UserspaceReader(
                self.namespace,
                self.interface,
                memory=Reuse,
                wall_clock=clock.wall_ns,
                monotonic_clock=clock.monotonic_ns,
            )
            reader._exchange = self._text  # type: ignore[method-assign]
            return reader

        return make

    def _text(self) -> bytes:
        text = self._host.text(self._place)
        if text is None:
            raise InterfaceGone("There is no daemon")
        if not text:
            raise Temporary("The daemon does not answer")
        return text

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A storm of commands for one interface, drawn in advance, and what each of them makes true.

Run as a program, this file is the writer: it gives the commands one after the other as fast as it can, and writes down
when each began and ended.

What an interface of that name shows is a function of its position in the storm: 2n is after the nth command, 2n - 1 is in the
midst of it. wg(8) sends what does not fit into one page in several messages, so there a part of a command may be in force.
"""

from __future__ import annotations

import base64
import json
import os
import random
import sys
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any, NamedTuple

AWAY = "wwaway"  # its name while it is renamed
PORTS = (51820, 51821, 6000)
FWMARKS = (0, 5, 0xCA6C)
KEEPALIVES = (0, 0, 0, 25, 26, 65535)

Fact = tuple[str, str]  # public key, "" for the interface; the field of the mirror, or "present"


class Shape(NamedTuple):
    peers: int
    large: int  # of them, those with up to 500 allowed IPs
    links: float  # share of the commands that are ip(8)'s
    deletions: float  # share of those that delete the link; the kernel takes 12 ms for each peer then, under emulation


SHAPES = {1: Shape(1, 0, 0.1, 0.2), 100: Shape(100, 5, 0.04, 0.1), 3000: Shape(3000, 20, 0.004, 0.0)}


class Peer(NamedTuple):
    endpoint: str | None = None
    allowed_ips: tuple[str, ...] = ()
    persistent_keepalive: int = 0
    preshared_key: int = 0  # which; 0 is none


class Secrets(NamedTuple):
    """Of the interface: (public key, private key); of peers: preshared keys. For files in a folder of the lab only."""

    own: list[tuple[str, str]]
    preshared: list[str]


class Storm:
    """The commands, and the history of every fact."""

    def __init__(self, shape: Shape, count: int, name: str, folder: Path, secrets: Secrets, seed: int) -> None:
        self.commands: list[list[str]] = []
        self.history: dict[Fact, list[tuple[int, Any]]] = {}
        self.changed: dict[int, set[str]] = {}  # by command: the peers of which it changed a fact
        self._rewritten: dict[int, set[str] | None] = {}  # by command: peers whose allowed IPs it set; None is all
        self._shape, self._name, self._folder, self._secrets = shape, name, folder, secrets
        self._chance = random.Random(seed)
        self._pool = [
            base64.b64encode(self._chance.randbytes(32)).decode() for _one in range(shape.peers + shape.peers // 10)
        ]
        self._number = {key: number for number, key in enumerate(self._pool)}
        self._peers: dict[str, Peer] = {}
        self._owner: dict[str, str] = {}  # allowed IP -> public key
        self._released: list[tuple[str, str]] = []  # by the command that is being drawn
        self._device: dict[str, Any] = {}
        self._index = 10_000
        self._note("", "present", False)
        for number, (_public, private) in enumerate(secrets.own):
            (folder / f"private{number}").write_text(private, encoding="ascii")
        for number, preshared in enumerate(secrets.preshared, 1):
            (folder / f"preshared{number}").write_text(preshared, encoding="ascii")
        self._fill()
        while len(self.commands) < count:
            if len(self.commands) < count // 2 <= len(self.commands) + 1:
                self._exchange()  # at least once, with all peers
            elif self._chance.random() < shape.links:
                self._link()
            elif self._chance.random() < 0.03:
                self._syncconf(edits=self._chance.randrange(6))
            else:
                self._set()
        if not self._device["up"]:
            self._up(True)

    # --- the history

    def at(self, fact: Fact, command: int) -> Any:
        """The value after so many commands; None where there was none yet."""
        steps = self.history.get(fact, [])
        index = bisect_right(steps, command, key=lambda step: step[0])
        return steps[index - 1][1] if index else None

    def positions(self, fact: Fact, value: Any, low: int, high: int) -> set[int]:
        """Where, from one position to another, the fact may have this value. Allowed IPs are sets, a preshared key a bool."""
        return {position for position in range(low, high + 1) if self._admits(fact, value, position)}

    def preshared_keys(self, key: str, low: int, high: int) -> set[int]:
        return {self.at((key, "preshared_key"), command) or 0 for command in range(low // 2, (high + 1) // 2 + 1)}

    def _admits(self, fact: Fact, value: Any, position: int) -> bool:
        key, field = fact
        command = (position + 1) // 2
        values = [self.at(fact, command)] + ([self.at(fact, command - 1)] if position % 2 else [])
        if field == "preshared_key":
            return value in [bool(one) for one in values]
        if field != "allowed_ips":
            return value in values
        if value in [set(one or ()) for one in values]:
            return True
        rewritten = self._rewritten.get(command, set())
        in_parts = bool(position % 2) and (rewritten is None or key in rewritten)
        return in_parts and value == set((values[0] or ())[: len(value)])

    def _note(self, key: str, field: str, value: Any) -> None:
        steps = self.history.setdefault((key, field), [])
        if not steps or steps[-1][1] != value:
            steps.append((len(self.commands), value))
            self.changed.setdefault(len(self.commands), set()).add(key)

    def _note_all(self) -> None:
        self._note("", "present", bool(self._device))
        for field, value in self._device.items():
            self._note("", field, value)
        for key in self._pool:
            self._note_peer(key)

    def _note_peer(self, key: str) -> None:
        peer = self._peers.get(key)
        self._note(key, "present", peer is not None)
        for field, value in zip(Peer._fields, peer or ()):
            self._note(key, field, value)

    # --- ip link

    def _command(self, *argv: str) -> None:
        self.commands.append(list(argv))
        # Only now: within one command nobody takes what another one leaves, since the order in which that comes is wg's.
        for ip, key in self._released:
            if self._owner.get(ip) == key:
                del self._owner[ip]
        self._released.clear()

    def _fill(self) -> None:
        """Makes the interface, and fills it."""
        self._add()
        own = self._chance.randrange(len(self._secrets.own))
        self._device.update(listen_port=PORTS[0], public_key=self._secrets.own[own][0])
        for key in self._pool[: self._shape.peers]:
            self._edit(key, set())
        self._syncconf()
        self._up(True)

    def _add(self) -> None:
        self._index += 1
        self._command("ip", "link", "add", self._name, "index", str(self._index), "type", "wireguard")
        self._peers, self._owner = {}, {}
        self._device = {"ifindex": self._index, "listen_port": 0, "fwmark": 0, "public_key": None, "up": False}
        self._note_all()

    def _delete(self) -> None:
        self._command("ip", "link", "del", self._name)
        self._peers, self._owner, self._device = {}, {}, {}
        self._note_all()

    def _up(self, up: bool) -> None:
        self._command("ip", "link", "set", self._name, "up" if up else "down")
        self._device["up"] = up
        self._note("", "up", up)

    def _link(self) -> None:
        if self._device["up"]:
            self._up(False)
        elif self._chance.random() < self._shape.deletions:
            self._delete()
            self._fill()
        elif self._chance.random() < 0.3:
            self._exchange()
        else:
            self._up(True)

    def _exchange(self) -> None:
        """Renames it away and back; in between another interface may have its name."""
        if self._device["up"]:
            self._up(False)  # one that is up keeps its name
        kept = self._device, self._peers, self._owner
        self._command("ip", "link", "set", self._name, "name", AWAY)
        self._device, self._peers, self._owner = {}, {}, {}
        self._note_all()
        if self._chance.random() < 0.7:
            self._add()
            self._delete()
        self._command("ip", "link", "set", AWAY, "name", self._name)
        self._device, self._peers, self._owner = kept
        self._note_all()
        self._up(True)

    # --- wg set, wg syncconf

    def _set(self) -> None:
        command = ["wg", "set", self._name]
        edited: set[str] = set()
        if self._chance.random() < 0.08:
            command += self._set_interface()
        else:
            several = len(self._pool) > 10 and self._chance.random() < 0.3
            for key in self._chance.sample(self._pool, self._chance.randrange(2, 7) if several else 1):
                if key not in edited:
                    command += ["peer", key, *self._edit(key, edited)]
        self._command(*command)
        for key in edited:
            self._note_peer(key)
        for field, value in self._device.items():
            self._note("", field, value)
        self._rewritten[len(self.commands)] = edited

    def _set_interface(self) -> list[str]:
        field = self._chance.choice(["listen_port", "fwmark", "public_key"])
        if field == "public_key":
            number = self._chance.randrange(len(self._secrets.own))
            self._device[field] = self._secrets.own[number][0]
            return ["private-key", str(self._folder / f"private{number}")]
        self._device[field] = self._chance.choice(PORTS if field == "listen_port" else FWMARKS)
        return [field.replace("_", "-"), str(self._device[field])]

    def _syncconf(self, edits: int = 0) -> None:
        edited: set[str] = set()
        for key in self._chance.sample(self._pool, min(edits, len(self._pool))):
            if key not in edited:
                self._edit(key, edited, clear=False)
        private = dict(self._secrets.own)[self._device["public_key"]]
        lines = ["[Interface]", f"PrivateKey = {private}", f"ListenPort = {self._device['listen_port']}"]
        lines.append(f"FwMark = {self._device['fwmark']}")
        for key, peer in self._peers.items():
            lines += ["[Peer]", f"PublicKey = {key}", f"PersistentKeepalive = {peer.persistent_keepalive}"]
            lines += [f"AllowedIPs = {', '.join(peer.allowed_ips)}"] if peer.allowed_ips else []
            lines += [f"Endpoint = {peer.endpoint}"] if peer.endpoint else []
            lines += [f"PresharedKey = {self._secrets.preshared[peer.preshared_key - 1]}"] if peer.preshared_key else []
        path = self._folder / f"{len(self.commands)}.conf"
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        self._command("wg", "syncconf", self._name, str(path))
        self._rewritten[len(self.commands)] = None
        self._note_all()

    def _edit(self, key: str, edited: set[str], clear: bool = True) -> list[str]:
        """Changes something of a peer, or makes it or removes it; what `wg set` takes for it. Adds to `edited` whom it changed."""
        edited.add(key)
        chance, peer = self._chance, self._peers.get(key)
        if peer is None:
            fields = set(Peer._fields)
            peer = Peer()
        else:
            fields = {chance.choice([*Peer._fields, "allowed_ips", "nothing", "all", "removal"])}
        if "removal" in fields:
            self._released += [(ip, key) for ip in self._peers.pop(key).allowed_ips]
            return ["remove"]
        if "all" in fields:
            fields = set(Peer._fields)
        arguments: list[str] = []
        if "endpoint" in fields and chance.random() < 0.8:
            host = chance.choice([f"192.0.2.{chance.randrange(2, 255)}", f"[2001:db8::{chance.randrange(2, 999):x}]"])
            peer = peer._replace(endpoint=f"{host}:{chance.randrange(1, 65536)}")
            arguments += ["endpoint", str(peer.endpoint)]
        if "persistent_keepalive" in fields:
            peer = peer._replace(persistent_keepalive=chance.choice(KEEPALIVES))
        if "preshared_key" in fields and chance.random() < 0.5:
            number = chance.randrange(0 if clear else 1, len(self._secrets.preshared) + 1)
            peer = peer._replace(preshared_key=number)
            arguments += ["preshared-key", str(self._folder / f"preshared{number}") if number else "/dev/null"]
        if "allowed_ips" in fields:
            peer = peer._replace(allowed_ips=self._allowed_ips(key, edited))
            arguments += ["allowed-ips", ",".join(peer.allowed_ips)]
        self._peers[key] = peer
        return [*arguments, "persistent-keepalive", str(peer.persistent_keepalive)]

    def _allowed_ips(self, key: str, edited: set[str]) -> tuple[str, ...]:
        """New ones out of a range of its own, but for those that another has; sometimes one is taken from another."""
        chance, number = self._chance, self._number[key]
        old = self._peers[key].allowed_ips if key in self._peers else ()
        if number < self._shape.large:
            count = chance.choice([0, 100, 499, 500])
            hosts = chance.sample(range(1000), count)
        else:
            hosts = chance.sample(range(8), chance.randrange(4))
        ips = [
            f"10.{number >> 8}.{number & 255}.{host}/32" if host < 250 else f"2001:db8:{number + 1:x}::{host:x}/128"
            for host in hosts
        ]
        ips = [ip for ip in ips if self._owner.get(ip, key) == key]
        other = chance.choice(self._pool)
        if chance.random() < 0.3 and other not in edited and other in self._peers and self._peers[other].allowed_ips:
            taken = chance.choice(self._peers[other].allowed_ips)
            left = tuple(ip for ip in self._peers[other].allowed_ips if ip != taken)
            self._peers[other] = self._peers[other]._replace(allowed_ips=left)
            edited.add(other)
            ips = [ip for ip in ips if ip != taken] + [taken]
        self._released += [(ip, key) for ip in old if ip not in ips]
        self._owner.update(dict.fromkeys(ips, key))
        return tuple(ips)


def write(commands: Path, times: Path) -> None:
    """The writer. Ends with the first command that fails; of each that did not, a line with its times."""
    with times.open("w", encoding="ascii") as log:
        for argv in json.loads(commands.read_text(encoding="utf-8")):
            before = time.monotonic_ns()
            process = os.posix_spawnp(argv[0], argv, os.environ)
            status = os.waitpid(process, 0)[1]
            after = time.monotonic_ns()
            if status:
                sys.exit(1)
            log.write(f"{before} {after}\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole answers of kernels and daemons, and ways to spoil them, all of it decided by one random.Random."""

from __future__ import annotations

import base64
import random
import socket
import struct
from typing import Callable

from ansible_collections.wirewatch.wireguard.plugins.module_utils import _wire
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import (
    ATTRIBUTE_HEADER,
    MESSAGE_HEADER,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_NOOP,
    attribute,
)
from unit.watching import START
from unit.wire import IFINDEX, PAD, SCALARS, Datagram, Frame, allowed_ip, more_bytes, sockaddr

SEQUENCE = 0x5EC0FFEE  # stands in prepared messages for the number of the request that they answer
SECRETS = {  # planted in every answer
    "private": random.Random("private").randbytes(32),
    "preshared": random.Random("preshared").randbytes(32),
}
PLANTED = [base64.b64encode(secret).decode() for secret in SECRETS.values()]
NETWORKS = ["10.0.0.0/24", "10.1.2.3/32", "192.168.0.0/16", "0.0.0.0/0", "2001:db8::/32", "fd00::7/128", "::/0"]
ENDPOINTS = [("192.0.2.7", 51820), ("198.51.100.4", 40000), ("2001:db8::7", 1), ("fe80::1", 65535)]

Chance = random.Random


class Facts:
    """What both kinds of answers tell of one peer."""

    def __init__(self, chance: Chance) -> None:
        self.key = chance.randbytes(32)
        self.preshared_key = SECRETS["preshared"] if chance.random() < 0.7 else bytes(32)
        self.endpoint = chance.choice([None, *ENDPOINTS])
        self.keepalive = chance.choice([0, 25])
        self.handshake = chance.choice([0, START // SECOND - chance.randrange(10**6)])
        self.rx, self.tx = chance.randrange(1 << 40), chance.randrange(1 << 40)
        self.allowed_ips = chance.sample(NETWORKS, chance.randrange(len(NETWORKS)))


# --- a kernel's


def kernel_answer(chance: Chance) -> list[bytes]:
    """The attributes of each message of a dump: peers with pads and unknown attributes, some cut at a message end."""
    head = attribute(_wire.WGDEVICE_A_IFINDEX, struct.pack("=I", IFINDEX))
    head += attribute(_wire.WGDEVICE_A_LISTEN_PORT, struct.pack("=H", 51820))
    if chance.random() < 0.9:
        head += attribute(_wire.WGDEVICE_A_PRIVATE_KEY, SECRETS["private"])
        head += attribute(_wire.WGDEVICE_A_PUBLIC_KEY, chance.randbytes(32))
    messages: list[list[bytes]] = [[]]
    for _number in range(chance.randrange(5)):
        facts = Facts(chance)
        if chance.random() < 0.2:
            messages.append([])
        cut = chance.randrange(len(facts.allowed_ips) + 1) if chance.random() < 0.4 else len(facts.allowed_ips)
        messages[-1].append(_peer(chance, facts, facts.allowed_ips[:cut], whole=True))
        if cut < len(facts.allowed_ips):
            messages.append([_peer(chance, facts, facts.allowed_ips[cut:], whole=False)])
    return [head + more_bytes(*messages[0]), *(more_bytes(*peers) for peers in messages[1:])]


def _peer(chance: Chance, facts: Facts, allowed_ips: list[str], whole: bool) -> bytes:
    values = {_wire.WGPEER_A_PUBLIC_KEY: facts.key}
    if whole:
        values |= SCALARS
        values[_wire.WGPEER_A_PRESHARED_KEY] = facts.preshared_key
        values[_wire.WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL] = struct.pack("=H", facts.keepalive)
        values[_wire.WGPEER_A_LAST_HANDSHAKE_TIME] = struct.pack("=qq", facts.handshake, 5000 if facts.handshake else 0)
        values[_wire.WGPEER_A_RX_BYTES] = struct.pack("=Q", facts.rx)
        values[_wire.WGPEER_A_TX_BYTES] = struct.pack("=Q", facts.tx)
        del values[_wire.WGPEER_A_ENDPOINT]
        if facts.endpoint:
            values[_wire.WGPEER_A_ENDPOINT] = sockaddr(
                *facts.endpoint, *([3] if facts.endpoint[0] == "fe80::1" else [])
            )
    values[_wire.WGPEER_A_ALLOWEDIPS] = b"".join(map(allowed_ip, allowed_ips))
    parts = [attribute(kind, value) for kind, value in values.items()]
    if chance.random() < 0.3:
        parts.insert(chance.randrange(1, len(parts) + 1), chance.choice([PAD, attribute(77, b"of a later kernel")]))
    return attribute(0, b"".join(parts))


def datagrams(chance: Chance, messages: list[bytes]) -> list[bytes]:
    """As they come from the socket: a datagram holds one message or several."""
    frame = Frame(SEQUENCE)
    said = [*map(frame.generic, messages), frame.done()]
    while len(said) > 1 and chance.random() < 0.4:
        at = chance.randrange(len(said) - 1)
        said[at : at + 2] = [said[at] + said[at + 1]]
    return said


def attribute_offsets(datagram: bytes) -> list[int]:
    """Where lengths stand, found by plausibility; also where none stands, which spoils as well."""
    return [
        at
        for at in range(0, len(datagram) - 3, 4)
        if 4 <= ATTRIBUTE_HEADER.unpack_from(datagram, at)[0] <= len(datagram) - at
        and ATTRIBUTE_HEADER.unpack_from(datagram, at)[1] & 0x3FFF < 80
    ]


# --- a daemon's


def daemon_answer(chance: Chance) -> bytes:
    """As wireguard-go says it, or, one in four, with ages in place of handshake times, as boringtun does."""
    ages = chance.random() < 0.25
    lines = [f"private_key={SECRETS['private'].hex()}"] if chance.random() < 0.9 and not ages else []
    lines += [f"own_public_key={'77' * 32}"] if ages else []
    lines += ["listen_port=51820"] + chance.choice([[], ["fwmark=5"]])
    for _number in range(chance.randrange(5)):
        facts = Facts(chance)
        of_peer = [f"preshared_key={facts.preshared_key.hex()}", "protocol_version=1"]
        if facts.endpoint:
            host, port = facts.endpoint
            scope = "%eth0" if host == "fe80::1" else ""
            of_peer.append(f"endpoint=[{host}{scope}]:{port}" if ":" in host else f"endpoint={host}:{port}")
        seconds = facts.handshake and (chance.randrange(1, 10**5) if ages else facts.handshake)
        of_peer += [f"last_handshake_time_sec={seconds}", f"last_handshake_time_nsec={5000 if seconds else 0}"]
        of_peer += [f"tx_bytes={facts.tx}", f"rx_bytes={facts.rx}", f"persistent_keepalive_interval={facts.keepalive}"]
        of_peer += [f"allowed_ip={network}" for network in facts.allowed_ips]
        lines += [f"public_key={facts.key.hex()}", *of_peer]
    return ("\n".join([*lines, "errno=0"]) + "\n\n").encode()


def shuffled(chance: Chance, reply: bytes) -> bytes:
    """The same said in another order: of peers, and of each one's lines."""
    head, *peers = reply[: -len(b"errno=0\n\n")].split(b"public_key=") if b"own_" not in reply else [reply]
    if not peers:
        return reply
    chance.shuffle(peers)
    for number, text in enumerate(peers):
        key, *lines = text.splitlines(keepends=True)
        chance.shuffle(lines)
        peers[number] = key + b"".join(lines)
    return b"public_key=".join([head, *peers]) + b"errno=0\n\n"


# --- spoiling bytes


def _slice(chance: Chance, data: bytes) -> tuple[int, int]:
    step = chance.choice([1, 4])  # attributes are aligned to four bytes
    start = chance.randrange(len(data) + 1) // step * step
    return start, min(len(data), start + step * chance.choice([1, 2, 5, 9, 30]))


def flip(chance: Chance, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def overwrite(chance: Chance, data: bytes) -> bytes:
    start, stop = _slice(chance, data)
    return (
        data[:start] + chance.choice([bytes(stop - start), b"\xff" * (stop - start), chance.randbytes(4)]) + data[stop:]
    )


def delete(chance: Chance, data: bytes) -> bytes:
    start, stop = _slice(chance, data)
    return data[:start] + data[stop:]


def duplicate(chance: Chance, data: bytes) -> bytes:
    start, stop = _slice(chance, data)
    return data[:stop] + data[start:stop] + data[stop:]


def move(chance: Chance, data: bytes) -> bytes:
    start, stop = _slice(chance, data)
    rest = data[:start] + data[stop:]
    at = chance.randrange(len(rest) + 1) & ~3
    return rest[:at] + data[start:stop] + rest[at:]


def truncate(chance: Chance, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def change_length(chance: Chance, data: bytes) -> bytes:
    offsets = attribute_offsets(data)
    if not offsets:
        return data
    at = chance.choice(offsets)
    (length,) = struct.unpack_from("=H", data, at)
    length = chance.choice([0, 3, 4, length - 1, length + 1, length - 4, length + 4, length + 8, 0xFFFF]) & 0xFFFF
    return data[:at] + struct.pack("=H", length) + data[at + 2 :]


def change_type(chance: Chance, data: bytes) -> bytes:
    offsets = attribute_offsets(data)
    if not offsets:
        return data
    at = chance.choice(offsets) + 2
    return data[:at] + struct.pack("=H", chance.choice([*range(12), 0x8008, 0x4001])) + data[at + 2 :]


def change_header(chance: Chance, data: bytes) -> bytes:
    if len(data) < MESSAGE_HEADER.size:
        return data
    header = list(MESSAGE_HEADER.unpack_from(data))
    field = chance.randrange(5)
    header[field] = chance.choice(
        [
            [0, 4, 15, 16, header[0] + 4, header[0] - 4, 1 << 31],
            [NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, 4, 16, 31],
            [NLM_F_DUMP_INTR, 0xFFFF],
            [SEQUENCE + 1, 0],
            [0, 4712],
        ][field]
    ) & (0xFFFF if field in (1, 2) else 0xFFFFFFFF)
    return MESSAGE_HEADER.pack(*header) + data[MESSAGE_HEADER.size :]


OF_BYTES: list[Callable[[Chance, bytes], bytes]] = [flip, overwrite, delete, duplicate, move, truncate]
OF_DATAGRAM = [*OF_BYTES, flip, change_length, change_length, change_type, change_header]


def spoil_dump(chance: Chance, said: list[bytes]) -> list[Datagram | bytes]:
    frame, result = Frame(SEQUENCE), list(said)
    for _number in range(chance.choice([1, 1, 1, 2, 3, 6])):
        at = chance.randrange(len(result)) if result else 0
        what = chance.random()
        if what < 0.75 and result and result[at]:
            result[at] = chance.choice(OF_DATAGRAM)(chance, result[at])
        elif what < 0.8:
            del result[at : at + 1]
        elif what < 0.85:
            result[at:at] = result[at : at + 1]
        elif what < 0.9:
            chance.shuffle(result)
        elif what < 0.95:
            code = chance.choice([0, 1, 4, 5, 16, 105, 200, 1 << 31])
            end = struct.pack("=I", -code & 0xFFFFFFFF)
            result.insert(at, frame.message(end, chance.choice([NLMSG_DONE, NLMSG_ERROR])))
        else:
            result[at:at] = [frame.generic(b"")] * chance.choice([1, 63, 64, 100])
    spoiled: list[Datagram | bytes] = list(result)
    if result and chance.random() < 0.05:
        at = chance.randrange(len(result))
        spoiled[at] = Datagram(result[at], *chance.choice([(socket.MSG_TRUNC, 0), (0, 4712)]))
    return spoiled


# --- spoiling lines


def _garbled(chance: Chance, line: bytes) -> bytes:
    name, _equals, value = line.partition(b"=")
    other = chance.choice(
        [b"", b"-1", b"0", b"9" * 20, b"9" * 5000, b"1e3", b"\xff\x00", b"::1", b"10.0.0.0/33", b"[::1]:70000"]
    )
    return chance.choice(
        [name, name + b"=" + other, b"x" + line, value, name.upper() + b"=" + value, line + b"0", line[:-1]]
    )


def spoil_text(chance: Chance, reply: bytes) -> bytes:
    for _number in range(chance.choice([1, 1, 1, 2, 3, 6])):
        lines = reply.split(b"\n")
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        what = chance.randrange(8)
        if what < 2 and reply:
            reply = chance.choice(OF_BYTES)(chance, reply)
            continue
        if what == 2:
            del lines[one]
        elif what == 3:
            lines.insert(other, lines[one])
        elif what == 4:
            lines[one], lines[other] = lines[other], lines[one]
        elif what == 5:
            lines[one] = _garbled(chance, lines[one])
        elif what == 6:  # the value of one under the name of another: a key where a number is due
            lines[one] = lines[one].partition(b"=")[0] + b"=" + lines[other].partition(b"=")[2]
        else:
            code = chance.choice([-1, -19, 22, 1 << 31, -(1 << 31), 1 << 63])
            lines[-3:-2] = [b"errno=%d" % code] if len(lines) > 3 else []
        reply = b"\n".join(lines)
    return reply

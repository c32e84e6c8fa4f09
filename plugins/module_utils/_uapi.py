# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer of the UAPI protocol, decoded. Pure: bytes in, values out. No message quotes a line, since lines hold keys."""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Optional, Tuple, TypeVar

from ._errors import MalformedReply
from ._fingerprint import fingerprint
from ._model import END_OF_TIME, KEY_LENGTH, SECOND, USERSPACE, Device, Peer, parse_allowed_ip, parse_endpoint

MAX_ERRNO = 4095  # of Linux; daemons tell errors as negative numbers
EPOCH_FROM = 1_000_000_000  # seconds: a smaller "time" is an age, as boringtun tells it; as a time it would be of 2001


Value = TypeVar("Value")


class Reply(NamedTuple):
    device: List[bytes]  # lines
    peers: List[bytes]  # each one's lines in one text, the first its public key alone
    errno: int


def split_reply(reply: bytes) -> Reply:
    """Cuts an answer into the device's lines and each peer's. MalformedReply where it is not one whole answer."""
    lines = reply.split(b"\n")
    if lines[-2:] != [b"", b""]:
        raise MalformedReply("The daemon's answer does not end with an empty line")
    device: List[bytes] = []
    peers: Dict[bytes, List[bytes]] = {}
    errno = None
    section = device
    for number, line in enumerate(lines[:-2], 1):
        name, equals, value = line.partition(b"=")
        if not equals or errno is not None:
            raise MalformedReply("Line %d of the daemon's answer is not of the form key=value" % number)
        if name == b"public_key":
            key = _key(value, number).hex().encode()
            if key in peers:
                raise MalformedReply("Line %d of the daemon's answer names a peer for the second time" % number)
            section = peers[key] = []
        elif name == b"errno":
            errno = _number(value, -MAX_ERRNO, MAX_ERRNO, number)
        else:
            section.append(line)
    if errno is None:
        raise MalformedReply("The daemon's answer has no errno line")
    return Reply(device, [b"\n".join([key, *lines]) for key, lines in peers.items()], errno)


def decode_device(lines: List[bytes]) -> Tuple[Device, Optional[bytes]]:
    """The device without name, link and peers, and the private key (None where there is none).

    wireguard-go tells the private key, boringtun only the public one, and either nothing where no key is set.
    """
    private_key: Optional[bytes] = None
    public_key: Optional[bytes] = None
    listen_port = fwmark = 0
    for line in lines:
        name, _equals, value = line.partition(b"=")
        if name == b"private_key":
            private_key = _key(value)
        elif name == b"own_public_key":
            public_key = _key(value)
        elif name == b"listen_port":
            listen_port = _number(value)
        elif name == b"fwmark":
            fwmark = _number(value)
    if private_key is not None and not any(private_key):
        private_key = None
    device = Device(
        "",
        backend=USERSPACE,
        public_key=public_key,
        has_private_key=private_key is not None or public_key is not None,
        listen_port=listen_port,
        fwmark=fwmark,
    )
    return device, private_key


def decode_peer(text: bytes) -> Tuple[Peer, Optional[int]]:
    """The peer, and the age of its handshake in nanoseconds where the daemon tells an age and not a time."""
    key, *lines = text.split(b"\n")
    peer = Peer(_key(key))
    preshared_key = endpoint = None
    keepalive = seconds = nanoseconds = received = sent = 0
    allowed_ips: List[bytes] = []
    for line in lines:
        name, _equals, value = line.partition(b"=")
        if not is_a_fact(line):
            raise MalformedReply("The daemon's answer has a line in a peer that is not of the form key=value")
        if name == b"allowed_ip":
            allowed_ips.append(_parsed(parse_allowed_ip, value, "an allowed IP"))
        elif name == b"preshared_key":
            secret = _key(value)
            preshared_key = fingerprint(secret) if any(secret) else None
        elif name == b"endpoint":
            endpoint = _parsed(parse_endpoint, value, "an endpoint")
        elif name == b"persistent_keepalive_interval":
            keepalive = _number(value)
        elif name == b"last_handshake_time_sec":
            seconds = _number(value, most=END_OF_TIME - 1)
        elif name == b"last_handshake_time_nsec":
            nanoseconds = _number(value, most=999_999_999)
        elif name == b"rx_bytes":
            received = _number(value)
        elif name == b"tx_bytes":
            sent = _number(value)
    at = seconds * SECOND + nanoseconds // 1000 * 1000
    age = at if (seconds or nanoseconds) and seconds < EPOCH_FROM else None
    return (
        peer._replace(
            preshared_key=preshared_key,
            endpoint=endpoint,
            allowed_ips=tuple(sorted(allowed_ips)),
            persistent_keepalive=keepalive,
            last_handshake_ns=0 if age is not None else at,
            rx_bytes=received,
            tx_bytes=sent,
        ),
        age,
    )


def is_a_fact(line: bytes) -> bool:
    """Whether it tells something, and not how the request went."""
    return b"=" in line and not line.startswith(b"errno=")


def _key(value: bytes, line: Optional[int] = None) -> bytes:
    try:
        key = bytes.fromhex(value.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_LENGTH or len(value) != 2 * KEY_LENGTH:
        where = "" if line is None else " in line %d" % line
        raise MalformedReply("The daemon's answer has a key%s that is not 64 hexadecimal digits" % where)
    return key


def _number(value: bytes, least: int = 0, most: int = (1 << 64) - 1, line: Optional[int] = None) -> int:
    digits = value[1:] if value.startswith(b"-") else value
    # A number is bounded before it is converted: converting takes quadratic time.
    number = int(value) if digits.isdigit() and len(digits) <= 20 else least - 1
    if not least <= number <= most:
        where = "" if line is None else " in line %d" % line
        raise MalformedReply("The daemon's answer has a number%s that is none, or out of range" % where)
    return number


def _parsed(parse: Callable[[str], Value], value: bytes, what: str) -> Value:
    try:
        return parse(value.decode("ascii"))
    except ValueError:
        pass  # it quotes the value, so the error below is not to remember it
    raise MalformedReply("The daemon's answer has a value that is not %s" % what)

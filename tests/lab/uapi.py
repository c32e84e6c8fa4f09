# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A userspace daemon that misbehaves on demand: the other end of the UAPI socket, for readers to be tested against.

::

    with FakeDaemon(folder, "wg0", stops_in_mid_reply(DEVICE_TEXT)) as daemon:
        ...                             # read folder/wg0.sock
        assert daemon.requests == [b"get=1\\n\\n"]

A behaviour is a function that gets one accepted connection after its request was read; when it returns, the connection
is closed.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Callable

GET = b"get=1\n\n"
REQUEST_END = b"\n\n"

# seconds; a reader that keeps a connection open longer than this without a request has its own problem
_CLIENT_PATIENCE = 30.0


class Connection:
    """One client's connection, as a behaviour sees it."""

    def __init__(self, client: socket.socket, stopping: threading.Event) -> None:
        self._client = client
        self.stopping = stopping

    def send(self, data: bytes) -> None:
        self._client.sendall(data)

    def wait(self, seconds: float | None = None) -> None:
        """Do nothing until the daemon is stopped (or the time is over)."""
        self.stopping.wait(seconds)


Behaviour = Callable[[Connection], None]


# --- texts


def device_text(peers: int = 1, *, private_key: bool = True, listen_port: int = 51820) -> str:
    """A plausible answer of wireguard-go, with made-up hex keys (`peer_key` tells which), without the final errno."""
    lines = [f"private_key={'58' * 32}"] if private_key else []
    lines.append(f"listen_port={listen_port}")
    for number in range(peers):
        lines += [
            f"public_key={peer_key(number)}",
            f"preshared_key={'00' * 32}",
            "protocol_version=1",
            f"endpoint=192.0.2.{number % 250 + 1}:51820",
            "last_handshake_time_sec=1795435200",
            "last_handshake_time_nsec=123456000",
            "tx_bytes=148",
            "rx_bytes=92",
            "persistent_keepalive_interval=25",
            f"allowed_ip=10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}/32",
        ]
    return "\n".join(lines) + "\n"


def peer_key(number: int) -> str:
    """The hex public key of a peer of `device_text`."""
    return f"{number + 1:064x}"


# --- behaviours


def answers(text: str, code: int = 0) -> Behaviour:
    """A complete answer."""
    return lambda connection: connection.send(f"{text}errno={code}\n\n".encode())


def boringtun(peers: Mapping[str, int | None]) -> Behaviour:
    """As boringtun answers: no private key, its own public key, and the *age* of a handshake in place of its time.

    `peers` maps hex public keys to that age in seconds, None for never. One request for each connection.
    """
    lines = [f"own_public_key={'77' * 32}", "listen_port=51820"]
    for key, age in peers.items():
        lines += [f"public_key={key}", "endpoint=192.0.2.7:51820", "allowed_ip=10.9.0.2/32"]
        if age is not None:
            lines += [f"last_handshake_time_sec={age}", "last_handshake_time_nsec=0"]
        lines += ["rx_bytes=92", "tx_bytes=148"]
    return answers("\n".join(lines) + "\n")


def hangs(connection: Connection) -> None:
    """Takes the request and never says a word."""
    connection.wait()


def hangs_in_mid_reply(text: str) -> Behaviour:
    """Sends the first half of the answer and then nothing, with the connection open."""

    def behave(connection: Connection) -> None:
        connection.send(text.encode()[: len(text) // 2])
        connection.wait()

    return behave


def stops_in_mid_reply(text: str) -> Behaviour:
    """Sends the first half of the answer and closes, as a daemon does that dies."""
    return lambda connection: connection.send(text.encode()[: len(text) // 2])


def closes_at_once(connection: Connection) -> None:
    """Closes without a word."""


def garbage(connection: Connection) -> None:
    """Sends bytes that are no UAPI answer, not even UTF-8, with the right ending."""
    connection.send(b"\x00\xff\xfe{not = a device\n\x80\x81\nerrno=0\n\n")


def byte_by_byte(text: str) -> Behaviour:
    """A complete answer, one byte a packet."""

    def behave(connection: Connection) -> None:
        for byte in f"{text}errno=0\n\n".encode():
            connection.send(bytes([byte]))

    return behave


def drips(text: str, pause: float = 1.0) -> Behaviour:
    """A complete answer, one byte a second: each of them is a sign of life, and the end never comes."""

    def behave(connection: Connection) -> None:
        for byte in f"{text}errno=0\n\n".encode():
            connection.send(bytes([byte]))
            connection.wait(pause)
            if connection.stopping.is_set():
                break

    return behave


def floods(connection: Connection) -> None:
    """As `endless`, as fast as the socket takes it."""
    block = b"".join(f"public_key={peer_key(number)}\n".encode() for number in range(10_000))
    while not connection.stopping.is_set():
        connection.send(block)


def endless(connection: Connection) -> None:
    """Sends peers for as long as anybody listens: only a bound of the reader ends it."""
    number = 0
    while not connection.stopping.is_set():
        block = "".join(f"public_key={peer_key(n)}\n" for n in range(number, number + 1000))
        connection.send(block.encode())
        number += 1000


# --- the daemon


class FakeDaemon:
    """Serves `folder`/`name`.sock in a thread until its block ends, then removes the socket.

    `requests` has the bytes of every request: a reader may send nothing but `get=1`.
    """

    def __init__(self, folder: Path, name: str, behaviour: Behaviour) -> None:
        self.path = folder / f"{name}.sock"
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._clients: dict[int, socket.socket] = {}
        self._listener = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> FakeDaemon:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._listener.bind(str(self.path))
        self._listener.listen(16)
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.die()
        self.path.unlink(missing_ok=True)

    def die(self) -> None:
        """Stop answering as a killed daemon does: the socket file stays, and refuses."""
        self._stopping.set()
        for client in list(self._clients.values()):
            _shut(client)  # wakes a thread that is sending to a client who does not read
        for thread in self._threads:
            thread.join(timeout=5)
        self._listener.close()

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                client, _address = self._listener.accept()
                self._clients[client.fileno()] = client
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        descriptor = client.fileno()
        client.settimeout(_CLIENT_PATIENCE)
        try:
            request = self._read_request(client)
            if request:
                self.requests.append(request)
                self.behaviour(Connection(client, self._stopping))
        except OSError as error:
            # The client went away, as a reader with a time-out or a bound does.
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT, None):
                raise
        finally:
            self._clients.pop(descriptor, None)
            client.close()

    def _read_request(self, client: socket.socket) -> bytes:
        request = b""
        while not request.endswith(REQUEST_END):
            piece = client.recv(4096)
            if not piece:
                break
            request += piece
        return request


def leave_dead_socket(folder: Path, name: str) -> Path:
    """Make the socket file of a daemon that was killed: connecting to it is refused. The caller removes it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return path


def _shut(client: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed already
        client.shutdown(socket.SHUT_RDWR)

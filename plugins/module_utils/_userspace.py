# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a userspace implementation (wireguard-go, boringtun) over its UAPI socket.

The protocol: https://www.wireguard.com/xplatform/#cross-platform-userspace-implementation. A socket that nobody listens
on is left where it is.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Callable, List, Mapping, NamedTuple, Optional, Sequence, Type

from ._errors import InterfaceGone, MalformedReply, NoPrivilege, Temporary, Unreadable
from ._model import USERSPACE, Device, Peer
from ._netns import Namespace
from ._uapi import Reply, decode_device, decode_peer, split_reply
from ._x25519 import public_key

SOCKET_DIRECTORY = "/var/run/wireguard"
TIMEOUT = 5.0  # seconds for a whole answer: 10,000 peers take 50 ms
REPLY_BYTES = 256 << 20  # 100,000 peers with ten allowed IPs each are about 60 MB
REQUEST = b"get=1\n\n"
END = b"\n\n"
SECOND_TIME = "The daemon's answer names a peer for the second time"


def socket_path(interface: str, directory: str = SOCKET_DIRECTORY) -> str:
    return os.path.join(directory, interface + ".sock")


class Answer(NamedTuple):
    """A daemon's answer, and when it came."""

    reply: bytes
    wall_ns: int
    monotonic_ns: int

    def time_of(self, age: int) -> int:
        """Of what is so many nanoseconds old in it, in steps of a microsecond."""
        return (self.wall_ns - age) // 1000 * 1000


class Afresh:
    """Takes each answer by itself, for who reads once. ``Reuse`` (``_reuse.py``) is the one for who reads on and on."""

    def cut(self, reply: bytes) -> Optional[Reply]:
        """An answer cut without a look at each line; None where that would be no gain, or tells too little."""
        return None

    def public_key(self, private_key: bytes) -> bytes:
        return public_key(private_key)

    def dated(self, peer: Peer, age: Optional[int], answer: Answer) -> Peer:
        """The peer with a handshake time, where the daemon told its age in nanoseconds (boringtun)."""
        return peer if age is None else peer._replace(last_handshake_ns=answer.time_of(age))

    def peers(self, texts: Sequence[bytes], decode: Callable[[bytes], Peer]) -> Mapping[bytes, Peer]:
        """By public key; MalformedReply where two texts are of one peer."""
        peers = {peer.public_key: peer for peer in map(decode, texts)}
        if len(peers) < len(texts):
            raise MalformedReply(SECOND_TIME)
        return peers

    def device(self, device: Device) -> Device:
        return device


class UserspaceReader:
    """Reads one interface, poll after poll: one connection for each, since boringtun answers one request per connection."""

    backend = USERSPACE

    def __init__(
        self,
        namespace: Namespace,
        interface: str,
        directory: str = SOCKET_DIRECTORY,
        timeout: float = TIMEOUT,
        memory: Type[Afresh] = Afresh,
        aside: Optional[Callable[..., Callable[[], Answer]]] = None,
        wall_clock: Callable[[], int] = time.time_ns,
        monotonic_clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """With ``Reuse`` for a memory, what did not change since the last poll is the same object.

        ``aside`` makes the call that asks into one that raises Pending, with a sentence, while the answer is not there: it is then
        for one of the next reads (``Aside`` with its ``patience``).
        """
        self.namespace = namespace
        self.interface = interface
        self._path = socket_path(interface, directory)
        self._timeout = timeout
        self._wall_clock = wall_clock
        self._monotonic_clock = monotonic_clock
        self._memory = memory()
        self._get: Callable[[], Answer] = self._ask
        if aside is not None:
            self._get = aside(self._ask, what="The daemon of interface %s has not answered yet" % interface)

    def close(self) -> None:
        """Nothing is held open between two polls."""

    def read(self) -> Device:
        """The device as it is now, whole. InterfaceGone, or an Unreadable with the reason."""
        answer = self._get()
        reply = self._memory.cut(answer.reply)
        if reply is not None:
            try:
                return self._decoded(reply, answer)
            except MalformedReply:
                pass  # who looks at each line says which one it is
        reply = split_reply(answer.reply)
        if reply.errno:
            raise Unreadable(
                "The daemon of interface %s answers %s (errno %d)"
                % (self.interface, os.strerror(abs(reply.errno)), reply.errno)
            )
        return self._decoded(reply, answer)

    def _decoded(self, reply: Reply, answer: Answer) -> Device:
        device, private_key = decode_device(reply.device)
        if private_key is not None:
            device = device._replace(public_key=self._memory.public_key(private_key))
        ifindex, up = self.namespace.link(self.interface)
        peers = self._memory.peers(reply.peers, lambda text: self._memory.dated(*decode_peer(text), answer))
        return self._memory.device(
            device._replace(interface=self.interface, netns=self.namespace.netns, ifindex=ifindex, up=up, peers=peers)
        )

    def _ask(self) -> Answer:
        reply = self._exchange()
        return Answer(reply, self._wall_clock(), self._monotonic_clock())

    def _exchange(self) -> bytes:
        deadline = time.monotonic() + self._timeout
        received: List[bytes] = []
        size = 0
        tail = b""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connection.settimeout(self._timeout)
            connection.connect(self._path)
            connection.sendall(REQUEST)
            while not tail.endswith(END):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise socket.timeout
                connection.settimeout(left)
                chunk = connection.recv(1 << 18)
                if not chunk:
                    raise Temporary("The daemon of interface %s hung up in mid-answer" % self.interface)
                received.append(chunk)
                size += len(chunk)
                if size > REPLY_BYTES:
                    raise MalformedReply(
                        "The daemon of interface %s sent %d bytes without an end" % (self.interface, size)
                    )
                tail = (tail + chunk)[-2:]
            return b"".join(received)
        except (FileNotFoundError, NotADirectoryError):
            raise InterfaceGone(
                "There is no interface %s%s: no WireGuard of the kernel, and no socket %s"
                % (self.interface, self.namespace, self._path)
            ) from None
        except ConnectionRefusedError:
            raise InterfaceGone(
                "The daemon of interface %s is not running: nobody listens on %s" % (self.interface, self._path)
            ) from None
        except PermissionError:
            raise NoPrivilege(
                "The socket %s may not be opened by this user: run as root (in Ansible with become: true)" % self._path
            ) from None
        except socket.timeout:
            raise Temporary(
                "The daemon of interface %s did not answer whole within %g s (%d bytes came)"
                % (self.interface, self._timeout, size)
            ) from None
        except OSError as error:
            raise Temporary("The daemon of interface %s can't be read: %s" % (self.interface, error.strerror)) from None
        finally:
            connection.close()
            # An error holds on to this frame for as long as somebody holds on to it, and this may be much.
            received.clear()

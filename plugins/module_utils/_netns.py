# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces: entering one to open a socket in it, never making one.

A socket stays in the namespace it was opened in, whoever uses it later. So a short-lived thread enters the namespace
(setns(2) moves one thread), opens what is needed and ends; no other thread ever sees the other namespace.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
import threading
from typing import Any, Callable, List, Optional, Tuple, TypeVar, cast

from ._errors import MissingDependency, MissingNamespace, NoPrivilege
from ._library import how_to_get

NAMED_NAMESPACES = "/var/run/netns"  # where ip-netns(8) keeps them

SIOCGIFNAME, SIOCGIFFLAGS, SIOCGIFINDEX = 0x8910, 0x8913, 0x8933  # linux/sockios.h
IFF_UP = 0x1
IFREQ = struct.Struct("16s24x")  # struct ifreq of linux/if.h on 64-bit; 32-bit kernels read less of it

Result = TypeVar("Result")


def named_namespaces() -> List[str]:
    try:
        return sorted(os.listdir(NAMED_NAMESPACES))
    except OSError:
        return []


class Namespace:
    """A network namespace by name or path, or the caller's own (None)."""

    # A number that is another after each change of a link; None where nobody listens for those (``_listening.py``).
    link_changes: Optional[int] = None

    def __init__(self, netns: Optional[str]) -> None:
        self.netns = netns
        self.generation = 0  # rises when sockets opened earlier are of a namespace that is no more
        self._ioctl_socket: Optional[socket.socket] = None
        self._opened: Optional[Tuple[int, int]] = None

    def __str__(self) -> str:
        """For the end of a sentence: empty for the caller's own."""
        return "" if self.netns is None else " in network namespace %s" % self.netns

    def run(self, function: Callable[[], Result]) -> Result:
        """Calls ``function`` inside the namespace and hands on what it returns or raises."""
        if self.netns is None:
            return function()
        outcome: List[Any] = []

        def enter() -> None:
            try:
                self._enter()
                outcome.extend((True, function()))
            except BaseException as error:
                outcome.extend((False, error))

        thread = threading.Thread(target=enter, name="netns", daemon=True)
        thread.start()
        thread.join()
        done, result = outcome
        if not done:
            raise result
        return cast(Result, result)

    def check(self) -> None:
        """MissingNamespace where it is gone, or is another one than the sockets were opened in (those get closed).

        An open socket keeps a namespace and its interfaces alive after ``ip netns del``: a watcher must let go.
        """
        if self.netns is None:
            return
        try:
            identity = self._identity()
        except MissingNamespace:
            self.close()
            raise
        if self._opened is not None and identity != self._opened:
            self.close()
            raise MissingNamespace("Network namespace %s was deleted and made again" % self.netns)
        self._opened = identity

    def close(self) -> None:
        if self._ioctl_socket is not None:
            self._ioctl_socket.close()
        self._ioctl_socket = self._opened = None
        self.generation += 1

    def link(self, interface: str) -> Tuple[Optional[int], Optional[bool]]:
        """(ifindex, administratively up) of a link; (None, None) where there is none of that name."""
        name = interface.encode()
        try:
            # In this order: an index that is still there was there when the flags were read, and so they are that link's.
            flags = self._ioctl(SIOCGIFFLAGS, name)
            index = self._ioctl(SIOCGIFINDEX, name)
        except OSError:
            return None, None
        return struct.unpack_from("=i", index, 16)[0], bool(struct.unpack_from("=H", flags, 16)[0] & IFF_UP)

    def link_name(self, ifindex: int) -> str:
        """The name of a link, or its number where there is none (a scope of an IPv6 address)."""
        try:
            reply = self._ioctl(SIOCGIFNAME, struct.pack("=16xi", ifindex))
        except OSError:
            return str(ifindex)
        return reply[:16].rstrip(b"\0").decode(errors="replace")

    def _ioctl(self, request: int, ifreq: bytes) -> bytes:
        if self._ioctl_socket is None:
            self._ioctl_socket = self.run(
                lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            )
        return fcntl.ioctl(self._ioctl_socket, request, ifreq.ljust(IFREQ.size, b"\0"))

    @property
    def path(self) -> str:
        """Of a namespace by name or path; meaningless for the caller's own."""
        netns = self.netns or ""
        return netns if "/" in netns else os.path.join(NAMED_NAMESPACES, netns)

    def _identity(self) -> Tuple[int, int]:
        try:
            status = os.stat(self.path)
        except OSError:
            raise self._missing() from None
        return status.st_dev, status.st_ino

    def _missing(self) -> MissingNamespace:
        there = ", ".join(named_namespaces()) or "none"
        return MissingNamespace(
            "There is no network namespace %s (looked for %s). Named namespaces here: %s. One without a name is "
            "given by its path, such as /proc/PID/ns/net" % (self.netns, self.path, there)
        )

    def _enter(self) -> None:
        require_pyroute2()
        from pyroute2 import netns as pyroute2_netns

        self._identity()
        try:
            # flags=0: its default would make a namespace that is not there.
            pyroute2_netns.setns(self.path, flags=0)
        except Exception:
            # pyroute2 0.7 loses the errno of setns(2); what exists and can't be entered leaves two causes.
            raise NoPrivilege(
                "%s can't be entered as a network namespace. That needs the capability CAP_SYS_ADMIN (run as root, with "
                "become), and a path must lead to a namespace, as /proc/PID/ns/net does" % self.path
            ) from None


def require_pyroute2() -> None:
    """MissingDependency, with how to get it, where it can't be imported."""
    try:
        import pyroute2  # noqa: F401
    except ImportError:
        raise MissingDependency(
            "The option netns needs the Python library pyroute2 for %s on this host: %s (0.7.2 or later). Only the caller's own "
            "network namespace can be read without it" % (sys.executable, how_to_get("pyroute2", "python3-pyroute2"))
        ) from None
    except Exception as error:  # pip brings 0.9.2 to Python 3.8, where importing it is a TypeError
        raise MissingDependency(
            "The option netns needs the Python library pyroute2, and that of %s can't be imported (%s: %s): install another "
            "version. 0.8.1 is the last that runs on Python 3.8. Only the caller's own network namespace can be read without it"
            % (sys.executable, type(error).__name__, error)
        ) from None

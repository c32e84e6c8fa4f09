# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for the next poll, or for a sign that something is to be seen before it.

Signs are the kernel's link notifications and changes in the socket directory of userspace daemons. They only say "look
now": nothing is decoded, nothing depends on them, and where one can't be had the polls go on without it.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
from typing import Dict, List, Optional, Sequence

from ._errors import WireGuardError
from ._netns import Namespace
from ._userspace import SOCKET_DIRECTORY

IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE = 0x40, 0x80, 0x100, 0x200  # sys/inotify.h
IN_IGNORED, IN_ONLYDIR = 0x8000, 0x01000000
DIRECTORY_EVENTS = IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ONLYDIR
INOTIFY_EVENT = struct.Struct("=iIII")  # watch, mask, cookie, length of the name that follows
DRAIN_BYTES = 64 * 1024


class Triggers:
    """One for a watcher's namespaces. Only ``wake`` may be called from another thread."""

    def __init__(self, namespaces: Sequence[Namespace], directory: str = SOCKET_DIRECTORY) -> None:
        self._namespaces = list(namespaces)
        self._directory = DirectoryEvents(directory)
        self._awake, self._waker = socket.socketpair()
        self._awake.setblocking(False)

    def wait(self, seconds: float) -> bool:
        """Returns after that time (False), or as soon as links or sockets changed (True) or ``wake`` was called."""
        poll = select.poll()
        sources: Dict[int, socket.socket] = {}
        for sock in self._link_sockets():
            sources[sock.fileno()] = sock
            poll.register(sock, select.POLLIN)
        inotify = self._directory.fileno()
        if inotify is not None:
            poll.register(inotify, select.POLLIN)
        poll.register(self._awake, select.POLLIN)
        sign = False
        for descriptor, _event in poll.poll(max(0.0, seconds) * 1000):
            if descriptor in sources:
                _drain(sources[descriptor])
                sign = True
            elif descriptor == inotify:
                sign = self._directory.drain() or sign
            else:
                _drain(self._awake)
        return sign

    def wake(self) -> None:
        """Ends a wait."""
        try:
            self._waker.send(b"x")
        except OSError:
            pass

    def close(self) -> None:
        self._directory.close()
        self._awake.close()
        self._waker.close()

    def _link_sockets(self) -> List[socket.socket]:
        sockets = []
        for namespace in self._namespaces:
            try:
                sockets.append(namespace.link_socket())
            except (WireGuardError, OSError):
                continue  # the poll says what is wrong with this namespace
        return sockets


class DirectoryEvents:
    """inotify(7) on one directory, which may come into being later. The standard library has no inotify."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: Optional[int] = None
        self._watches_directory = False
        descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if descriptor >= 0:
            self._descriptor = descriptor
            self._watch()

    def fileno(self) -> Optional[int]:
        return self._descriptor

    def drain(self) -> bool:
        """Takes what came; True where it is of the directory itself, and not of one above it."""
        ours = self._watches_directory
        assert self._descriptor is not None
        try:
            events = os.read(self._descriptor, DRAIN_BYTES)
        except OSError:
            return False
        if not ours or _has_ignored(events):
            self._watch()
        return ours or self._watches_directory

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _watch(self) -> None:
        """Watches the directory, or while it is missing the nearest one above it, where it will appear."""
        path = self._directory
        while self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), DIRECTORY_EVENTS) < 0:
            if path == os.path.dirname(path):
                break
            path = os.path.dirname(path)
        self._watches_directory = path == self._directory


def _has_ignored(events: bytes) -> bool:
    """Whether one of the events says that a watch is gone, since its directory is ."""
    offset = 0
    while offset + INOTIFY_EVENT.size <= len(events):
        _watch, mask, _cookie, length = INOTIFY_EVENT.unpack_from(events, offset)
        if mask & IN_IGNORED:
            return True
        offset += INOTIFY_EVENT.size + length
    return False


def _drain(sock: socket.socket) -> None:
    """Takes all that is there. A lost notification (ENOBUFS) is a sign as good as any."""
    try:
        while sock.recv(DRAIN_BYTES):
            pass
    except OSError:
        pass

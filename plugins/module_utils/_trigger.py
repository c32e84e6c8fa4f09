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
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ._errors import WireGuardError
from ._listening import DRAIN_BYTES, ListeningNamespace, drain
from ._userspace import SOCKET_DIRECTORY

IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE = 0x40, 0x80, 0x100, 0x200  # sys/inotify.h
IN_IGNORED, IN_ONLYDIR = 0x8000, 0x01000000
DIRECTORY_EVENTS = IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ONLYDIR
INOTIFY_EVENT = struct.Struct("=iIII")  # watch, mask, cookie, length of the name that follows
QUEUE_OVERFLOW = -1  # in place of a watch: something was lost, so anything may have happened
LONGEST = 3600.0  # seconds of one wait: poll(2) takes no more than 24 days, and a wait may end early


class Triggers:
    """One for a watcher's namespaces. Only ``wake`` may be called from another thread."""

    def __init__(self, namespaces: Sequence[ListeningNamespace], directory: str = SOCKET_DIRECTORY) -> None:
        self._namespaces = list(namespaces)
        self._directory = DirectoryEvents(directory)
        self._awake, self._waker = socket.socketpair()
        self._awake.setblocking(False)

    def wait(self, seconds: float) -> bool:
        """Returns after that time at the latest, and as soon as links or sockets changed (True) or ``wake`` was called."""
        poll = select.poll()
        sources: Dict[int, ListeningNamespace] = {}
        for namespace in self._listening():
            sources[namespace.link_socket().fileno()] = namespace
            poll.register(namespace.link_socket(), select.POLLIN)
        inotify = self._directory.fileno()
        if inotify is not None:
            poll.register(inotify, select.POLLIN)
        poll.register(self._awake, select.POLLIN)
        sign = False
        for descriptor, _event in poll.poll(min(max(0.0, seconds), LONGEST) * 1000):
            if descriptor in sources:
                sources[descriptor].hear_of_links()
                sign = True
            elif descriptor == inotify:
                sign = self._directory.drain() or sign
            else:
                drain(self._awake)
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

    def _listening(self) -> List[ListeningNamespace]:
        listening = []
        for namespace in self._namespaces:
            try:
                namespace.link_socket()
            except (WireGuardError, OSError):
                continue  # the poll says what is wrong with this namespace
            listening.append(namespace)
        return listening


class DirectoryEvents:
    """inotify(7) on one directory, which may come into being later. The standard library has no inotify."""

    def __init__(self, directory: str) -> None:
        self._directory = os.path.abspath(directory)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: Optional[int] = None
        self._watched: Optional[int] = None
        self._watches_directory = False
        descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if descriptor >= 0:
            self._descriptor = descriptor
            self._watch()

    def fileno(self) -> Optional[int]:
        return self._descriptor

    def drain(self) -> bool:
        """Takes what came; True where it is of the directory itself, and not of one above it."""
        if self._descriptor is None:
            return False
        try:
            events = os.read(self._descriptor, DRAIN_BYTES)
        except OSError:
            return False
        masks = [mask for watch, mask in _events(events) if watch in (self._watched, QUEUE_OVERFLOW)]
        sign = self._watches_directory and bool(masks)
        if not self._watches_directory or any(mask & IN_IGNORED for mask in masks):
            self._watch()
            # Whatever is in a directory that has just come, nobody told of it.
            sign = sign or self._watches_directory
        return sign

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _watch(self) -> None:
        """Watches the directory, or while it is missing the nearest one above it, where it will appear."""
        for _attempt in range(2):  # the second is for a directory that came while its parent was not watched yet
            path = self._directory
            watch = self._add(path)
            while watch < 0 and path != os.path.dirname(path):
                path = os.path.dirname(path)
                watch = self._add(path)
            if self._watched not in (None, watch):
                # Else everything that happens in a directory above, such as /run, would be a reason to poll.
                self._libc.inotify_rm_watch(self._descriptor, self._watched)
            self._watched = watch
            self._watches_directory = path == self._directory and watch >= 0
            if self._watches_directory:
                break

    def _add(self, path: str) -> int:
        watch: int = self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), DIRECTORY_EVENTS)
        return watch


def _events(data: bytes) -> Iterator[Tuple[int, int]]:
    """(watch, mask) of each inotify event."""
    offset = 0
    while offset + INOTIFY_EVENT.size <= len(data):
        watch, mask, _cookie, length = INOTIFY_EVENT.unpack_from(data, offset)
        yield watch, mask
        offset += INOTIFY_EVENT.size + length

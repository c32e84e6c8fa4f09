# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real host does to a watcher: changes in mid-dump, lost privileges, a clock that is stepped, a module that goes."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._clock import Clock
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._inbox import Inbox
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND, encode_key
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import (
    GENERIC_HEADER,
    GENL_ID_CTRL,
    MESSAGE_HEADER,
    GenericNetlink,
    attributes,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._recvmmsg import Recvmmsg
from ansible_collections.wirewatch.wireguard.plugins.module_utils._trigger import Triggers
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions
from ansible_collections.wirewatch.wireguard.plugins.module_utils._wire import WGDEVICE_A_PEERS, WGPEER_A_PUBLIC_KEY
from lab import wait_for
from lab.commands import run

Event = dict[str, Any]

PATIENCE = 60.0  # seconds; emulated, all takes twenty times as long
MODPROBE = Path("/proc/sys/kernel/modprobe")  # what the kernel calls to load a module on demand


class LaterClock(Clock):
    """The host's clocks, `later` seconds on: time passes as fast as a test wants it to."""

    def __init__(self) -> None:
        self.later = 0.0

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + round(self.later * SECOND)

    def wall_ns(self) -> int:
        return super().wall_ns() + round(self.later * SECOND)


class Watch:
    """A watcher that polls when it is told to, with the kernel's own notifications of links."""

    def __init__(self, pattern: str, netns: Sequence[str], clock: Clock | None = None) -> None:
        options = WatchOptions(patterns=[pattern], netns=list(netns), host="here")
        self._watcher = Watcher(options, clock)
        self._triggers = Triggers(self._watcher.namespaces)
        self._triggers.wait(0)  # opens what notifications come through

    def poll(self) -> list[Event]:
        events = [event for event, _wanted in self._watcher.poll(self._triggers.wait(0))]
        self._watcher.confirm()
        return events

    def until(self, kind: str, **fields: object) -> tuple[Event, list[Event]]:
        """Polls until there is an event of this type with these values: that one, and all that came by then."""
        seen: list[Event] = []

        def came() -> Event | None:
            seen.extend(self.poll())
            matching = (event for event in seen if event["type"] == kind)
            return next((event for event in matching if all(event[name] == fields[name] for name in fields)), None)

        return wait_for(came, PATIENCE, f"an event {kind} with {fields}"), seen

    def close(self) -> None:
        self._triggers.close()
        self._watcher.close()


class Dumps:
    """What the kernel answers to each request for a device, page by page, from here on. `pages` has the peers' keys.

    `between` is called after each page, before the next is asked for; the kernel has that one ready by then.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages: list[list[list[str]]] = []  # of each dump, of each of its pages
        self.between: Callable[[int], None] = lambda _page: None
        dump, receive = GenericNetlink.request_dump, Inbox.receive

        def watched_dump(netlink: GenericNetlink, *arguments: Any) -> list:
            self.pages.append([])
            try:
                return dump(netlink, *arguments)
            except Temporary:
                self._take_the_rest(netlink)
                raise

        def watched_receive(inbox: Inbox) -> None:
            receive(inbox)
            (size,) = inbox.shape.sizes
            if self.pages and (keys := _peers_in(bytes(inbox.buffer[:size]))):
                self.pages[-1].append(keys)
                self.between(len(self.pages[-1]))

        monkeypatch.setattr(GenericNetlink, "request_dump", watched_dump)
        # A batch is one call into the kernel: nobody gets between its pages.
        for name in ("receive", "is_empty", "exchange", "make_room"):
            monkeypatch.setattr(Recvmmsg, name, getattr(Inbox, name))
        for kind in (Inbox, Recvmmsg):
            monkeypatch.setattr(kind, "receive", watched_receive)

    def _take_the_rest(self, netlink: GenericNetlink) -> None:
        """What the reader would have got, had it gone on. Each receive makes the kernel write a page, so it is there at once."""
        netlink._socket.setblocking(False)
        try:
            while data := netlink._socket.recv(64 * 1024):
                self.pages[-1].append(_peers_in(data))
        except BlockingIOError:
            pass


def cursor(pages: list[list[str]], page: int) -> str:
    """The peer that the kernel remembers while it has written so many pages: the last one that is whole."""
    return [key for key in pages[page - 1] if key not in pages[page]][-1]


def _peers_in(datagram: bytes) -> list[str]:
    keys = []
    offset = 0
    while offset < len(datagram):
        length, kind = MESSAGE_HEADER.unpack_from(datagram, offset)[:2]
        if kind > GENL_ID_CTRL:
            start = offset + MESSAGE_HEADER.size + GENERIC_HEADER.size
            for attribute, first, last in attributes(datagram, start, offset + length):
                if attribute == WGDEVICE_A_PEERS:
                    keys += [_key(datagram, *peer[1:]) for peer in attributes(datagram, first, last)]
        offset += (length + 3) & ~3
    return keys


def _key(datagram: bytes, start: int, stop: int) -> str:
    return next(
        encode_key(datagram[first:last])
        for attribute, first, last in attributes(datagram, start, stop)
        if attribute == WGPEER_A_PUBLIC_KEY
    )


CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21  # linux/capability.h
_CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3


@contextmanager
def without(*capabilities: int) -> Iterator[None]:
    """This thread, and those that it starts, without some capabilities. Programs that root starts have them all."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, of the lower 32 and of the upper

    def call(function: Any) -> None:
        if function(header, sets):
            raise OSError(ctypes.get_errno(), "The capabilities of this thread can't be had")

    call(libc.capget)
    before = sets[0]
    sets[0] = before & ~sum(1 << capability for capability in capabilities)
    call(libc.capset)
    try:
        yield
    finally:
        sets[0] = before
        call(libc.capset)


def _only_in_the_virtual_machine() -> None:
    if "WW_IN_GUEST" not in os.environ:
        raise RuntimeError("The clock and the modules of this host are not for a test to change.")


@contextmanager
def a_clock_to_step() -> Iterator[Callable[[float], None]]:
    """Steps the wall clock of the virtual machine by some seconds from where it was at first; at the end it is right again."""
    _only_in_the_virtual_machine()
    right = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    def step(seconds: float) -> None:
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) + right
        time.clock_settime_ns(time.CLOCK_REALTIME, now + round(seconds * SECOND))

    try:
        yield step
    finally:
        step(0)


@contextmanager
def no_module() -> Iterator[None]:
    """The virtual machine's kernel without WireGuard, and not loading it on demand. Interfaces go with the module."""
    _only_in_the_virtual_machine()
    loader = MODPROBE.read_text(encoding="ascii")
    MODPROBE.write_text("/bin/false", encoding="ascii")
    try:
        run(["rmmod", "wireguard"], timeout=300)
        yield
    finally:
        MODPROBE.write_text(loader, encoding="ascii")
        run(["modprobe", "wireguard"])


def family() -> int:
    """The number that generic netlink gave to WireGuard."""
    netlink = GenericNetlink.open()
    try:
        return netlink.family("wireguard")
    finally:
        netlink.close()

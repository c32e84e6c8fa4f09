# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading one interface by name, whichever backend it lives on."""

from __future__ import annotations

import os
from typing import Callable, NamedTuple, Optional, Type, Union

from ._decoder import Decoder
from ._errors import (
    InterfaceGone,
    MalformedReply,
    NoKernelModule,
    NotWireGuard,
    Pending,
    WireGuardError,
    forget_variables,
)
from ._kernel import KernelReader
from ._model import KERNEL, USERSPACE, Device
from ._netns import Namespace
from ._userspace import SOCKET_DIRECTORY, Afresh, Answer, UserspaceReader, socket_path

AUTO = "auto"
BACKENDS = (AUTO, KERNEL, USERSPACE)


class Ways(NamedTuple):
    """How answers are taken in: each by itself, for who reads once. ``_following.py`` has those for who reads on and on."""

    decoder: Type[Decoder] = Decoder  # of the kernel's, see KernelReader
    memory: Type[Afresh] = Afresh  # of a daemon's, see UserspaceReader
    aside: Optional[Callable[..., Callable[[], Answer]]] = None  # likewise


ONCE = Ways()


class InterfaceReader:
    """Reads ``interface``; with backend ``auto`` the kernel is asked first, then a daemon's socket of that name.

    The backend that answered last is asked first in the next poll: looking for the kernel's family on a host without it
    would call modprobe at each poll.
    """

    def __init__(
        self,
        namespace: Namespace,
        interface: str,
        backend: str = AUTO,
        directory: str = SOCKET_DIRECTORY,
        ways: Ways = ONCE,
    ) -> None:
        self.namespace = namespace
        self.interface = interface
        self.backend = backend
        self._directory = directory
        self._ways = ways
        self._last: Optional[Union[KernelReader, UserspaceReader]] = None
        self._generation = namespace.generation

    def close(self) -> None:
        if self._last is not None:
            self._last.close()
            self._last = None

    def read(self) -> Device:
        """The device as it is now. InterfaceGone where there is none, or an Unreadable with the reason."""
        try:
            return self._read_named()
        except BaseException as error:
            forget_variables(error)
            raise

    def _read_named(self) -> Device:
        try:
            return self._read()
        except MalformedReply as error:
            if isinstance(self._last, KernelReader):
                self.close()  # a daemon's has nothing open, and remembers what ages were taken for
            raise MalformedReply("Interface %s%s can't be read. %s" % (self.interface, self.namespace, error)) from None

    def _read(self) -> Device:
        try:
            self.namespace.check()
        except WireGuardError:
            self.close()
            raise
        if self._generation != self.namespace.generation:
            self.close()
            self._generation = self.namespace.generation
        if self._last is not None:
            try:
                return self._last.read()
            except (InterfaceGone, NotWireGuard, NoKernelModule):
                self.close()
        if self.backend == USERSPACE:
            return self._keep(self._userspace())
        try:
            return self._keep(lambda: KernelReader(self.namespace, self.interface, self._ways.decoder))
        except (InterfaceGone, NotWireGuard, NoKernelModule) as error:
            if self.backend == AUTO and self._socket_is_ours(error):
                return self._keep(self._userspace())
            raise self._explain(error) from None

    def _keep(self, make: Callable[[], Union[KernelReader, UserspaceReader]]) -> Device:
        reader = make()
        try:
            device = reader.read()
        except Pending:
            self._last = reader  # which is the one to be asked for the answer
            raise
        except BaseException:
            reader.close()
            raise
        self._last = reader
        return device

    def _userspace(self) -> Callable[[], UserspaceReader]:
        _decoder, memory, aside = self._ways
        return lambda: UserspaceReader(self.namespace, self.interface, self._directory, memory=memory, aside=aside)

    def _socket_is_ours(self, error: WireGuardError) -> bool:
        """Sockets are found by file, from every namespace; what tells a namespace's own is that the link is there."""
        if not os.path.exists(socket_path(self.interface, self._directory)):
            return False
        if self.namespace.netns is None or isinstance(error, NotWireGuard):
            return True
        return self.namespace.link(self.interface)[0] is not None

    def _explain(self, error: WireGuardError) -> WireGuardError:
        path = socket_path(self.interface, self._directory)
        socket_there = (
            "there is a userspace socket %s" if os.path.exists(path) else "there is no userspace socket %s either"
        )
        socket_there %= path
        if isinstance(error, NoKernelModule):
            if self.namespace.link(self.interface)[0] is None:
                return InterfaceGone(
                    "There is no interface %s%s; %s. %s" % (self.interface, self.namespace, socket_there, error)
                )
            return NoKernelModule(
                "Interface %s%s can't be read as WireGuard; %s. %s"
                % (self.interface, self.namespace, socket_there, error)
            )
        if isinstance(error, NotWireGuard):
            return NotWireGuard("%s, and %s" % (error, socket_there))
        return error

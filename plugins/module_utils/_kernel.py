# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a device of the kernel: WG_CMD_GET_DEVICE (``include/uapi/linux/wireguard.h``, ``drivers/net/wireguard/netlink.c``)."""

from __future__ import annotations

import errno
import os
import time
from functools import partial
from typing import Callable, NamedTuple, Optional, Type

from ._decoder import Decoder
from ._errors import (
    InterfaceGone,
    NoKernelModule,
    NoPrivilege,
    NotWireGuard,
    Temporary,
    Unreadable,
)
from ._model import KERNEL, Device
from ._netlink import GENERIC_HEADER, TEMPORARY_ERRORS, Answer, GenericNetlink, attribute, repeated
from ._netns import Namespace

FAMILY = "wireguard"
FAMILY_VERSION = 1
WG_CMD_GET_DEVICE = 0
WGDEVICE_A_IFNAME = 2


class _Link(NamedTuple):
    """The link as it was last asked for: at which change of links, and whether it was up; None where it could not be seen."""

    changes: Optional[int]
    ifindex: Optional[int]
    up: Optional[bool]


class KernelReader:
    """Reads one interface, poll after poll. Keeps a socket, and its decoder what that wants; not for two threads at once."""

    backend = KERNEL

    def __init__(
        self,
        namespace: Namespace,
        interface: str,
        decoder: Type[Decoder] = Decoder,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """With ``Pages`` for a decoder, what did not change since the last poll is the same object."""
        self.namespace = namespace
        self.interface = interface
        self._where = "%s%s" % (interface, namespace)
        name = attribute(WGDEVICE_A_IFNAME, interface.encode() + b"\0")
        self._request = GENERIC_HEADER.pack(WG_CMD_GET_DEVICE, FAMILY_VERSION, 0) + name
        self._sleep = sleep
        self._netlink: Optional[GenericNetlink] = None
        self._family = 0
        self._decoder = decoder(namespace.link_name)
        self._link = _Link(None, None, None)

    def close(self) -> None:
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def read(self) -> Device:
        """The device as it is now, whole. InterfaceGone, or an Unreadable with the reason."""
        return repeated(self._read_once, "interface %s" % self._where, self._sleep)

    def _read_once(self) -> Device:
        try:
            return self._decoder.device(self._dump(), self._up, interface=self.interface, netns=self.namespace.netns)
        except BaseException:
            self._decoder.abandon()
            # A fresh socket next time: closing ends the dump, and a stale answer can't be mistaken for the next.
            self.close()
            raise

    def _dump(self) -> Answer:
        try:
            netlink = self._open()
            return netlink.request_dump(self._family, self._request, self._family, self._decoder.recognise)
        except OSError as error:
            raise self._explain(error) from None

    def _up(self, ifindex: int) -> Optional[bool]:
        """Whether the link that was dumped is administratively up; Temporary where it is gone by now, or another has its name.

        None where links can't be seen from here at all. The kernel is asked where a link may have changed since it was.
        """
        changes = self.namespace.link_changes
        if changes is None or (changes, ifindex) != self._link[:2]:
            now, up = self.namespace.link(self.interface)
            if now != ifindex and (now is not None or self._link.up is not None):
                raise Temporary("The interface was removed or made anew while it was read")
            self._link = _Link(changes, ifindex, up)
        return self._link.up

    def _open(self) -> GenericNetlink:
        if self._netlink is None:
            self._netlink = self.namespace.run(partial(GenericNetlink.open, self._decoder.inbox))
            self._family = 0
        if not self._family:
            try:
                self._family = self._netlink.family(FAMILY)
            except OSError as error:
                if error.errno == errno.ENOENT:
                    raise NoKernelModule(
                        "The kernel has no WireGuard: its module is not loaded and could not be loaded. Load it (modprobe "
                        "wireguard), install a kernel that has it, or run a userspace implementation such as wireguard-go"
                    ) from None
                raise
        return self._netlink

    def _explain(self, error: OSError) -> Exception:
        where = self._where
        if error.errno == errno.ENODEV:
            return InterfaceGone("There is no interface %s" % where)
        if error.errno == errno.EOPNOTSUPP:
            return NotWireGuard("Interface %s is not a WireGuard interface" % where)
        if error.errno == errno.EPERM:
            return NoPrivilege(
                "Interface %s can't be read: that needs the capability CAP_NET_ADMIN in the user namespace that owns its "
                "network namespace. Run as root (in Ansible with become: true), or grant it to the service" % where
            )
        if error.errno in TEMPORARY_ERRORS:
            return Temporary("The kernel is busy (%s)" % error.strerror)
        if error.errno == errno.ENOENT:
            # The family number went stale: the module was unloaded, or loaded again under another number.
            return Temporary("The kernel's WireGuard module was unloaded or loaded again")
        return Unreadable(
            "Interface %s can't be read: the kernel answers %s (errno %d)"
            % (where, error.strerror or os.strerror(error.errno or 0), error.errno or 0)
        )

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's list of its WireGuard links: RTM_GETLINK (rtnetlink(7), ``include/uapi/linux/if_link.h``)."""

from __future__ import annotations

import socket
import struct
from typing import List

from ._netlink import Netlink, attribute, attributes

RTM_NEWLINK, RTM_GETLINK = 16, 18
LINK_HEADER = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
IFLA_IFNAME, IFLA_LINKINFO, IFLA_EXT_MASK = 3, 18, 29
IFLA_INFO_KIND = 1
RTEXT_FILTER_SKIP_STATS = 0x8  # counters are a third of what the kernel would send of a link
WIREGUARD = b"wireguard"


class RouteNetlink(Netlink):
    """A socket for questions about links."""

    protocol = socket.NETLINK_ROUTE
    header_size = LINK_HEADER.size
    subject = "The list of links"

    def wireguard_links(self) -> List[str]:
        """Names of the links of kind wireguard. Raises as ``request_dump`` does.

        The kernel picks them; one that does not know the kind, since its module is not loaded, sends all it has.
        """
        request = (
            LINK_HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
            + attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, WIREGUARD))
            + attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS))
        )
        names = []
        for datagram in self.request_dump(RTM_GETLINK, request, RTM_NEWLINK):
            for start, stop in datagram.messages:
                if _value(datagram.data, start, stop, IFLA_LINKINFO, IFLA_INFO_KIND) == WIREGUARD:
                    names.append(_value(datagram.data, start, stop, IFLA_IFNAME).decode(errors="replace"))
        return names


def _value(data: bytes, start: int, stop: int, *path: int) -> bytes:
    """The text of an attribute within others, without the zero byte at its end; empty where there is none."""
    for wanted in path:
        places = [(first, last) for kind, first, last in attributes(data, start, stop) if kind == wanted]
        if not places:
            return b""
        start, stop = places[0]
    return data[start:stop].rstrip(b"\0")

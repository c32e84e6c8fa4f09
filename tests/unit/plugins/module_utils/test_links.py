# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's list of WireGuard links, made of bytes as ``net/core/rtnetlink.c`` (rtnl_fill_ifinfo) writes them."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _netlink
from ansible_collections.wirewatch.wireguard.plugins.module_utils._discovery import kernel_interfaces
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import MalformedReply, Temporary
from ansible_collections.wirewatch.wireguard.plugins.module_utils._links import (
    IFLA_EXT_MASK,
    IFLA_IFNAME,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    LINK_HEADER,
    RTM_GETLINK,
    RTM_NEWLINK,
    RouteNetlink,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import (
    ATTEMPTS,
    MESSAGE_HEADER,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    attribute,
    attributes,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from unit.wire import Answer, Kernel, refusal

IFLA_MTU, IFLA_INFO_DATA = 4, 2
NLA_F_NESTED = 0x8000


def link(name: str, kind: str | None = "wireguard", nested: int = 0) -> bytes:
    """The payload of a link's message. Older kernels write its kind with a zero byte at the end, and do not flag what is nested."""
    info = b""
    if kind is not None:
        of_kind = attribute(IFLA_INFO_KIND, kind.encode() + b"\0" * (nested == 0)) + attribute(IFLA_INFO_DATA, b"")
        info = attribute(IFLA_LINKINFO | nested, of_kind)
    header = LINK_HEADER.pack(socket.AF_UNSPEC, 1, 7, 0x1, 0)
    return header + attribute(IFLA_IFNAME, name.encode() + b"\0") + attribute(IFLA_MTU, struct.pack("=I", 1420)) + info


def listing(*links: bytes) -> Answer:
    return lambda frame: [*(frame.message(one, RTM_NEWLINK) for one in links), frame.done()]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """Names of the WireGuard links of a kernel that answers so. All sockets that were opened have to be closed in the end."""
    monkeypatch.setattr(_netlink, "BACKOFF", 0)
    kernels: list[Kernel] = []

    def find(*answers: Answer) -> list[str]:
        kernels.append(kernel := Kernel(*answers))
        monkeypatch.setattr(RouteNetlink, "open", lambda: kernel.open(kind=RouteNetlink))
        return kernel_interfaces(Namespace(None))

    yield find
    assert all(sock.closed for kernel in kernels for sock in kernel.opened)


Found = Callable[..., "list[str]"]  # in quotes for Python 3.8


def test_the_wireguard_links_are_found_among_all(found: Found) -> None:
    """Kernels whose module is not loaded send all links, whatever was asked for."""
    others = link("lo", kind=None), link("eth0", kind=None), link("br0", kind="bridge"), link("wgx", kind="wireguard2")
    assert found(listing(*others, link("wg1"), link("wg0"))) == ["wg1", "wg0"]
    assert found(listing(*others)) == []
    assert found(listing()) == []


@pytest.mark.parametrize("nested", [0, NLA_F_NESTED])
def test_kernels_of_all_ages_are_understood(found: Found, nested: int) -> None:
    assert found(listing(link("wg0", nested=nested))) == ["wg0"]


def test_the_kernel_is_asked_for_wireguard_alone_and_for_no_counters() -> None:
    kernel = Kernel(listing())
    kernel.open(kind=RouteNetlink).wireguard_links()
    (request,) = kernel.opened[0].sent
    length, kind, flags, _sequence, _port = MESSAGE_HEADER.unpack_from(request)
    assert (length, kind, flags) == (len(request), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP)
    said = {kind: request[first:last] for kind, first, last in attributes(request, 32, length)}
    assert said == {IFLA_LINKINFO: attribute(IFLA_INFO_KIND, b"wireguard"), IFLA_EXT_MASK: struct.pack("=I", 8)}


def test_a_list_that_changed_meanwhile_is_asked_for_again(found: Found) -> None:
    torn: Answer = lambda frame: [frame.message(link("wg0"), RTM_NEWLINK, NLM_F_DUMP_INTR), frame.done()]  # noqa: E731
    assert found(torn, torn, listing(link("wg0"), link("wg1"))) == ["wg0", "wg1"]
    with pytest.raises(Temporary) as error:
        found(torn)
    assert str(error.value) == (
        f"The list of links was changed while it was read (NLM_F_DUMP_INTR), {ATTEMPTS} times in a row, for the links"
    )


def test_a_refusal_is_told_with_its_reason(found: Found) -> None:
    with pytest.raises(Temporary, match="^The links can't be listed: the kernel answers Operation not permitted$"):
        found(refusal(errno.EPERM))


def test_bytes_that_break_the_protocol_are_an_error(found: Found) -> None:
    with pytest.raises(MalformedReply, match="an attribute of 3 bytes at offset"):
        found(listing(LINK_HEADER.pack(0, 1, 7, 1, 0) + struct.pack("=HHI", 3, IFLA_IFNAME, 0)))
    with pytest.raises(MalformedReply, match=f"a message of type {RTM_NEWLINK} where"):
        found(lambda frame: [frame.message(b"\0" * 8, RTM_NEWLINK), frame.done()])


def test_the_kernel_of_this_host_lists_its_links() -> None:
    """The loopback link is of no kind; what is listed exists."""
    names = kernel_interfaces(Namespace(None))
    assert "lo" not in names
    assert set(names) <= {path.name for path in Path("/sys/class/net").iterdir()}

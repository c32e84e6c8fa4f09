# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a poll costs Python however it is made: what has to be done, and nothing of what makes it right.

It looks at no link, at no secret and not whether the dump is whole, erases nothing, and takes for granted that all peers have
their values at the same places and that nothing but their IPv4 endpoints changes. So it is no reader: it tells how near ours is to
what could be had.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import compress
from operator import ne

from ansible_collections.wirewatch.wireguard.plugins.module_utils._diff import _NOT_KNOWN, _change
from ansible_collections.wirewatch.wireguard.plugins.module_utils._event import PEER_ENDPOINT_CHANGED
from ansible_collections.wirewatch.wireguard.plugins.module_utils._inbox import Arrived
from ansible_collections.wirewatch.wireguard.plugins.module_utils._kernel import WG_CMD_GET_DEVICE, KernelReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._layout import HEADER, _peer
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Peer, sort_by_key
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import (
    GENERIC_HEADER,
    NLM_F_DUMP,
    NLM_F_REQUEST,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._pages import Pages

from .contenders import WARM_UP, Poll


class Least:
    """For a device whose dump comes with one call, as that of 1,000 peers does."""

    name = "least"

    def __init__(self, interface: str) -> None:
        self._reader = reader = KernelReader(Namespace(None), interface, Pages)
        for _number in range(WARM_UP):
            self._device = reader.read()
        pages = reader._decoder._pages  # type: ignore[attr-defined]
        self._cuts = [page.plan._cut for page in pages]
        self._peers = [page.peers for page in pages]
        place = next(field.places.endpoint for field in pages[0].plan.fields if field.places)
        self._endpoint = slice(HEADER + place + 2, HEADER + place + 8)  # port and address
        self._request = GENERIC_HEADER.pack(WG_CMD_GET_DEVICE, 1, 0) + reader._request
        self._datagrams = [bytes(memoryview(buffer)[:size]) for buffer, size, *_rest in self._receive()]

    def poll(self) -> Poll:
        device, endpoint = self._device, self._endpoint
        peers: list[Peer] = []
        fields: list[bytes] = []
        begun = time.perf_counter_ns()
        for number, (buffer, size, _flags, _port) in enumerate(self._receive()):
            before = self._datagrams[number]
            if not buffer.startswith(before):
                cut = self._cuts[number]
                old, now = cut.unpack(before), cut.unpack_from(buffer)
                differs = list(map(ne, old, now))
                peers += compress(self._peers[number], differs)
                fields += compress(now, differs)
                self._datagrams[number] = bytes(memoryview(buffer)[:size])
        changed = [_peer((*peer[:2], field[endpoint], *peer[3:])) for peer, field in zip(peers, fields)]
        after = dict(device.peers)
        after.update(zip([peer[0] for peer in changed], changed))
        self._device = device._replace(peers=after)
        sort_by_key(changed)
        found = 0
        for peer in changed:
            was = device.peers[peer[0]][2]
            _change((PEER_ENDPOINT_CHANGED, self._device, peer, was, peer[2], None, None, False, _NOT_KNOWN))
            found += 1
        return Poll(time.perf_counter_ns() - begun, found)

    def _receive(self) -> Sequence[Arrived]:
        netlink = self._reader._netlink
        if netlink is None:
            raise RuntimeError("the reader has no open socket")
        netlink._send(self._reader._family, NLM_F_REQUEST | NLM_F_DUMP, self._request)
        return netlink._inbox.receive()

    def close(self) -> None:
        self._reader.close()

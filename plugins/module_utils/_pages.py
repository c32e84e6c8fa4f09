# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory between two dumps of one interface: what came in the same bytes stays the same object.

Most datagrams of a dump are those of the poll before, byte for byte. In one that differs, most often counters and handshakes
of some peers do, at known places: only those are read (``_layout.py``). Whatever else differs is decoded the plain way
(``_wire.py``), peers whose bytes are the same left out.

The bytes are kept without secrets: preshared keys and private keys are replaced by zeros, and compared by a fingerprint.
"""

from __future__ import annotations

from itertools import chain, compress, islice
from operator import ne
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from . import _collector
from ._decoder import Decoder, LinkState
from ._delta import FollowedPeers
from ._fingerprint import fingerprint
from ._layout import HEADER, Layout
from ._model import Device, Peer
from ._netlink import Datagram
from ._page import GROUP, Cut, Field, Page, Plan
from ._recvmmsg import Recvmmsg
from ._wire import NO_KEY, DeviceBytes, PeerBytes, Places, decode_peer, peer_key

AT_ONCE = 1024  # fields that are read together, some 200 bytes each


class _Known(NamedTuple):
    """A peer of the last dump, and where its block stands in what is kept of that."""

    peer: Peer
    places: Places
    data: bytes
    start: int
    stop: int


# A list of a page's peers, numbers of places in it, and what is to stand there.
_Update = Tuple[List[Optional[Peer]], Sequence[int], Sequence[Peer]]


class _Outcome(NamedTuple):
    """What a dump was found to be. ``updates`` are made when nothing can fail any more."""

    pages: List[Optional[Page]]
    device: Device
    updates: Sequence[_Update] = ()


class _Part(NamedTuple):
    """The fields of a page that differ from the last dump's."""

    page: Page
    data: bytes  # the datagram, with its secrets
    numbers: List[int]
    old: List[bytes]
    now: List[bytes]

    @property
    def peers(self) -> List[Peer]:
        """As they were. Where a field has a layout, a peer begins."""
        there: Any = self.page.peers
        return [there[number] for number in self.numbers]


class _Changes:
    """What differs between the last dump and this one, as long as that is within peers that are where they were.

    Peers of one layout are read together, from many pages at once: what that costs is the same for ten as for a thousand.
    """

    def __init__(self, scope_name: Callable[[int], str], sparse: bool) -> None:
        """``sparse``: few are expected."""
        self._scope_name = scope_name
        self._sparse = sparse
        self._waiting: Dict[Layout, List[_Part]] = {}
        self._fields_waiting = 0
        self.peers: List[Peer] = []
        self.updates: List[_Update] = []

    def add(self, before: Page, after: Page, data: bytes) -> bool:
        """Takes in what differs between two pages, ``data`` being the second with its secrets. False: that is another dump."""
        layouts = after.plan.layouts
        numbers, old, now = after.plan.differences(before.data, after.data, self._sparse)
        kinds = set(map(layouts.__getitem__, numbers))
        for layout in kinds:
            part = _Part(after, data, numbers, old, now)
            if len(kinds) > 1:
                alike = [layouts[number] is layout for number in numbers]
                numbers_of_it = list(compress(numbers, alike))
                part = _Part(after, data, numbers_of_it, list(compress(old, alike)), list(compress(now, alike)))
            if layout is not None:
                self._waiting.setdefault(layout, []).append(part)
            elif not self._take_one_by_one(part):
                return False
        self._fields_waiting += len(numbers)
        return self._fields_waiting < AT_ONCE or self.finish()

    def finish(self) -> bool:
        """Takes in what is left to be read."""
        waiting, self._waiting, self._fields_waiting = self._waiting, {}, 0
        return all(self._read(layout, parts) for layout, parts in waiting.items())

    def _read(self, layout: Layout, parts: List[_Part]) -> bool:
        peers = list(chain.from_iterable([part.peers for part in parts]))
        old, now = (list(chain.from_iterable(some)) for some in zip(*[(part.old, part.now) for part in parts]))
        found = layout.patched(peers, old, now, self._scope_name)
        if found is not None:
            self._take(parts, peers, found)
            return True
        # Something else changed in one of them.
        return all(self._read(layout, [part]) if len(parts) > 1 else self._take_one_by_one(part) for part in parts)

    def _take_one_by_one(self, part: _Part) -> bool:
        found = []
        for number, old, now in zip(part.numbers, part.old, part.now):
            one = self._find_one(number, old, now, part.page, part.data)
            if one is None:
                return False
            found.append(one)
        self._take([part], part.peers, found)
        return True

    def _take(self, parts: Sequence[_Part], peers: Sequence[Peer], found: Sequence[Peer]) -> None:
        differs = list(map(ne, found, peers))
        self.peers.extend(compress(found, differs))
        if not all(differs):
            found = [new if other else peer for new, peer, other in zip(found, peers, differs)]
        left = iter(found)
        for part in parts:
            self.updates.append((part.page.peers, part.numbers, list(islice(left, len(part.numbers)))))

    def _find_one(self, number: int, old: bytes, now: bytes, page: Page, data: bytes) -> Optional[Peer]:
        """The peer that a field has now; None where it is not clear that only this field has changed."""
        field, layout, peer = page.plan.fields[number], page.plan.layouts[number], page.peers[number]
        if peer is None:
            return None
        if layout is not None:
            found = layout.patched([peer], [old], [now], self._scope_name)
            if found is not None:
                return found[0]
        # Its header says that it is a peer of this length; within it anything may have changed.
        if now[:HEADER] != old[:HEADER] or field.goes_on:
            return None
        start = sum(one.size for one in page.plan.fields[:number])
        block = (data, start + HEADER, start + field.size)
        if peer_key(*block) != peer.public_key:
            return None
        after, places = decode_peer(PeerBytes(peer.public_key, [block]), self._scope_name)
        return after if places == field.places and after.preshared_key == peer.preshared_key else None


class Pages(Decoder):
    """The last dump of an interface, and the device that it was decoded to."""

    inbox = Recvmmsg

    def __init__(self, scope_name: Callable[[int], str]) -> None:
        super().__init__(scope_name)
        self._pages: List[Optional[Page]] = []  # None: not to be kept
        self._device: Optional[Device] = None
        self._room = 128 << 10  # bytes, what glibc keeps by itself
        self._changed = 0  # peers at the last poll

    def recognise(self, number: int, buffer: bytearray, size: int) -> Optional[Datagram]:
        """The datagram that the last dump had at this place, if these are its very bytes."""
        page = self._pages[number] if number < len(self._pages) else None
        return page.recognise(buffer, size) if page is not None else None

    def device(self, datagrams: List[Datagram], link: LinkState, **names: Any) -> Device:
        """Last poll's objects where they still hold. After an error the memory is as it was."""
        if self._device is not None:
            self._keep_room(sum(len(one.data) for one in datagrams))
        with _collector.paused():
            found = self._followed(datagrams) or self._decoded(datagrams)
        device = found.device._replace(up=link(found.device.ifindex), **names)
        before = self._device
        if before is not None and device.peers is before.peers and device[:-1] == before[:-1]:
            device = before
        for peers, numbers, now in found.updates:
            for number, peer in zip(numbers, now):
                peers[number] = peer
        self._pages, self._device = found.pages, device
        return device

    def _keep_room(self, size: int) -> None:
        """Two dumps lie in memory for a moment, in turn. glibc would give the room of one back, and ask for it, at each poll.

        It raises its threshold for that when a block from the system is freed (mallopt(3), M_MMAP_THRESHOLD), up to 32 MiB. Not
        before the first dump is decoded: the tables that grow meanwhile would leave holes of a hundred bytes for each peer.
        """
        if size > self._room:
            self._room = size
            bytes(min(2 * size, 31 << 20))  # touches no memory

    def _followed(self, datagrams: List[Datagram]) -> Optional[_Outcome]:
        """Where each datagram is as before but for values in the same places; None where one is not."""
        device = self._device
        if device is None or len(datagrams) != len(self._pages):
            return None
        pages: List[Optional[Page]] = []
        changes = _Changes(self._scope_name, self._changed * GROUP < len(device.peers))
        for page, datagram in zip(self._pages, datagrams):
            if page is None:
                return None
            if datagram.known is not page:
                after = page.follow(datagram)
                if after is None or not changes.add(page, after, datagram.data):
                    return None
                page = after
            pages.append(page)
        if not changes.finish():
            return None
        self._changed = len(changes.peers)
        if changes.peers:
            device = device._replace(peers=FollowedPeers(device.peers, changes.peers))
        return _Outcome(pages, device, changes.updates)

    def _decoded(self, datagrams: List[Datagram]) -> _Outcome:
        """The plain way."""
        found = DeviceBytes((one.data, *message) for one in datagrams for message in one.messages)
        known = self._known()
        before = self._device.peers if self._device is not None else {}
        cuts = {id(one.data): Cut() for one in datagrams}
        unusual: Set[int] = set()  # which may hold secrets at unknown places
        peers = FollowedPeers({})
        same = True
        for raw in found.peers(peers):
            old = known.get(raw.key)
            places: Optional[Places]
            if old is not None and _is_same(raw, old):
                peer, places = old.peer, old.places
            else:
                peer, places = decode_peer(raw, self._scope_name)
                if peer == before.get(raw.key):
                    peer = before[raw.key]
                else:
                    same = False
            peers[peer.public_key] = peer
            if places is None:
                unusual.update(id(buffer) for buffer, _start, _stop in raw.blocks)
            elif peer.preshared_key is not None:
                buffer, start, _stop = raw.blocks[0]
                cuts[id(buffer)].secrets.append(start + places.preshared_key)
            buffer, start, stop = raw.blocks[0]
            cuts[id(buffer)].add(start - HEADER, stop, peer, places, len(raw.blocks) > 1)
            for buffer, start, stop in raw.blocks[1:]:
                cuts[id(buffer)].add(start - HEADER, stop)
        device = found.device()
        for buffer, offset in found.private_keys:
            cuts[id(buffer)].secrets.append(offset)
        if len(cuts) < len(datagrams):
            unusual.update(cuts)  # one object came as two datagrams, and can't be told apart
        plans: Dict[Tuple[Field, ...], Plan] = {}
        pages: List[Optional[Page]] = [
            None if id(one.data) in unusual else cuts[id(one.data)].page(one, plans) for one in datagrams
        ]
        return _Outcome(pages, device._replace(peers=before if same and len(peers) == len(before) else peers))

    def _known(self) -> Dict[bytes, _Known]:
        """The peers of the last dump that stand in one block each, with what is kept of its bytes."""
        known: Dict[bytes, _Known] = {}
        for page in self._pages:
            if page is None:
                continue
            start = 0
            for field, peer in zip(page.plan.fields, page.peers):
                if peer is not None and field.places is not None and not field.goes_on:
                    known[peer.public_key] = _Known(peer, field.places, page.data, start, start + field.size)
                start += field.size
        return known


def _is_same(raw: PeerBytes, old: _Known) -> bool:
    """Whether these are the very bytes of a peer of the last dump."""
    if len(raw.blocks) > 1:
        return False
    buffer, start, stop = raw.blocks[0]
    data, known = buffer[start - HEADER : stop], old.data[old.start : old.stop]
    if old.peer.preshared_key is None:
        return data == known
    at = HEADER + old.places.preshared_key
    secret = data[at : at + len(NO_KEY)]
    clean = data[:at] + NO_KEY + data[at + len(NO_KEY) :]
    return clean == known and fingerprint(secret) == old.peer.preshared_key

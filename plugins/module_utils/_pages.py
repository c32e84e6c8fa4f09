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

import struct
from functools import lru_cache
from itertools import compress
from operator import ne
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from . import _collector
from ._layout import HEADER, Layout, layout_of
from ._model import Device, Peer
from ._netlink import Datagram
from ._reuse import fingerprint
from ._wire import NO_KEY, Decoder, DeviceBytes, LinkState, PeerBytes, Places, decode_peer, peer_key


class Field(NamedTuple):
    """A part of a datagram: the block of a peer, or what stands between blocks. Places only where a peer begins."""

    size: int
    places: Optional[Places] = None
    goes_on: bool = False  # the peer has further blocks


_field = lru_cache(maxsize=4096)(Field)  # few are different


class Plan:
    """How datagrams are cut into fields. One for all that are cut alike, as most of a dump are."""

    __slots__ = ("fields", "layouts", "cut")

    def __init__(self, fields: Tuple[Field, ...]) -> None:
        self.fields = fields
        self.layouts = [layout_of(field.places, field.size) if field.places else None for field in fields]
        self.cut = struct.Struct("=" + "".join(["%ds" % field.size for field in fields]))

    def differences(self, data: bytes, other: bytes) -> Tuple[List[int], List[bytes], List[bytes]]:
        """Numbers of the fields that differ between two datagrams, and their bytes in the one and in the other."""
        ours, theirs = self.cut.unpack(data), self.cut.unpack(other)
        differs = list(map(ne, ours, theirs))
        numbers = list(compress(range(len(differs)), differs))
        return numbers, list(compress(ours, differs)), list(compress(theirs, differs))


class _Cut:
    """The fields of a datagram, as they are found from its first byte on."""

    def __init__(self) -> None:
        self.secrets: List[int] = []  # offsets
        self._fields: List[Field] = []
        self._peers: List[Optional[Peer]] = []
        self._position = 0

    def add(
        self,
        start: int,
        stop: int,
        peer: Optional[Peer] = None,
        places: Optional[Places] = None,
        goes_on: bool = False,
    ) -> None:
        """A block, with its peer where that begins here; what lies before it is a field of its own."""
        if start > self._position:
            self._fields.append(_field(start - self._position))
            self._peers.append(None)
        self._fields.append(_field(stop - start, places, goes_on))
        self._peers.append(peer)
        self._position = stop

    def page(self, datagram: Datagram, plans: Dict[Tuple[Field, ...], Plan]) -> Page:
        if self._position < len(datagram.data):
            self.add(self._position, len(datagram.data))
        fields = tuple(self._fields)
        plan = plans.get(fields)
        if plan is None:
            plan = plans[fields] = Plan(fields)
        return Page(datagram, self.secrets, plan, self._peers)


class Page:
    """A datagram that was decoded: its bytes without secrets, how it is cut, and the peer that begins in each field.

    ``peers`` is handed on to the page that follows, and is that one's then.
    """

    __slots__ = ("data", "messages", "ends", "secrets", "mark", "plan", "peers")

    def __init__(self, datagram: Datagram, secrets: Sequence[int], plan: Plan, peers: List[Optional[Peer]]) -> None:
        self.secrets = tuple(secrets)  # offsets
        self.mark, self.data = self._without_secrets(datagram.data)
        self.messages, self.ends = datagram.messages, datagram.ends
        self.plan = plan
        self.peers = peers

    def recognise(self, buffer: bytearray, size: int) -> Optional[Datagram]:
        """The datagram, if these are its very bytes. With the secrets that were kept out, for who decodes it again."""
        data = self.data
        if size != len(data) or (not self.secrets and not buffer.startswith(data)):  # which copies nothing
            return None
        if self.secrets:
            data = bytes(memoryview(buffer)[:size])
            if self._without_secrets(data) != (self.mark, self.data):
                return None
        # Made when it is asked for: a page that held what leads back to it would be freed by the collector only, late.
        return Datagram(data, self.messages, self.ends, self)

    def follow(self, datagram: Datagram) -> Optional[Page]:
        """The page of a datagram that has the same fields and secrets. Of that, only lengths are looked at so far."""
        if (len(datagram.data), datagram.messages, datagram.ends) != (len(self.data), self.messages, self.ends):
            return None
        page = Page(datagram, self.secrets, self.plan, self.peers)
        return page if page.mark == self.mark else None

    def _without_secrets(self, data: bytes) -> Tuple[bytes, bytes]:
        if not self.secrets:
            return b"", data
        mark = fingerprint(*[data[at : at + len(NO_KEY)] for at in self.secrets])
        clean = bytearray(data)
        for at in self.secrets:
            clean[at : at + len(NO_KEY)] = NO_KEY
        return mark, bytes(clean)


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


class _Changes:
    """What differs between the last dump and this one, as long as that is within peers that are where they were."""

    def __init__(self, scope_name: Callable[[int], str]) -> None:
        self._scope_name = scope_name
        self.peers: Dict[bytes, Peer] = {}
        self.updates: List[_Update] = []

    def find(self, before: Page, after: Page, data: bytes) -> bool:
        """Takes in the peers that differ between two pages, ``data`` being the second with its secrets; False otherwise."""
        numbers, now, old = after.plan.differences(after.data, before.data)
        alike: Dict[Optional[Layout], List[int]] = {}
        for index, number in enumerate(numbers):
            alike.setdefault(after.plan.layouts[number], []).append(index)
        for layout, indexes in alike.items():
            here = [numbers[index] for index in indexes]
            peers: Any = [after.peers[number] for number in here]  # of a field with a layout there is one
            found = None
            if layout is not None:
                found = layout.patched(
                    peers, [old[index] for index in indexes], [now[index] for index in indexes], self._scope_name
                )
            if found is None:
                # Something else changed in one of them.
                found = []
                for index, number in zip(indexes, here):
                    one = self._find_one(number, old[index], now[index], after, data)
                    if one is None:
                        return False
                    found.append(one)
            found = [new if new != peer else peer for new, peer in zip(found, peers)]
            self.updates.append((after.peers, here, found))
            self.peers.update((new[0], new) for new, peer in zip(found, peers) if new is not peer)
        return True

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

    def __init__(self, scope_name: Callable[[int], str]) -> None:
        super().__init__(scope_name)
        self._pages: List[Optional[Page]] = []  # None: not to be kept
        self._device: Optional[Device] = None
        self._room = 128 << 10  # bytes, what glibc keeps by itself

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
        changes = _Changes(self._scope_name)
        for page, datagram in zip(self._pages, datagrams):
            if page is None:
                return None
            if datagram.known is not page:
                after = page.follow(datagram)
                if after is None or not changes.find(page, after, datagram.data):
                    return None
                page = after
            pages.append(page)
        if changes.peers:
            device = device._replace(peers={**device.peers, **changes.peers})
        return _Outcome(pages, device, changes.updates)

    def _decoded(self, datagrams: List[Datagram]) -> _Outcome:
        """The plain way."""
        found = DeviceBytes((one.data, *message) for one in datagrams for message in one.messages)
        known = self._known()
        before = self._device.peers if self._device is not None else {}
        cuts = {id(one.data): _Cut() for one in datagrams}
        unusual: Set[int] = set()  # which may hold secrets at unknown places
        peers: Dict[bytes, Peer] = {}
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
        if same and len(peers) == len(before):
            peers = before
        return _Outcome(pages, device._replace(peers=peers))

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

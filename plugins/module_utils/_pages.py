# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory between two dumps of one interface: what came in the same bytes stays the same object.

Most datagrams of a dump are those of the poll before, byte for byte. In one that differs, most often counters and handshakes
of some peers do, at known places: only those are read. Whatever else differs is decoded the plain way (``_wire.py``), peers
whose bytes are the same left out.

The bytes are kept without secrets: preshared keys and private keys are replaced by zeros, and compared by a fingerprint.
"""

from __future__ import annotations

import struct
from functools import lru_cache, partial
from itertools import compress
from operator import itemgetter, ne
from typing import Any, Callable, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Set, Tuple

from ._errors import Temporary
from ._model import END_OF_TIME, Device, Peer
from ._netlink import ATTRIBUTE_HEADER, Datagram
from ._reuse import fingerprint
from ._wire import NO_KEY, DeviceBytes, PeerBytes, Places, decode_endpoint, decode_peer, peer_key

HEADER = ATTRIBUTE_HEADER.size  # of a peer's block, which belongs to its field


_peer = partial(tuple.__new__, Peer)  # a third of the time of Peer(...), which is a function in Python


class Layout:
    """Cuts a peer's field of one length into what changes all the time, its endpoint, and the rest."""

    __slots__ = ("cut", "rest", "handshake", "rx", "tx", "endpoint", "length")

    def __init__(self, places: Places, length: int) -> None:
        values = [(places.last_handshake, "qq"), (places.rx_bytes, "Q"), (places.tx_bytes, "Q")]
        if places.endpoint:
            values.append((places.endpoint, "%ds" % places.endpoint_length))
        form, rest, at, position = "=", [], 0, 0
        indexes = {}
        for place, what in sorted(values):
            form += "%ds%s" % (HEADER + place - position, what)
            rest.append(at)
            indexes[place] = at + 1
            at += 3 if what == "qq" else 2
            position = HEADER + place + struct.calcsize("=" + what)
        self.cut = struct.Struct(form + "%ds" % (length - position))
        self.rest = itemgetter(*rest, at)
        self.handshake = itemgetter(indexes[places.last_handshake], indexes[places.last_handshake] + 1)
        self.rx, self.tx = indexes[places.rx_bytes], indexes[places.tx_bytes]
        self.endpoint = indexes.get(places.endpoint, 0)
        self.length = places.endpoint_length

    def patched(self, peer: Peer, before: bytes, after: bytes, scope_name: Callable[[int], str]) -> Optional[Peer]:
        """The peer with new counters, handshake and endpoint; None where anything else changed, or that is no time."""
        values, old = self.cut.unpack(after), self.cut.unpack(before)
        if self.rest(values) != self.rest(old):
            return None
        endpoint = peer.endpoint
        if values[self.endpoint] != old[self.endpoint]:
            endpoint = decode_endpoint(values[self.endpoint], 0, self.length, scope_name)
        seconds, nanoseconds = self.handshake(values)
        if not (0 <= seconds < END_OF_TIME and 0 <= nanoseconds < 1_000_000_000):
            return None
        handshake = seconds * 1_000_000_000 + nanoseconds // 1000 * 1000
        key, secret, _endpoint, allowed_ips, keepalive = peer[:5]
        return _peer((key, secret, endpoint, allowed_ips, keepalive, handshake, values[self.rx], values[self.tx]))


@lru_cache(maxsize=4096)
def _layout(places: Places, length: int) -> Optional[Layout]:
    return Layout(places, length) if places.last_handshake and places.rx_bytes and places.tx_bytes else None


class _Cut:
    """The fields of a datagram, as they are found from its first byte on."""

    def __init__(self) -> None:
        self.secrets: List[int] = []  # offsets
        self.keys: List[Optional[bytes]] = []
        self.places: List[Optional[Places]] = []
        self._sizes: List[int] = []
        self._position = 0

    def add(self, start: int, stop: int, key: Optional[bytes], places: Optional[Places]) -> None:
        """The block of a peer; what lies before it is a field of its own."""
        if start > self._position:
            self.add(self._position, start, None, None)
        self._sizes.append(stop - start)
        self.keys.append(key)
        self.places.append(places)
        self._position = stop

    def page(self, datagram: Datagram, cut_peers: FrozenSet[bytes]) -> Page:
        self.add(self._position, len(datagram.data), None, None)
        page = Page(datagram, self.secrets)
        page.plan = struct.Struct("=" + "".join(map("%ds".__mod__, self._sizes)))
        page.keys, page.places, page.cut_peers = tuple(self.keys), tuple(self.places), cut_peers
        return page


class Page:
    """A datagram that was decoded. Its fields are the blocks of peers, and what stands between those."""

    __slots__ = ("datagram", "secrets", "mark", "plan", "keys", "places", "cut_peers")

    def __init__(self, datagram: Datagram, secrets: Sequence[int]) -> None:
        self.secrets = tuple(secrets)  # offsets
        self.mark, data = self._without_secrets(datagram.data)
        self.datagram = datagram._replace(data=data, known=self)
        self.plan = struct.Struct("")
        self.keys: Tuple[Optional[bytes], ...] = ()  # of each field: whose it is
        self.places: Tuple[Optional[Places], ...] = ()  # of each field: None in what follows a peer's first block
        self.cut_peers: FrozenSet[bytes] = frozenset()  # those of the dump that stand in several blocks

    def fields(self) -> Tuple[bytes, ...]:
        return self.plan.unpack(self.datagram.data)

    def recognise(self, buffer: bytearray, size: int) -> Optional[Datagram]:
        """The datagram, if these are its very bytes. With the secrets that were kept out, for who decodes it again."""
        known = self.datagram.data
        if size != len(known):
            return None
        if not self.secrets:
            return self.datagram if buffer.startswith(known) else None  # which copies nothing
        data = bytes(memoryview(buffer)[:size])
        return self.datagram._replace(data=data) if self._without_secrets(data) == (self.mark, known) else None

    def follow(self, datagram: Datagram) -> Optional[Page]:
        """The page of a datagram that has the same fields and secrets. Of that, only lengths are looked at so far."""
        if len(datagram.data) != len(self.datagram.data) or datagram[1:3] != self.datagram[1:3]:
            return None
        page = Page(datagram, self.secrets)
        page.plan, page.keys, page.places, page.cut_peers = self.plan, self.keys, self.places, self.cut_peers
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
    """A peer of the last dump, with its bytes."""

    data: bytes  # of all its blocks, without the preshared key
    peer: Peer
    places: Places


class Pages:
    """The last dump of an interface, and the device that it was decoded to."""

    def __init__(self, scope_name: Callable[[int], str]) -> None:
        self._scope_name = scope_name
        self._pages: List[Optional[Page]] = []  # None: not to be kept
        self._device: Optional[Device] = None
        self._room = 128 << 10  # bytes, what glibc keeps by itself

    def recognise(self, number: int, buffer: bytearray, size: int) -> Optional[Datagram]:
        """The datagram that the last dump had at this place, if these are its very bytes."""
        page = self._pages[number] if number < len(self._pages) else None
        return page.recognise(buffer, size) if page is not None else None

    def device(self, datagrams: List[Datagram], ifindex: Optional[int], **link: Any) -> Device:
        """The device of a whole dump; ``link`` is what the dump does not tell. Last poll's objects where they still hold.

        MalformedReply, or Temporary, also where it is not the link that has this index; the memory is then as it was.
        """
        self._keep_room(sum(len(one.data) for one in datagrams))
        pages, device = self._followed(datagrams) or self._decoded(datagrams)
        if ifindex is not None and ifindex != device.ifindex:
            raise Temporary("The interface was made anew while it was read")
        device = device._replace(**link)
        before = self._device
        if before is not None and device.peers is before.peers and device[:-1] == before[:-1]:
            device = before
        self._pages, self._device = pages, device
        return device

    def _keep_room(self, size: int) -> None:
        """Two dumps lie in memory for a moment, in turn. glibc would give the room of one back, and ask for it, at each poll.

        It raises its threshold for that when a block from the system is freed (mallopt(3), M_MMAP_THRESHOLD), up to 32 MiB.
        """
        if size > self._room:
            self._room = size
            bytes(min(2 * size, 31 << 20))  # touches no memory

    def _followed(self, datagrams: List[Datagram]) -> Optional[Tuple[List[Optional[Page]], Device]]:
        """Where each datagram is as before but for values in the same places; None where one is not."""
        device = self._device
        if device is None or len(datagrams) != len(self._pages):
            return None
        pages: List[Optional[Page]] = []
        changed: Dict[bytes, Peer] = {}
        for page, datagram in zip(self._pages, datagrams):
            if page is None:
                return None
            if datagram.known is not page:
                after = page.follow(datagram)
                if after is None or not self._patch(page, after, datagram, device.peers, changed):
                    return None
                page = after
            pages.append(page)
        if changed:
            device = device._replace(peers={**device.peers, **changed})
        return pages, device

    def _patch(
        self, before: Page, after: Page, datagram: Datagram, peers: Dict[bytes, Peer], changed: Dict[bytes, Peer]
    ) -> bool:
        """Adds the peers that differ between two pages; False where something differs that is not within one peer."""
        fields, old_fields = after.fields(), before.fields()
        for index in compress(range(len(fields)), map(ne, fields, old_fields)):
            key, places = after.keys[index], after.places[index]
            if key is None or places is None:
                return False
            field, old, peer = fields[index], old_fields[index], peers[key]
            layout = _layout(places, len(field))
            now = layout.patched(peer, old, field, self._scope_name) if layout is not None else None
            if now is None:
                # Its header says that it is a peer of this length; within it anything may have changed.
                start = sum(map(len, fields[:index]))
                if field[:HEADER] != old[:HEADER] or key in after.cut_peers:
                    return False
                block = (datagram.data, start + HEADER, start + len(field))
                if peer_key(*block) != key:
                    return False
                now, places_now = decode_peer(PeerBytes(key, [block]), self._scope_name)
                if places_now != places or now.preshared_key != peer.preshared_key:
                    return False
            if now != peer:
                changed[key] = now
        return True

    def _decoded(self, datagrams: List[Datagram]) -> Tuple[List[Optional[Page]], Device]:
        """The plain way."""
        found = DeviceBytes((one.data, *message) for one in datagrams for message in one.messages)
        known = self._known()
        cuts = {id(one.data): _Cut() for one in datagrams}
        unusual: Set[int] = set()  # which may hold secrets at unknown places
        cut_peers: Set[bytes] = set()
        peers: Dict[bytes, Peer] = {}
        same = True
        for raw in found.peers():
            old = known.get(raw.key)
            places: Optional[Places]
            if old is not None and _is_same(raw, old):
                peer, places = old.peer, old.places
            else:
                peer, places = decode_peer(raw, self._scope_name)
                if old is not None and peer == old.peer:
                    peer = old.peer
                else:
                    same = False
            peers[peer.public_key] = peer
            if places is None:
                unusual.update(id(buffer) for buffer, _start, _stop in raw.blocks)
            elif peer.preshared_key is not None:
                buffer, start, _stop = raw.blocks[0]
                cuts[id(buffer)].secrets.append(start + places.preshared_key)
            for buffer, start, stop in raw.blocks:
                cuts[id(buffer)].add(start - HEADER, stop, peer.public_key, places)
                places = None
            if len(raw.blocks) > 1:
                cut_peers.add(peer.public_key)
        device = found.device()
        for buffer, offset in found.private_keys:
            cuts[id(buffer)].secrets.append(offset)
        if len(cuts) < len(datagrams):
            unusual.update(cuts)  # one object came as two datagrams, and can't be told apart
        several = frozenset(cut_peers)
        pages: List[Optional[Page]] = [
            None if id(one.data) in unusual else cuts[id(one.data)].page(one, several) for one in datagrams
        ]
        if same and self._device is not None and len(peers) == len(self._device.peers):
            peers = self._device.peers
        return pages, device._replace(peers=peers)

    def _known(self) -> Dict[bytes, _Known]:
        known: Dict[bytes, _Known] = {}
        for page in self._pages:
            if page is None or self._device is None:
                continue
            for key, field, places in zip(page.keys, page.fields(), page.places):
                if key is None:
                    continue
                if places is not None:
                    known[key] = _Known(field, self._device.peers[key], places)
                elif key in known:
                    known[key] = known[key]._replace(data=known[key].data + field)
        return known


def _is_same(raw: PeerBytes, old: _Known) -> bool:
    """Whether these are the very bytes of a peer of the last dump."""
    buffer, start, stop = raw.blocks[0]
    data = buffer[start - HEADER : stop]
    if len(raw.blocks) > 1:
        data = b"".join(buffer[start - HEADER : stop] for buffer, start, stop in raw.blocks)
    if old.peer.preshared_key is None:
        return data == old.data
    at = HEADER + old.places.preshared_key
    secret = data[at : at + len(NO_KEY)]
    clean = data[:at] + NO_KEY + data[at + len(NO_KEY) :]
    return clean == old.data and fingerprint(secret) == old.peer.preshared_key

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory between two dumps of one interface: what came in the same bytes stays the same object.

Most datagrams of a dump are those of the poll before, byte for byte. Of one that differs, most often peers do that are where they
were (``_page_changes.py``). Whatever else differs is decoded the plain way (``_wire.py``), peers whose bytes are the same left
out. Nothing is copied to be kept: what was received stays in its buffer, and the one that held the last dump's is received into.

The bytes are kept without secrets: preshared keys and private keys are replaced by zeros, and compared by a fingerprint.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from . import _collector
from ._decoder import Decoder, LinkState
from ._delta import Delta, FollowedPeers, Order
from ._fingerprint import fingerprint
from ._layout import HEADER
from ._model import Device, Peer
from ._netlink import Datagram
from ._page import GROUP, Cut, Field, Page, Plan
from ._page_changes import PageChanges
from ._recvmmsg import Recvmmsg
from ._wire import NO_KEY, DeviceBytes, PeerBytes, Places, decode_peer


class _Known(NamedTuple):
    """A peer of the last dump, and where its block stands in what is kept of that."""

    peer: Peer
    places: Places
    data: bytearray
    start: int
    stop: int


class _Outcome(NamedTuple):
    """What a dump was found to be."""

    device: Device  # but for its peers
    peers: FollowedPeers
    pages: List[Optional[Page]]
    in_order: Optional[List[Peer]] = None  # the peers as the dump has them; None where that is the order of the last


class Pages(Decoder):
    """The last dump of an interface, and the device that it was decoded to.

    The pages of a dump that comes in become that one's at once, and are forgotten where it comes to nothing.
    """

    inbox = Recvmmsg

    def __init__(self, scope_name: Callable[[int], str]) -> None:
        super().__init__(scope_name)
        self._pages: List[Optional[Page]] = []  # None: not to be kept
        self._snapshot = FollowedPeers({})  # of the last dump
        self._peers: List[Peer] = []  # in the order of that
        self._order = Order(self._peers)
        self._device: Optional[Device] = None
        self._room = 128 << 10  # bytes, what glibc keeps by itself
        self._sparse = False  # whether few peers changed at the last poll
        self._begin()

    def _begin(self) -> None:
        """For the next dump."""
        self._changes = PageChanges(self._pages, self._peers, self._scope_name)
        self._secrets: Dict[int, List[bytearray]] = {}  # that were taken out of it, by number of the page

    def abandon(self) -> None:
        for number in self._changes.pages:
            self._pages[number] = None
        self._begin()

    def recognise(self, number: int, buffer: bytearray, size: int) -> Optional[Datagram]:
        page = self._pages[number] if number < len(self._pages) else None
        if page is None or size != page.size:
            return None
        if page.secrets:
            self._secrets[number] = secrets = page.take_secrets(buffer)
            if not page.has_these(secrets):
                self._give_back(number, page, buffer)
                return None
        spare = None
        if not buffer.startswith(page.data):
            changes, plan = self._changes, page.plan
            differences = plan.few_differences if self._sparse else plan.whole.differences
            if not changes.add(page, differences(page.buffer, buffer)):
                self._give_back(number, page, buffer)
                return None
            spare = page.buffer
            page.take(buffer)
            changes.pages.append(number)
        return Datagram(page.buffer, page.messages, page.ends, page, spare)  # type: ignore[arg-type]

    def _give_back(self, number: int, page: Page, buffer: bytearray) -> None:
        """The secrets that were taken out of a datagram, for who decodes it."""
        page.put_secrets(buffer, self._secrets.pop(number, ()))

    def device(self, datagrams: List[Datagram], link: LinkState, **names: Any) -> Device:
        """Last poll's objects where they still hold. After an error the device in memory is as it was. Empties the list."""
        if self._device is not None:
            self._keep_room(len(datagrams) * self.inbox.room)
        found = self._followed(datagrams)
        if found is None:
            with _collector.paused():
                found = self._decoded(datagrams)
        device = found.device._replace(peers=found.peers, up=link(found.device.ifindex), **names)
        before = self._device
        if before is not None and device.peers is before.peers and device[:-1] == before[:-1]:
            device = before
        changes = self._changes
        if found.in_order is not None:
            self._peers = found.in_order
            self._order = Order(found.in_order)
        else:
            deque(map(self._peers.__setitem__, changes.positions, changes.after), maxlen=0)
        self._sparse = len(changes.after) * GROUP < len(self._peers)
        self._pages, self._snapshot, self._device = found.pages, found.peers, device
        self._begin()
        return device

    def _keep_room(self, size: int) -> None:
        """Fields that changed lie in memory for a moment, joined. glibc would give their room back, and ask for it, at each poll.

        It raises its threshold for that when a block from the system is freed (mallopt(3), M_MMAP_THRESHOLD), up to 32 MiB. Not
        before the first dump is decoded: the tables that grow meanwhile would leave holes of a hundred bytes for each peer.
        """
        if size > self._room:
            self._room = size
            bytes(min(2 * size, 31 << 20))  # touches no memory

    def _followed(self, datagrams: List[Datagram]) -> Optional[_Outcome]:
        """Where each datagram is as before but for values in the same places; None where one is not."""
        device, changes = self._device, self._changes
        known = [one.known for one in datagrams]
        if device is None or None in known or known != self._pages:
            return None
        changes.finish()
        if changes.unread:
            return None
        peers = self._snapshot
        if changes.after:
            changed = Delta([], [], changes.before, changes.after, changes.kinds, changes.positions, self._order)
            peers = peers.followed_by(changed)
        return _Outcome(device, peers, self._pages)

    def _decoded(self, datagrams: List[Datagram]) -> _Outcome:
        """The plain way."""
        whole = [self._whole(number, one) for number, one in enumerate(datagrams)]
        datagrams.clear()
        found = DeviceBytes((one.data, *message) for one in whole for message in one.messages)
        known = self._known()
        before = self._snapshot.table
        cuts = {id(one.data): Cut() for one in whole}
        begin_in = dict.fromkeys(cuts, 0)  # how many peers
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
            begin_in[id(buffer)] += 1
            cuts[id(buffer)].add(start - HEADER, stop, places, len(raw.blocks) > 1)
            for buffer, start, stop in raw.blocks[1:]:
                cuts[id(buffer)].add(start - HEADER, stop)
        for buffer, offset in found.private_keys:
            cuts[id(buffer)].secrets.append(offset)
        if len(cuts) < len(whole):
            unusual.update(cuts)  # one object came as two datagrams, and can't be told apart
        plans: Dict[Tuple[Field, ...], Plan] = {}
        pages: List[Optional[Page]] = []
        first = 0
        # Each is let go as soon as its page has its bytes.
        whole.reverse()
        while whole:
            one = whole.pop()
            usual = id(one.data) not in unusual and len(one.data) <= self.inbox.room
            pages.append(cuts[id(one.data)].page(one, self.inbox.buffer(), plans, first) if usual else None)
            first += begin_in[id(one.data)]
        same = same and len(peers) == len(before)
        return _Outcome(found.device(), self._snapshot if same else FollowedPeers(peers), pages, list(peers.values()))

    def _whole(self, number: int, datagram: Datagram) -> Datagram:
        """With the secrets that were taken out of it."""
        page = datagram.known
        if page is None:
            return datagram
        data = page.buffer[: page.size]
        page.put_secrets(data, self._secrets.get(number, ()))
        return datagram._replace(data=bytes(data))

    def _known(self) -> Dict[bytes, _Known]:
        """The peers of the last dump that stand in one block each, with its bytes, as far as these are not this dump's yet."""
        changed = self._changes.touched()
        known: Dict[bytes, _Known] = {}
        for page in self._pages:
            if page is None:
                continue
            start, position = 0, page.first
            for field in page.plan.fields:
                if field.places is not None:
                    if not field.goes_on and position not in changed:
                        peer = self._peers[position]
                        known[peer.public_key] = _Known(peer, field.places, page.buffer, start, start + field.size)
                    position += 1
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

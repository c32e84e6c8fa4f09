# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory between two dumps of one interface: what came in the same bytes stays the same object.

Most datagrams of a dump are those of the poll before, byte for byte. Of one that differs, most often peers do that are where they
were (``_page_changes.py``). Whatever else differs is decoded the plain way (``_wire.py``), peers whose bytes are the same left
out. Nothing is copied to be kept: what was received stays in its buffer, and the one that held the last dump's is received into.

The bytes are kept without secrets: preshared and private keys are replaced by zeros. Preshared keys are compared by a fingerprint;
private ones are not compared, since with another one goes another public key.
"""

from __future__ import annotations

from itertools import chain
from operator import is_
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple, Union

from ._collector import Pause
from ._decoder import Decoder, LinkState
from ._delta import Delta, FollowedPeers
from ._fingerprint import fingerprint
from ._inbox import Inbox, Shape
from ._layout import HEADER
from ._model import Device, Peer
from ._netlink import Answer, Datagram
from ._page import Batch, Cut, Field, Page, Plan
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
    peers: FollowedPeers  # in the order of the dump
    changed: bool  # whether these are others than the last dump's
    batches: List[Optional[Batch]]


class Pages(Decoder):
    """The last dump of an interface, and the device that it was decoded to.

    The batches of a dump that comes in become that one's at once, and are forgotten where it comes to nothing.
    """

    inbox = Recvmmsg

    _comes_by: Inbox  # the dump that comes in

    def __init__(self, scope_name: Callable[[int], str]) -> None:
        super().__init__(scope_name)
        self._batches: List[Optional[Batch]] = []  # None: not to be kept
        self._snapshot = FollowedPeers.of({})  # of the last dump, in the order of that
        self._device: Optional[Device] = None
        self._size = 0  # bytes of its batches
        self._room = 128 << 10  # bytes, what glibc keeps by itself
        self._pause = Pause()
        self._begin()

    def _begin(self) -> None:
        """For the next dump."""
        self._pause.end()
        self._changes = PageChanges(self._batches, self._snapshot.in_order, self._scope_name, self._pause)
        self._shapes: List[Shape] = []  # of what came of it, call by call
        self._is_known = True  # whether all of that was recognised
        self._secrets: Dict[int, List[bytearray]] = {}  # that were taken out of it, by number of the batch

    def abandon(self) -> None:
        for number in self._changes.batches:
            self._batches[number] = None
        self._begin()

    def recognise(self, inbox: Inbox) -> Optional[Batch]:
        self._comes_by = inbox
        number, shape, buffer = len(self._shapes), inbox.shape, inbox.buffer
        self._shapes.append(shape)
        batch = self._batches[number] if self._is_known and number < len(self._batches) else None
        # Behind what was not recognised nothing is: all is decoded the plain way, and the buffer has secrets.
        self._is_known = batch is not None and shape == batch.shape
        if batch is None or not self._is_known:
            return None
        if batch.secrets:
            self._secrets[number] = secrets = batch.take_secrets(buffer)
            if not batch.has_these(secrets):
                self._give_back(number, batch, buffer)
                return None
        pages = batch.changed(buffer)
        if pages:
            if not self._changes.add(batch, pages, buffer):
                self._give_back(number, batch, buffer)
                return None
            inbox.exchange(batch.buffer)
            batch.take(buffer)
            self._changes.batches.append(number)
        return batch

    def _give_back(self, number: int, batch: Batch, buffer: bytearray) -> None:
        """The secrets that were taken out of a buffer, for who decodes it."""
        self._is_known = False
        batch.put_secrets(buffer, self._secrets.pop(number, ()))

    def device(self, answer: Answer, link: LinkState, **names: Any) -> Device:
        """Last poll's objects where they still hold. After an error the device in memory is as it was. Empties the list."""
        found = self._followed(answer)
        if found is None:
            self._pause.begin()
            found = self._decoded(answer)
        elif self._size > self._room:
            self._keep_room()
        before, up = self._device, link(found.device.ifindex)
        if found.device is before and before.up == up:
            device = Device(*before[:-1], found.peers) if found.changed else before
        else:
            device = found.device._replace(peers=found.peers, up=up, **names)
            if before is not None and not found.changed and device[:-1] == before[:-1]:
                device = before
        self._batches, self._snapshot, self._device = found.batches, found.peers, device
        self._begin()
        return device

    def _keep_room(self) -> None:
        """Fields that changed lie in memory for a moment, joined. glibc would give their room back, and ask for it, at each poll.

        It raises its threshold for that when a block from the system is freed (mallopt(3), M_MMAP_THRESHOLD), up to 32 MiB. Not
        before the first dump is decoded: the tables that grow meanwhile would leave holes of a hundred bytes for each peer.
        """
        self._room = self._size
        bytes(min(2 * self._size, 31 << 20))  # touches no memory

    def _followed(self, answer: Answer) -> Optional[_Outcome]:
        """Where each datagram is as before but for values in the same places; None where one is not."""
        device, found = self._device, self._changes
        if device is None or answer != self._batches:
            return None
        found.finish()
        if found.unread:
            return None
        peers = self._snapshot
        if found.after:
            changed = Delta([], [], found.before, found.after, found.kinds, found.positions, peers.order, found.fell)
            peers = peers.followed_by(changed)
        return _Outcome(device, peers, bool(found.after), self._batches)

    def _decoded(self, answer: Answer) -> _Outcome:
        """The plain way."""
        whole = list(chain.from_iterable([self._whole(number, part) for number, part in enumerate(answer)]))
        answer.clear()
        found = DeviceBytes((one.data, *message) for one in whole for message in one.messages)
        known = self._known()
        before = after = self._snapshot
        cuts = {id(one.data): Cut() for one in whole}
        begin_in = dict.fromkeys(cuts, 0)  # how many peers
        unusual: Set[int] = set()  # which may hold secrets at unknown places
        peers: Dict[bytes, Peer] = {}
        for raw in found.peers(peers):
            old = known.get(raw.key)
            places: Optional[Places]
            if old is not None and _is_same(raw, old):
                peer, places = old.peer, old.places
            else:
                peer, places = decode_peer(raw, self._scope_name)
                if peer == before.get(raw.key):
                    peer = before[raw.key]
            peers[peer.public_key] = peer
            if places is None:
                unusual.update(id(buffer) for buffer, _start, _stop in raw.blocks)
            elif peer.preshared_key is not None:
                buffer, start, _stop = raw.blocks[0]
                cuts[id(buffer)].preshared_keys.append(start + places.preshared_key)
            buffer, start, stop = raw.blocks[0]
            begin_in[id(buffer)] += 1
            cuts[id(buffer)].add(start - HEADER, stop, places, len(raw.blocks) > 1)
            for buffer, start, stop in raw.blocks[1:]:
                cuts[id(buffer)].add(start - HEADER, stop)
        for buffer, offset in found.private_keys:
            cuts[id(buffer)].private_keys.append(offset)
        if len(cuts) < len(whole):
            unusual.update(cuts)  # one object came as two datagrams, and can't be told apart
        plans: Dict[Tuple[Field, ...], Plan] = {}
        batches: List[Optional[Batch]] = []
        first = 0
        # Each is let go as soon as its batch has its bytes.
        whole.reverse()
        shapes = self._next_shapes()
        self._size = sum(shape.buffer for shape in shapes)
        for shape in shapes:
            some = [whole.pop() for _size in shape.sizes]
            pages, preshared_keys, private_keys = [], [], []
            for number, one in enumerate(some):
                start, cut = number * self.inbox.room, cuts[id(one.data)]
                plan = cut.plan(len(one.data), plans)
                pages.append(Page(start, start + len(one.data), one.messages, plan, first))
                preshared_keys += [start + at for at in cut.preshared_keys]
                private_keys += [start + at for at in cut.private_keys]
                first += begin_in[id(one.data)]
            if unusual.isdisjoint(id(one.data) for one in some):
                room = self.inbox.new_buffer(shape.buffer)
                batches.append(Batch(shape, pages, some, room, preshared_keys, private_keys))
            else:
                batches.append(None)
        changed = len(peers) != len(before) or any(before.get(key) is not peer for key, peer in peers.items())
        if changed or not all(map(is_, peers.values(), before.values())):
            after = FollowedPeers.of(peers)
        return _Outcome(found.device(), after, changed, batches)

    def _next_shapes(self) -> List[Shape]:
        """Of what will come, if it is as much as came: there may be more room for it."""
        each = [one for shape in self._shapes for one in zip(*shape[1:])]
        size = self._comes_by.make_room(len(each))
        count = size // self.inbox.room
        return [Shape(size, *zip(*each[first : first + count])) for first in range(0, len(each), count)]

    def _whole(self, number: int, part: Union[Datagram, Batch]) -> List[Datagram]:
        """Each that came, with the secrets that were taken out of it."""
        return part.datagrams(self._secrets.get(number, ())) if isinstance(part, Batch) else [part]

    def _known(self) -> Dict[bytes, _Known]:
        """The peers of the last dump that stand in one block each, with its bytes, as far as these are not this dump's yet."""
        changed = self._changes.touched()
        known: Dict[bytes, _Known] = {}
        peers = self._snapshot.in_order
        for batch in filter(None, self._batches):
            for page in batch.pages:
                start, position = page.start, page.first
                for field in page.plan.fields:
                    if field.places is not None:
                        if not field.goes_on and position not in changed:
                            peer = peers[position]
                            known[peer.public_key] = _Known(peer, field.places, batch.buffer, start, start + field.size)
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

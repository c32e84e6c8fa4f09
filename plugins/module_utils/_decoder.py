# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the datagrams of a dump to the device."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Type

from ._inbox import Inbox
from ._model import Device, Peer
from ._netlink import Answer
from ._wire import DeviceBytes, decode_peer

# Given the ifindex of the link that was dumped: whether it is up, None where that can't be said. Temporary where it is gone, or
# another has its name by now.
LinkState = Callable[[Any], Optional[bool]]


class Decoder:
    """Decodes each dump by itself, for who reads once. ``Pages`` (``_pages.py``) is the one for who reads on and on."""

    inbox: Type[Inbox] = Inbox  # what receives for it

    def __init__(self, scope_name: Callable[[int], str]) -> None:
        self._scope_name = scope_name

    def recognise(self, inbox: Inbox) -> Any:
        """What came, as it is remembered: what the last dump had at this place, if that had other values at most. Else None.

        No secret is left in the inbox then.
        """
        return None

    def abandon(self) -> None:
        """The dump that came in is not to be decoded: there was something wrong with it."""

    def device(self, answer: Answer, link: LinkState, **names: Any) -> Device:
        """The device of a whole dump; ``names`` are what the dump does not tell.

        MalformedReply, or Temporary, also where it is not the link that has this name by now.
        """
        found = DeviceBytes((one.data, *message) for one in answer for message in one.messages)
        peers: Dict[bytes, Peer] = {}
        for raw in found.peers(peers):
            peers[raw.key] = decode_peer(raw, self._scope_name)[0]
        device = found.device()
        return device._replace(peers=peers, up=link(device.ifindex), **names)

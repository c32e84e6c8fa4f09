# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at the interfaces asked for: what wg_device_info and wg_facts return."""

from __future__ import annotations

import time
from functools import partial
from typing import List, Mapping, NamedTuple, Optional, Sequence

from ._discovery import find, is_glob, match
from ._errors import InterfaceGone, WireGuardError
from ._liveness import DEFAULTS, LivenessOptions, snapshot_state
from ._model import Device, Peer
from ._netns import Namespace
from ._reader import AUTO, InterfaceReader
from ._record import Record, device_record, wall_age


class GatherOptions(NamedTuple):
    """``patterns`` are names and globs; ``peers`` None is all of them."""

    patterns: Sequence[str]
    netns: Optional[str] = None
    backend: str = AUTO
    peers: Optional[Sequence[bytes]] = None
    names: Mapping[bytes, str] = {}
    liveness: LivenessOptions = DEFAULTS


class GatherError(WireGuardError):
    """An interface could not be read; ``records`` holds those that were read before it."""

    def __init__(self, message: str, records: List[Record]) -> None:
        super().__init__(message)
        self.records = records


def gather(options: GatherOptions) -> List[Record]:
    """Devices in the order asked for, those of one glob by name. GatherError, or the error that made finding impossible.

    A plain name that does not exist is an error that lists those that do; a found one that vanished since is left out.
    """
    namespace = Namespace(options.netns)
    try:
        found = find(namespace, options.backend) if any(is_glob(pattern) for pattern in options.patterns) else []
        only = None if options.peers is None else frozenset(options.peers)
        state_of = partial(_state, options.liveness)
        records: List[Record] = []
        for interface in match(options.patterns, found):
            reader = InterfaceReader(namespace, interface, options.backend)
            try:
                device = reader.read()
            except InterfaceGone as error:
                if interface not in options.patterns:
                    continue
                raise GatherError(with_existing(str(error), namespace, options.backend), records) from None
            except WireGuardError as error:
                raise GatherError(str(error), records) from None
            finally:
                reader.close()
            records.append(device_record(device, time.time_ns(), state_of, options.names, only))
        return records
    finally:
        namespace.close()


def with_existing(sentence: str, namespace: Namespace, backend: str = AUTO) -> str:
    """A sentence about a missing interface, completed by those that are there, as far as they can be found."""
    try:
        found = find(namespace, backend)
    except WireGuardError:
        return sentence
    return "%s. WireGuard interfaces%s: %s" % (sentence, str(namespace) or " here", ", ".join(found) or "none")


def _state(options: LivenessOptions, device: Device, peer: Peer, now_ns: int) -> str:
    return snapshot_state(device, peer, wall_age(peer, now_ns), options)

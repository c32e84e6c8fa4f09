# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Event source: what changes on WireGuard interfaces, as events for a rulebook. A thin shell over plugins/module_utils."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, Dict, Optional

DOCUMENTATION = r"""
short_description: Stream what changes on WireGuard interfaces
description:
  - Reads WireGuard interfaces at an interval, compares, and emits one event for each changed fact. A peer was added, removed,
    made anew, has another endpoint, another handshake, other allowed IPs; it went down, came up; an interface appeared.
  - Link notifications of the kernel and changes in the socket directory of userspace daemons trigger a look at once.
  - Every event stands under C(wireguard), so that a condition reads C(event.wireguard.type == "peer_removed").
    All keys are always there, C(null) where they say nothing. They are described in docs/events.md.
  - Only observes, and needs the capability CAP_NET_ADMIN. Private and preshared keys are in no event.
options:
  interfaces:
    description: Names of interfaces, or globs. Left out, it is all of them. A name that is not there yet is watched for.
    type: list
    elements: str
  netns:
    description: Network namespaces to look into, by name or path. Left out, it is the one that the rulebook runs in.
    type: list
    elements: str
  interval:
    description: Seconds between two looks, at least 0.05.
    type: float
    default: 1
  types:
    description:
      - Types of events to emit. Left out, it is all of them.
      - Why a watch is degraded is in the log of the rulebook in any case.
    type: list
    elements: str
    choices:
      - peer_added
      - peer_removed
      - peer_endpoint_changed
      - peer_handshake_refreshed
      - peer_allowed_ips_changed
      - peer_recreated
      - peer_keepalive_changed
      - peer_preshared_key_changed
      - peer_state_changed
      - interface_added
      - interface_removed
      - interface_changed
      - watch_heartbeat
      - watch_degraded
      - watch_recovered
  peers:
    description: Public keys of the peers to emit events of. Left out, it is all of them.
    type: list
    elements: str
  names:
    description: Names for peers by public key, found in events as C(name).
    type: dict
  initial:
    description:
      - What to do with what is there at start. V(emit) emits it as added, with C(initial) true. V(skip) emits changes only.
      - V(resume) compares with O(state_file) and emits what changed since the last run; all as V(emit) does where there was
        no last run.
    type: str
    choices: [emit, skip, resume]
    default: emit
  state_file:
    description:
      - Path of a file to remember in what was emitted, for O(initial=resume). Each source needs its own.
      - It survives a SIGKILL. Events may be emitted twice by it, and none is lost.
      - A damaged one is kept under the same name with C(.damaged) after it, and a new one begun. A file of another program
        is refused.
    type: str
  host:
    description: What events name as C(host). Left out, it is the system's host name.
    type: str
  hosts:
    description:
      - What to set C(meta.hosts) of the events to, so that actions are limited to these hosts of the inventory.
      - Left out, C(meta.hosts) is not set.
    type: list
    elements: str
  expected_keepalive:
    description:
      - Persistent keepalive in seconds that the other side of peers uses where this side has none.
      - A dictionary gives it for each peer by public key, for those it leaves out it is unknown.
    type: raw
  timers:
    description:
      - Seconds that liveness is judged by, as in M(wirewatch.wireguard.wg_peer_watch), by name. The names are C(reject_after),
        C(rekey_timeout), C(renewal), C(traffic), C(silence) and C(slack).
    type: dict
  debounce:
    description: Seconds that a liveness state must hold before its change is emitted.
    type: float
    default: 0
  heartbeat:
    description: Seconds between two C(watch_heartbeat) events, at least 0.05. V(0) for none.
    type: float
    default: 0
"""

EXAMPLES = r"""
- wirewatch.wireguard.wg_events:
    interfaces: [wg0]

- wirewatch.wireguard.wg_events:
    interfaces: ["wg*"]
    interval: 0.5
    types: [peer_removed, peer_state_changed, watch_degraded, watch_recovered, watch_heartbeat]
    initial: resume
    state_file: /var/lib/wirewatch/state.db
    names:
      xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=: office
    hosts: [gw1]
    expected_keepalive: 25
    debounce: 10
    heartbeat: 60
"""

# ansible-rulebook runs this file by its path, without Ansible's loader of collections: make the folder that holds
# ansible_collections importable. The path is taken as it was given, links not resolved, since a checkout may be linked in.
_COLLECTIONS = os.path.abspath(__file__)
for _level in range(8):
    _COLLECTIONS = os.path.dirname(_COLLECTIONS)
if _COLLECTIONS not in sys.path:
    sys.path.append(_COLLECTIONS)

from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import WireGuardError
from ansible_collections.wirewatch.wireguard.plugins.module_utils._faults import Faults
from ansible_collections.wirewatch.wireguard.plugins.module_utils._memory import PART, Memory
from ansible_collections.wirewatch.wireguard.plugins.module_utils._state import StateFile
from ansible_collections.wirewatch.wireguard.plugins.module_utils._stream import Stream
from ansible_collections.wirewatch.wireguard.plugins.module_utils._trigger import Triggers
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Batch, Watcher
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch_options import check

PATIENCE = 0.05  # seconds that an event may wait in the engine's queue before the state file is written
LOGGER = logging.getLogger("wirewatch.wireguard.wg_events")


async def main(queue: asyncio.Queue, args: Dict[str, Any]) -> None:
    """Puts events into ``queue`` until cancelled. ValueError at once where the arguments are wrong."""
    try:
        source = Source(queue, args)
    except WireGuardError as error:
        # ValueError, and no class of ours: the engine prints the name of the class before the sentence.
        raise ValueError("wirewatch.wireguard.wg_events: %s" % error) from None
    await source.run()


class Source:
    """One run of the source. Reading and writing files happen in a thread of its own, never in the engine's event loop."""

    def __init__(self, queue: asyncio.Queue, args: Dict[str, Any]) -> None:
        options, state_file, self._hosts = check(args)
        self._queue = queue
        state = StateFile(state_file, options.host) if state_file is not None else None
        self._watcher = Watcher(options, told=state.state if state is not None else None)
        self._stream = Stream(self._watcher, Triggers(self._watcher.namespaces))
        self._faults = Faults(self._watcher, partial(LOGGER.warning, "%s"))
        self._memory = Memory(state, self._faults)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="wg_events") as thread:
            try:
                await self._tell_again(loop, thread)
                while True:
                    try:
                        batch = await loop.run_in_executor(thread, self._next)
                    except Exception as error:
                        # Raising would end the rulebook.
                        self._faults.of_looking(error)
                        await asyncio.sleep(self._watcher.options.interval)
                        continue
                    if batch is None:
                        return
                    await self._deliver(batch, loop, thread)
                    self._watcher.confirm()
            finally:
                self._stream.stop()
                thread.submit(self._close)

    def _next(self) -> Optional[Batch]:
        batch = self._stream.next(or_empty=self._memory.is_behind or self._faults.is_first_look)
        if batch is not None:
            self._faults.of_looking(None)
        return batch

    async def _tell_again(self, loop: asyncio.AbstractEventLoop, thread: ThreadPoolExecutor) -> None:
        """What the run before was telling when it ended."""
        for event, _meta in self._memory.untold:
            if event["type"] in self._watcher.options.types:
                await self._put(self._envelope(event), loop, thread)
            self._memory.note([event])

    async def _deliver(self, batch: Batch, loop: asyncio.AbstractEventLoop, thread: ThreadPoolExecutor) -> None:
        found = iter(batch)
        while True:
            part = list(islice(found, PART if self._memory.is_kept else 1))
            if not part:
                break
            if self._memory.is_kept:
                announced = [event for event, wanted in part if wanted]
                await loop.run_in_executor(thread, self._memory.announce, announced)
            for event, wanted in part:
                self._faults.say_reason(event)
                if wanted:
                    await self._put(self._envelope(event), loop, thread)
                self._memory.note([event])
        await loop.run_in_executor(thread, self._remember)

    async def _put(self, envelope: Dict[str, Any], loop: asyncio.AbstractEventLoop, thread: ThreadPoolExecutor) -> None:
        if not self._memory.is_kept:
            await self._queue.put(envelope)
            return
        put = asyncio.ensure_future(self._queue.put(envelope))
        try:
            # It may block for an hour, while a playbook runs: what was delivered before is to be on disk by then.
            if not (await asyncio.wait((put,), timeout=PATIENCE))[0]:
                await loop.run_in_executor(thread, self._remember)
            await put
        finally:
            put.cancel()

    def _envelope(self, event: Dict[str, Any]) -> Dict[str, Any]:
        envelope: Dict[str, Any] = {"wireguard": event}
        if self._hosts is not None:
            envelope["meta"] = {"hosts": list(self._hosts)}
        return envelope

    def _remember(self) -> None:
        # What lies in the queue yet would be lost with this process.
        self._memory.write(taken=not isinstance(self._queue, asyncio.Queue) or self._queue.empty())

    def _close(self) -> None:
        self._remember()
        self._stream.close()
        self._watcher.close()
        self._memory.close()


class _Printer:
    """A queue that prints, for a look without a rulebook: python wg_events.py '{"interfaces": ["wg0"]}'."""

    async def put(self, event: Dict[str, Any]) -> None:
        print(json.dumps(event), flush=True)


def _stand_alone(argument: Optional[str]) -> int:
    try:
        arguments = json.loads(argument) if argument else {}
        if not isinstance(arguments, dict):
            raise ValueError("not an object")
    except ValueError as error:
        print("The argument is to be a JSON object of the source's arguments: %s" % error, file=sys.stderr)
        return 2
    try:
        asyncio.run(main(_Printer(), arguments))  # type: ignore[arg-type]
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Nobody reads on. What is left in the buffer would be written at the end, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(_stand_alone(sys.argv[1] if len(sys.argv) > 1 else None))

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known keys in the kernel's own dumps: whatever is read, watched, logged, kept or fails is searched for them."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _netlink
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import WireGuardError
from ansible_collections.wirewatch.wireguard.plugins.module_utils._following import FOLLOWING
from ansible_collections.wirewatch.wireguard.plugins.module_utils._gather import GatherOptions, gather
from ansible_collections.wirewatch.wireguard.plugins.module_utils._inbox import Inbox
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reader import InterfaceReader
from ansible_collections.wirewatch.wireguard.plugins.module_utils._recvmmsg import Recvmmsg
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch import Watcher, WatchOptions
from integration import confession
from lab import Network, generate_preshared_key, star
from lab.leaks import Search
from model import mutate

SEED = 20261125
SPOILED = 40
TYPES_OF_OURS = {"Device", "InterfaceReader", "KernelReader", "GenericNetlink", "Pages", "Peer", "Target", "Watcher"}


@pytest.fixture
def debug_log(tmp_path: Path) -> Iterator[Path]:
    """Every logger at DEBUG, into a file."""
    path = tmp_path / confession.DEBUG_LOG
    with path.open("wb") as output, confession.all_logged(output):
        yield path


def spoil_received(monkeypatch: pytest.MonkeyPatch, chance: random.Random) -> list[bytes]:
    """From here on what comes from the kernel arrives spoiled; the list gets what the kernel said."""
    said: list[bytes] = []

    def spoil(kind: type[Inbox]) -> None:
        receive = kind.receive

        def spoiled(inbox: Inbox) -> None:
            receive(inbox)
            buffer, sizes = inbox.buffer, []
            for start, size in zip(range(0, len(buffer), inbox.room), inbox.shape.sizes):
                said.append(bytes(buffer[start : start + size]))
                arrives = chance.choice(mutate.OF_DATAGRAM)(chance, said[-1])[: inbox.room]
                buffer[start : start + size] = bytes(size)
                buffer[start : start + len(arrives)] = arrives
                sizes.append(len(arrives))
            inbox.shape = inbox.shape._replace(sizes=tuple(sizes))

        monkeypatch.setattr(kind, "receive", spoiled)

    for kind in (Inbox, Recvmmsg):
        spoil(kind)
    monkeypatch.setattr(_netlink, "BACKOFF", 0)
    monkeypatch.setattr(_netlink, "ATTEMPTS", 2)
    monkeypatch.setattr("ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink.RECEIVE_TIMEOUT", 0.2)
    return said


def failure(reader: InterfaceReader) -> BaseException | None:
    """What reading raises. This frame is in the error's traceback, and knows nothing but the reader."""
    try:
        reader.read()
    except WireGuardError as error:
        return error
    return None


def test_no_key_of_the_kernels_dump_is_shown_kept_or_told(
    network: Network,
    debug_log: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str], None],
) -> None:
    net = star(network, ["east"], preshared=False)
    peer, netns = net.spokes["east"].public_key, net.hub.host.namespace
    keys = [interface.keys.private for interface in (net.hub, net.spokes["east"]) if interface.keys]
    keys += [generate_preshared_key(), generate_preshared_key()]
    search = Search(keys)
    events: list[dict[str, Any]] = []

    def look() -> list[tuple]:
        found = [event for event, _wanted in watcher.poll()]
        watcher.confirm()
        events.extend(found)
        return [(event["type"], event["public_key"], event["previous"], event["current"]) for event in found]

    with closing(Watcher(WatchOptions(patterns=[net.hub.name], netns=[netns], host="here"))) as watcher:
        assert [told[0] for told in look()] == ["interface_added", "peer_added"]
        for key, previous in zip(keys[2:], (False, True)):
            net.hub.set_peer(peer, preshared_key=key)
            assert look() == [("peer_preshared_key_changed", peer, previous, True)]
        with (tmp_path / "objects").open("wb") as output:
            counted = confession.confess([watcher], output)
            devices = gather(GatherOptions([net.hub.name, "ww*"], netns))
            output.write(json.dumps([devices, events]).encode())

        # The kernel's answers, spoiled: on the way to the reader that watches, and to fresh ones.
        errors: Counter[str] = Counter()
        with monkeypatch.context() as patched, (tmp_path / "errors").open("wb") as output:
            said = spoil_received(patched, random.Random(SEED))
            for _number in range(SPOILED):
                namespace = Namespace(netns)
                reader = InterfaceReader(namespace, net.hub.name, "kernel", ways=FOLLOWING)
                error = failure(reader)
                if error is not None:
                    errors[type(error).__name__] += 1
                    output.writelines(confession.confess_error(error))
                reader.close()
                namespace.close()
            look()
        heard = search.finds(b"".join(said))
        look()
        net.hub.set("peer", peer, "preshared-key", "/dev/null")
        assert look() == [("peer_preshared_key_changed", peer, True, False)]
    (tmp_path / "events").write_text(json.dumps(events), encoding="utf-8")
    assert {find.key for find in heard} == {0, 3}, "the kernel did not say the keys"
    assert {find.form for find in heard} >= {"raw"}
    assert counted.keys() >= TYPES_OF_OURS
    assert errors.total() > SPOILED / 3
    logging.getLogger("pyroute2").debug("the end")
    assert b"the end" in debug_log.read_bytes(), "what is logged is not heard"
    leaks = search.leaks(tmp_path)
    assert not leaks
    figure(
        f"{search}: none there; {counted.total():,} objects, {errors.total()} errors over the kernel's spoiled answers"
    )

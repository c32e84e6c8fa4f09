# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What did not change since the last poll is the same object, and only what changed is decoded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import MalformedReply
from ansible_collections.wirewatch.wireguard.plugins.module_utils._fingerprint import fingerprint
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import Device, Peer
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reuse import Reuse
from unit.watching import key


class Polls:
    """One interface whose raw peers are (number, rx_bytes, noise): the noise is in the bytes and in no value."""

    def __init__(self) -> None:
        self._reuse = Reuse()
        self.secret: bytes | None = None
        self.decoded: list[int] = []

    def poll(self, *raw: tuple[int, int, int], **fields: int) -> Device:
        def decode(text: bytes) -> Peer:
            number, rx_bytes, _noise = json.loads(text)
            if rx_bytes < 0:
                raise ValueError("a counter below zero")
            self.decoded.append(number)
            return Peer(key(number), preshared_key=self.secret, rx_bytes=rx_bytes)

        self.decoded = []
        peers = self._reuse.peers([json.dumps(one).encode() for one in raw], decode)
        return self._reuse.device(Device("wg0", peers=peers, **fields))


def test_nothing_is_decoded_where_nothing_changed() -> None:
    polls = Polls()
    before = polls.poll((1, 10, 0), (2, 20, 0))
    assert polls.decoded == [1, 2]
    assert polls.poll((1, 10, 0), (2, 20, 0)) is before
    assert polls.decoded == []


def test_only_what_changed_is_decoded_and_anew() -> None:
    polls = Polls()
    before = polls.poll((1, 10, 0), (2, 20, 0))
    after = polls.poll((1, 10, 0), (2, 21, 0))
    assert polls.decoded == [2]
    assert after.peers[key(1)] is before.peers[key(1)]
    assert after.peers[key(2)].rx_bytes == 21
    assert before.peers[key(2)].rx_bytes == 20, "the last snapshot was written to"


def test_other_bytes_of_equal_value_are_the_same_object() -> None:
    """A peer cut at another place, allowed IPs in another order."""
    polls = Polls()
    before = polls.poll((1, 10, 0), (2, 20, 0))
    assert polls.poll((1, 10, 1), (2, 20, 1)) is before
    assert polls.poll((1, 10, 1), (2, 20, 1)) is before
    assert polls.decoded == [], "the new bytes were not remembered"


@pytest.mark.parametrize("raw", [[(1, 10, 0)], [(1, 10, 0), (2, 20, 0), (3, 30, 0)], [(1, 10, 0), (3, 20, 0)], []])
def test_peers_that_came_or_went_are_another_snapshot(raw: list[tuple[int, int, int]]) -> None:
    polls = Polls()
    before = polls.poll((1, 10, 0), (2, 20, 0))
    after = polls.poll(*raw)
    assert after is not before
    assert sorted(after.peers) == [key(one[0]) for one in raw]
    assert all(after.peers[one] is before.peers[one] for one in after.peers if one in before.peers)


def test_a_device_that_changed_keeps_its_peers() -> None:
    polls = Polls()
    before = polls.poll((1, 10, 0))
    after = polls.poll((1, 10, 0), fwmark=1)
    assert after is not before
    assert after.peers is before.peers


def test_an_error_leaves_the_memory_as_it_was() -> None:
    polls = Polls()
    before = polls.poll((1, 10, 0), (2, 20, 0))
    with pytest.raises(ValueError, match="below zero"):
        polls.poll((1, 11, 0), (2, -1, 0))
    assert polls.poll((1, 10, 0), (2, 20, 0)) is before


def test_bytes_with_a_secret_are_compared_and_not_kept() -> None:
    polls = Polls()
    polls.secret = b"a fingerprint"
    before = polls.poll((1, 10, 0))
    assert polls.poll((1, 10, 0)) is before
    assert polls.decoded == []
    assert polls.poll((1, 11, 0)) is not before
    assert b"[1, 11, 0]" not in polls._reuse._known


def test_a_peer_that_comes_twice_is_refused() -> None:
    polls = Polls()
    before = polls.poll((1, 10, 0), (2, 20, 0))
    for twice in ((1, 10, 0), (1, 11, 0)):
        with pytest.raises(MalformedReply, match="for the second time"):
            polls.poll((1, 10, 0), twice)
        assert polls.poll((1, 10, 0), (2, 20, 0)) is before


def test_peers_in_another_order_are_the_same_snapshot_and_keep_theirs() -> None:
    """So that comparing two snapshots never has to look keys up."""
    polls = Polls()
    before = polls.poll((1, 10, 0), (2, 20, 0), (3, 30, 0))
    assert polls.poll((3, 30, 0), (1, 10, 0), (2, 20, 0)) is before
    after = polls.poll((3, 30, 0), (2, 21, 0), (1, 10, 0))
    assert list(after.peers) == list(before.peers)


# --- fingerprints


def test_a_fingerprint_tells_secrets_apart_and_is_none() -> None:
    secret = b"\xa7" * 32
    assert fingerprint(secret) == fingerprint(secret)
    assert fingerprint(secret) == fingerprint(secret[:5], secret[5:]), "where bytes are cut does not matter"
    assert fingerprint(secret) != fingerprint(b"\xa8" * 32)
    assert len(fingerprint(secret)) == 16
    assert secret[:4] not in fingerprint(secret)


def test_a_fingerprint_means_nothing_in_another_process(import_folder: object) -> None:
    """Else it could be looked up in a list of hashed keys, by whoever gets hold of a log."""
    code = (
        "from ansible_collections.wirewatch.wireguard.plugins.module_utils._fingerprint import fingerprint\n"
        "print(fingerprint(b'x').hex())"
    )
    environment = {"PYTHONPATH": str(import_folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _process in range(2)
    ]
    assert len({*done, fingerprint(b"x").hex() + "\n"}) == 3

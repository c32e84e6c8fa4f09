# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public key of a private one: the published pairs, and wg(8) as the second opinion."""

from __future__ import annotations

import base64
import random
import subprocess

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._x25519 import public_key
from lab.commands import tool


@pytest.mark.parametrize(
    ("private", "public"),
    [
        (
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        ),
        (
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        ),
    ],
    ids=["Alice", "Bob"],
)
def test_the_pairs_of_rfc_7748_section_6_1(private: str, public: str) -> None:
    assert public_key(bytes.fromhex(private)).hex() == public


def test_wg_derives_the_same() -> None:
    chance = random.Random(7748)
    for private in [bytes(32), b"\xff" * 32, *(chance.getrandbits(256).to_bytes(32, "big") for _number in range(20))]:
        theirs = subprocess.run(
            [tool("wg"), "pubkey"], input=base64.b64encode(private), capture_output=True, check=True
        ).stdout
        assert public_key(private) == base64.b64decode(theirs)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose ansible-core is older than what the collection is for is told so, and what to do."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.wirewatch.wireguard.plugins.module_utils._arguments import OLDEST, too_old
from collection import CHECKOUT


@pytest.mark.parametrize(
    "version", ["2.17.0", "2.17.14", "2.19.14", "2.20.0.dev0", "2.21.0b1", "3.0", "0.0", "", "devel"]
)
def test_a_version_that_will_do_or_that_nobody_told_is_no_reason_to_speak(version: str) -> None:
    assert too_old(version) is None


@pytest.mark.parametrize("version", ["2.14.18", "2.16.0rc1", "1.9.6"])
def test_an_older_one_is_told_with_how_to_get_a_newer(version: str) -> None:
    sentence = too_old(version)
    assert sentence is not None
    assert sentence.startswith(f"This is ansible-core {version}, and wirewatch.wireguard is tested with 2.17 and later")
    assert "pip install ansible-core" in sentence


def test_the_oldest_is_the_one_that_the_collection_requires() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"] == ">=%d.%d.0" % OLDEST

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of rulebooks share: an ansible-rulebook that has what stands in for ansible.eda.kafka, and reactions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from collection import CHECKOUT
from eda.reactions import React, Reacting
from lab import Ansible


@pytest.fixture(scope="session")
def with_kafka(collections_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    """The collection as installed, and beside it one that has ansible.eda.kafka."""
    folder = tmp_path_factory.mktemp("with-kafka")
    shutil.copytree(collections_path, folder / "collections")
    other = folder / "collections/ansible_collections/ansible/eda"
    sources = other / "extensions/eda/plugins/event_source"
    sources.mkdir(parents=True)
    shutil.copy(CHECKOUT / "tests/eda/kafka_source.py", sources / "kafka.py")
    facts = {"namespace": "ansible", "name": "eda", "version": "0.0.1", "readme": "README.md", "authors": ["nobody"]}
    (other / "galaxy.yml").write_text(yaml.safe_dump(facts), encoding="utf-8")
    return Ansible(folder / "collections", folder)


@pytest.fixture
def reacting(collections_path: Path, tmp_path: Path) -> React:
    """Starts the reactions that ship, on one host of a network."""
    return lambda host, interfaces: Reacting(collections_path, tmp_path, host, interfaces)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role takes a variable with its prefix that it does not know for a misspelt option: so it must know all of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from collection import CHECKOUT

ROLES = sorted((CHECKOUT / "roles").iterdir())


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_knows_each_name_that_it_uses(role: Path) -> None:
    texts = [path.read_text(encoding="utf-8") for path in role.rglob("*") if path.suffix in (".yml", ".j2")]
    used = {name for text in texts for name in re.findall(rf"\b{role.name}_\w+", text)}
    options = load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    own = load(role / "vars/main.yml")[f"{role.name}_own"]
    assert used == {*options, *own}
    assert not set(options) & set(own)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the reactions shows each that ships, as it ships; and what holds for all of them."""

from __future__ import annotations

import re

import pytest
import yaml
from docs.pages import CHECKOUT, read, section, show_files, shown_files, without_head

PAGE = "docs/reactions.md"
PLAYBOOKS = sorted(str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "playbooks").glob("*.yml"))
RULEBOOKS = [playbook.replace("playbooks/", "extensions/eda/rulebooks/") for playbook in PLAYBOOKS]
NAMES = [playbook.removeprefix("playbooks/").removesuffix(".yml") for playbook in PLAYBOOKS]


def test_the_page_shows_the_files_that_ship(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite-docs"):
        show_files(PAGE)
    shown = shown_files(PAGE)
    assert sorted(shown) == sorted([*PLAYBOOKS, *RULEBOOKS])
    for path, text in shown.items():
        assert text == without_head((CHECKOUT / path).read_text(encoding="utf-8")), path


@pytest.mark.parametrize("name", NAMES)
def test_each_reaction_has_a_row_and_a_section(name: str) -> None:
    page = read(PAGE)
    assert f"| [`{name}`](#{name}) |" in page
    shown = section(page, name)
    assert f"file: extensions/eda/rulebooks/{name}.yml" in shown
    assert f"file: playbooks/{name}.yml" in shown


@pytest.mark.parametrize("path", RULEBOOKS)
def test_rulebooks_act_on_the_host_of_the_event_alone_and_hand_on_whether_to_check(path: str) -> None:
    (ruleset,) = yaml.safe_load((CHECKOUT / path).read_text(encoding="utf-8"))
    runs = [
        (rule["condition"], action["run_playbook"])
        for rule in ruleset["rules"]
        for action in rule.get("actions", [rule.get("action")])
        if "run_playbook" in action
    ]
    assert runs
    for condition, run in runs:
        assert "event.meta.hosts is defined" in condition
        assert "{{ wirewatch_check | default(false) }}" in str(run["extra_vars"])
        assert f"playbooks/{run['name'].removeprefix('wirewatch.wireguard.')}.yml" in PLAYBOOKS


@pytest.mark.parametrize("path", PLAYBOOKS)
def test_playbooks_run_on_the_host_of_the_event_in_check_mode_on_demand_and_without_a_shell(path: str) -> None:
    text = (CHECKOUT / path).read_text(encoding="utf-8")
    for play in yaml.safe_load(text):
        assert play["hosts"] == "{{ ansible_eda.event.meta.hosts | default('!all') }}"
        assert play["check_mode"] == "{{ checking }}"
        assert "wirewatch_check" in play["vars"]["checking"]
    assert re.findall(r"\b(?:shell|raw|script):", text) == []


def test_the_page_names_each_variable_of_the_rulebooks() -> None:
    page = read(PAGE)
    for path in RULEBOOKS:
        for name in set(re.findall(r"\b(?:wg|wirewatch)_[a-z]+\b", (CHECKOUT / path).read_text(encoding="utf-8"))):
            assert f"`{name}`" in page or name == "wg_events", f"{name} of {path} is missing on the page"

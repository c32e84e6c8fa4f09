# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that want to be more than names, through the real role into a real browser: they are text, wherever they stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from browser import meshes
from browser.chromium import Opened
from lab.player import Player

HOSTS = [
    "<script>alert('host')</script>",
    "</script><img src=x onerror=alert(2)>",
    '"><svg onload=alert(3)>',
    "' onmouseover='alert(4)",
    "</title><!--",
    "{{ 6 * 7 }}{% raw %}",
]
REASON = "<iframe src=javascript:alert(5)></iframe>"
INTERFACE = "<b onclick=a()>"  # 15 characters: the kernel takes it
TITLE = "</title><script>alert('title')</script>"

# As the role has it, on what hosts returned: files are trusted no more than they are.
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Write two reports
      ansible.builtin.include_tasks: report.yml
      loop: [before.json, after.json]
"""
TASKS = """
- name: Judge
  ansible.builtin.set_fact:
    mesh_check_pairs: "{{ lookup('ansible.builtin.file', item) | from_json | wirewatch.wireguard.mesh_pairs }}"
- name: Report
  ansible.builtin.include_role:
    name: wirewatch.wireguard.mesh_check
    tasks_from: report
  vars:
    mesh_check_results: "{{ lookup('ansible.builtin.file', item) | from_json }}"
"""


def hostile(state: str) -> meshes.Results:
    """Each sees the next one, in this state."""
    ring = zip(HOSTS, [*HOSTS[1:], HOSTS[0]])
    results = {
        own: meshes.host(own, meshes.peer(other, 1, state, endpoint=f"{other}:1"), interface=INTERFACE)
        for own, other in ring
    }
    return {**results, "unread": {"msg": REASON}}


def test_names_are_text_wherever_they_stand(play: Player, show: Callable[..., Opened], tmp_path: Path) -> None:
    folder, report = play.ansible.folder, tmp_path / "mesh.html"
    for name, state in (("before", "up"), ("after", "down")):
        (folder / f"{name}.json").write_text(json.dumps(hostile(state)), encoding="utf-8")
    (folder / "report.yml").write_text(TASKS, encoding="utf-8")
    inventory = folder / "localhost.yml"
    inventory.write_text("", encoding="utf-8")
    play(inventory, PLAYBOOK, variables={"mesh_check_report": str(report), "mesh_check_report_title": TITLE})

    opened = show(report)
    page = opened.page
    # Nothing but what the templates hold has become an element.
    assert page.locator("img, iframe, b[onclick], svg[onload], [onmouseover]").count() == 0
    assert page.locator("script").count() == 2
    assert page.title() == page.locator("h1").inner_text() == TITLE
    options = page.evaluate("Array.from(document.querySelectorAll('#hosts option'), (one) => one.value)")
    assert sorted(options) == sorted([*HOSTS, "unread"])
    assert sorted(page.evaluate("Array.from(document.querySelectorAll('.node'), (one) => one.dataset.host)")) == sorted(
        options
    )
    hosts, problems, endpoints = opened.column(1), opened.column(3), opened.column(7)
    changes = page.locator(".changes tbody").inner_text()
    drawn = page.evaluate(
        "Array.from(document.querySelectorAll('#circle title'), (one) => one.textContent).join('\\n')"
    )
    for name in HOSTS:
        assert f"{name} {INTERFACE}" in hosts
        assert any(f"down on {name}" in problem for problem in problems)
        assert f"{name}:1" in endpoints
        assert f"{name} {INTERFACE} sees " in changes
        assert f" sees {name} {INTERFACE}: down" in drawn
    assert f"unread could not be read: {REASON}" in problems
    # And whoever uses the page with them finds what it does.
    opened.named("combobox", "Host").fill(HOSTS[1])
    assert len(opened.column(0)) == 4
    page.hover(".node >> nth=2")
    assert opened.violations() == []

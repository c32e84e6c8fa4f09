# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's page out of plain values, by Jinja alone: what the role does with Ansible around it, in a hundredth of the time."""

from __future__ import annotations

from typing import Any

import jinja2
from ansible_collections.wirewatch.wireguard.plugins.filter.mesh_pairs import mesh_pairs
from ansible_collections.wirewatch.wireguard.plugins.filter.mesh_report import mesh_report
from browser.meshes import NOW, Results
from collection import CHECKOUT

TEMPLATES = CHECKOUT / "roles/mesh_check/templates"
MADE = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(results: Results, made: str = MADE, last: str | None = None) -> dict[str, Any]:
    return mesh_report(results, mesh_pairs(results), made, last)


def render(results: Results, last: Results | None = None, title: str = "WireGuard mesh") -> str:
    """The page of a mesh, after a report of it an hour before as it was then."""
    environment = jinja2.Environment(  # as the module `template` has it
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.get_template("report.html.j2")
    before = None
    if last is not None:
        earlier = shown(last, MADE.replace("T12", "T11"))
        before = template.render(mesh_check_shown=earlier, mesh_check_report_title=title)
    return template.render(mesh_check_shown=shown(results, last=before), mesh_check_report_title=title)

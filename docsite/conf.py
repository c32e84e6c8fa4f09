# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings. The pages are the repository's own, where they are; what a reader's browser needs is all in the site."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

project = "wirewatch.wireguard"
author = "wirewatch developers"
html_title = project

extensions = ["myst_parser", "sphinx_antsibull_ext"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "roles/*/README.md", "demo/README.md", "plugins-and-roles/*.rst"]
# Anchors as GitHub makes them, so that one link serves both.
myst_heading_anchors = 4

html_theme = "furo"
html_show_sourcelink = False
html_copy_source = False

LINK = re.compile(r"\]\(([\w./-]+\.md)\)")

ANSIBLE = "https://docs.ansible.com/projects/ansible/latest"
# Where Ansible's own documentation has what pages of plugins refer to.
PAGES = {
    "common_return_values": "reference_appendices/common_return_values.html",
    "action_plugins": "plugins/action.html",
}
BUILTIN = re.compile(r"ansible_collections\.ansible\.builtin\.(\w+)")


def toctree(caption: str, entries: list[str]) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```", ""])


def listed(page: Path) -> list[str]:
    """The pages in its folder and below that a page links to, as they are named from there, in its order."""
    links = dict.fromkeys(LINK.findall(page.read_text(encoding="utf-8")))
    return [link.removesuffix(".md") for link in links if not link.startswith("..")]


def add_toctrees(app: Sphinx, name: str, content: list[str]) -> None:
    """docs/README.md has the order of the guides, and a README.md in a folder below it that of the pages there.

    A page that none of them links to is a warning of Sphinx, and so a failure.
    """
    source = Path(app.srcdir)
    if name == root_doc:
        roles = sorted(str(path.relative_to(source).with_suffix("")) for path in source.glob("roles/*/README.md"))
        guides = [f"docs/{page}" for page in listed(source / "docs/README.md")]
        content[0] += toctree("Guides", ["docs/README", *guides])
        content[0] += toctree("Reference", ["plugins-and-roles/index", *roles])
        content[0] += toctree("Project", ["demo/README", "CHANGELOG", "CONTRIBUTING", "SECURITY"])
    elif re.fullmatch(r"docs/.+/README", name):
        content[0] += toctree("Pages", listed(source / f"{name}.md"))


def link_to_ansible(_app: Sphinx, _env: Any, node: nodes.Element, label: nodes.Element) -> nodes.Element | None:
    """References that antsibull-docs makes into Ansible's own documentation, without fetching its index."""
    target = node.get("reftarget", "")
    builtin = BUILTIN.fullmatch(target)
    page = f"collections/ansible/builtin/{builtin[1]}.html" if builtin else PAGES.get(target)
    return nodes.reference("", "", label, refuri=f"{ANSIBLE}/{page}", internal=False) if page else None


def begin_at_the_readme(app: Sphinx, error: Exception | None) -> None:
    """Web servers look for index.html."""
    if error is None:
        shutil.copy(Path(app.outdir, "README.html"), Path(app.outdir, "index.html"))


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_toctrees)
    app.connect("missing-reference", link_to_ansible)
    app.connect("build-finished", begin_at_the_readme)

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site builds without a warning, holds a page for everything, and needs nothing from elsewhere while it is read."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from docs.pages import CHECKOUT

# What a browser fetches by itself, by tag. A link of these kinds is only a name, or for a reader to follow.
FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "source": ("src", "srcset"),
    "embed": ("src",),
    "object": ("data",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
    "link": ("href",),
}
NOT_FETCHED = {"canonical", "alternate", "author", "license", "next", "prev", "index", "search"}
CSS_FETCHES = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
SCRIPT_FETCHES = re.compile(
    r"""(?:fetch|import|importScripts|XMLHttpRequest|\.src\s*=|\.href\s*=)\W{0,4}["'](https?:|//)"""
)


class Page(HTMLParser):
    """The links of a page, its anchors, what it fetches."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.fetched: list[str] = []
        self._style = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and set(values.get("rel", "").split()) <= NOT_FETCHED:
            self.links.append(values.get("href", ""))
        else:
            self.fetched += [values[name] for name in FETCHED.get(tag, ()) if values.get(name)]
        self.fetched += fetched_by_css(values.get("style", ""))
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if self._style:
            self.fetched += fetched_by_css(data)


def fetched_by_css(text: str) -> list[str]:
    return [one or other for one, other in CSS_FETCHES.findall(text)]


def remote(address: str) -> bool:
    return not address.startswith("data:") and (urlsplit(address).scheme != "" or address.startswith("//"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "built"
    # Sphinx's warnings are errors: a page that no other lists, a link to nowhere, an example of another language.
    command = [sys.executable, str(CHECKOUT / "docsite/build.py"), str(folder)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT / "tests")}
    built = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_a_browser_fetches_nothing_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    asked = {str(path): page.fetched for path, page in pages.items()}
    assert any(address.endswith(".css") for address in asked[str(site / "index.html")]), "the parser sees nothing"
    for path in [*site.rglob("*.css"), *site.rglob("*.svg")]:
        asked[str(path)] = fetched_by_css(path.read_text(encoding="utf-8"))
    for path in site.rglob("*.svg"):
        asked[str(path)] += Page(path).fetched
    assert {path: found for path, found in asked.items() if any(map(remote, found))} == {}
    scripts = [path for path in site.rglob("*.js") if SCRIPT_FETCHES.search(path.read_text(encoding="utf-8"))]
    assert scripts == []


def test_the_search_for_remote_resources_finds_them(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<link rel="stylesheet" href="https://fonts.example.org/a.css"><script src="//cdn.example.org/b.js"></script>'
        "<style>@import 'https://c.example.org/c.css'; p {background: url(https://d.example.org/d.png)}</style>"
        '<img src="https://e.example.org/e.svg"><p style="background: url(//f.example.org/f.png)"><img src="g.svg">'
        '<link rel="canonical" href="https://example.org/"><a href="https://example.org/">to follow</a>'
    )
    found = [address for address in Page(page).fetched if remote(address)]
    assert [re.sub(r".*/", "", address)[0] for address in found] == list("abcdef")
    assert SCRIPT_FETCHES.search("fetch('https://example.org/index.json')")


def test_every_link_within_the_site_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        for link in page.links + page.fetched:
            if remote(link) or link.startswith("data:"):
                continue
            file, anchor = unquote(urlsplit(link).path), unquote(urlsplit(link).fragment)
            target = (path.parent / file).resolve() if file else path
            if not target.is_file() or (anchor and target in pages and anchor not in pages[target].anchors):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_every_page_plugin_and_role_is_on_the_site(site: Path) -> None:
    pages = {path.relative_to(CHECKOUT).with_suffix(".html") for path in (CHECKOUT / "docs").rglob("*.md")}
    for kind, folder in (("module", "modules"), ("filter", "filter"), ("lookup", "lookup")):
        names = [path.stem for path in (CHECKOUT / "plugins" / folder).glob("*.py")]
        pages |= {Path(f"plugins-and-roles/{name}_{kind}.html") for name in names if not name.startswith("_")}
    for path in CHECKOUT.glob("roles/*"):
        pages |= {Path(f"plugins-and-roles/{path.name}_role.html"), Path(f"roles/{path.name}/README.html")}
    assert len(pages) > 15
    assert sorted(page for page in pages if not (site / page).is_file()) == []
    # antsibull-docs knows no plugins of Event-Driven Ansible: theirs are written by hand.
    for name, page in (("wg_events", "react"), ("lift", "lift")):
        assert f"wirewatch.wireguard.{name}" in (site / f"docs/{page}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted((CHECKOUT / "docs").rglob("*.md")), ids=lambda page: page.stem)
def test_every_page_of_the_docs_is_listed_in_a_readme_above_it(page: Path) -> None:
    """On GitHub that is what leads to it, and on the site what gives its place."""
    above = [folder / "README.md" for folder in page.parents if CHECKOUT in folder.parents]
    readmes = [readme for readme in above if readme.is_file() and readme != page]
    listed = [readme for readme in readmes if f"]({page.relative_to(readme.parent)})" in readme.read_text("utf-8")]
    assert listed or page == CHECKOUT / "docs/README.md"

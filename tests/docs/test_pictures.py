# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures speak to who can't see them, and fetch nothing. What the demo's one shows is held to a run in tests/integration."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import STATES
from docs import demo_picture
from docs.pages import CHECKOUT, PAGES, read

SVG = demo_picture.SVG
PICTURES = sorted((CHECKOUT / "docs/images").glob("*.svg"))


def texts(picture: Path) -> set[str]:
    return {"".join(element.itertext()).strip() for element in ElementTree.parse(picture).iter(f"{SVG}text")}


def test_the_picture_of_the_demo_is_drawn_anew_when_asked_for(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite-docs"):
        demo_picture.rewrite()
    assert any("Nothingisleftbehind" in line for line in demo_picture.shape(demo_picture.shown()))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_picture_has_a_title_and_a_description_and_fetches_nothing(picture: Path) -> None:
    root = ElementTree.parse(picture).getroot()
    named = {element.attrib["id"] for element in root if element.tag in (f"{SVG}title", f"{SVG}desc") and element.text}
    assert len(named) == 2
    assert root.attrib["role"] == "img"
    assert set(root.attrib["aria-labelledby"].split()) == named
    text = picture.read_text(encoding="utf-8").replace(' xmlns="http://www.w3.org/2000/svg"', "")
    assert re.findall(r"https?:|//[a-z]|@import|@font-face|<script|<foreignObject", text) == []


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_picture_is_shown_with_words_in_its_place(picture: Path) -> None:
    shown = [alt for page in PAGES for alt in re.findall(rf"!\[([^]]*)\]\([^)]*{picture.name}\)", read(page))]
    assert shown and all(len(alt.split()) >= 3 for alt in shown)


def test_the_picture_of_liveness_has_every_state() -> None:
    assert texts(CHECKOUT / "docs/images/liveness.svg") >= set(STATES)

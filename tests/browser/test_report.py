# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of the role mesh_check in a real browser, opened from a file: by pointer, by keyboard, without colours or scripts.

After each test the page has asked for nothing but itself, and the console is empty (see conftest.py).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import meshes
from browser.chromium import Opened
from browser.rendering import render
from collection import CHECKOUT
from PIL import Image

Show = Callable[..., Opened]

SIZES = [(width, scheme) for width in (400, 1600) for scheme in ("light", "dark")]
LARGEST = 2_000_000  # bytes of a page
# What docs/mesh.md shows, from pictures of the whole page or of what is seen without scrolling.
IN_DOCS = {"small-1600-light", "small-400-dark", "large-1600-dark", "large-400-light"}
PICTURES = CHECKOUT / "docs/images"
LARGEST_PICTURE = 150_000  # bytes


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of three hosts and of 300, each with something that changed since the last one."""
    folder = tmp_path_factory.mktemp("reports")
    small, large = meshes.small(), meshes.large()
    hub = small["hub"]["devices"][0]["peers"]
    before = meshes.small(hub=meshes.host("hub", *hub, meshes.peer("east", 1)))
    earlier = meshes.large()
    for host, field, value in (("gw005", "state", "down"), ("gw006", "endpoint", "198.51.100.3:40000")):
        earlier[host]["devices"][0]["peers"][0][field] = value
    texts = {"small": render(small, before), "large": render(large, earlier), "full": render(meshes.full())}
    found = {}
    for name, text in texts.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(text, encoding="utf-8")
    return found


@pytest.mark.parametrize(("width", "scheme"), SIZES)
@pytest.mark.parametrize("mesh", ["small", "large"])
def test_it_is_all_there_at_each_width_and_in_each_theme(
    mesh: str,
    width: int,
    scheme: str,
    pages: dict[str, Path],
    show: Show,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    opened = show(pages[mesh], width, scheme)
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    bright = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert bright == (scheme == "light")
    for heading in ("Who sees whom", "What changed", "Every link, the worst first"):
        assert opened.named("heading", heading).is_visible()
    assert opened.named("img", "Who sees whom").is_visible()
    name = f"{mesh}-{width}-{scheme}"
    picture = Image.open(io.BytesIO(page.screenshot(full_page=mesh == "small")))
    rewrite = request.config.getoption("--rewrite-docs") and name in IN_DOCS
    # A palette does: the page has few colours, and MAXCOVERAGE keeps those of which there is little.
    picture.convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE).save(
        (PICTURES if rewrite else tmp_path) / f"{name}.png", optimize=True
    )
    # Of the large one two will do: to judge it takes long.
    if mesh == "small" or (width, scheme) in ((400, "dark"), (1600, "light")):
        assert opened.violations() == []


def test_the_pictures_in_the_docs_are_few_and_small() -> None:
    sizes = {path.stem: path.stat().st_size for path in PICTURES.glob("*.png")}
    assert set(sizes) == IN_DOCS
    assert {name: size for name, size in sizes.items() if size > LARGEST_PICTURE} == {}


@pytest.mark.parametrize("mesh", ["large", "full"])
def test_300_hosts_are_under_two_megabytes(mesh: str, pages: dict[str, Path], show: Show, figure: Callable) -> None:
    """How long the load takes is told and not judged: the machine may be busy."""
    size = pages[mesh].stat().st_size
    assert size < LARGEST
    figure(f"{mesh} mesh of 300 hosts: {size / 1e6:.2f} MB, loaded in {show(pages[mesh]).load_seconds():.2f} s")


# --- the table


@pytest.mark.parametrize("width", [400, 1600])
def test_what_got_worse_is_marked(width: int, pages: dict[str, Path], show: Show) -> None:
    marked = show(pages["small"], width).page.locator(".changes tbody tr.wrong > :first-child")
    assert marked.inner_text() == "hub wg0 sees east wg0"
    assert marked.evaluate("(one) => getComputedStyle(one).boxShadow").endswith("inset")


def test_the_worst_comes_first_and_any_column_sorts_either_way(pages: dict[str, Path], show: Show) -> None:
    opened = show(pages["small"])
    assert [text.strip() for text in opened.column(0)] == ["missing", "down", "up", "up"]
    opened.named("button", "Received").click()
    assert opened.column(5) == ["2.16 KiB", "47.08 KiB", "716.80 KiB", ""]
    assert opened.named("columnheader", "Received").get_attribute("aria-sort") == "ascending"
    opened.named("button", "Received").click()
    assert opened.column(5) == ["716.80 KiB", "47.08 KiB", "2.16 KiB", ""]
    assert opened.page.locator("[aria-sort]").count() == 1
    opened.named("button", "Host").click()
    assert opened.column(1) == ["east wg0", "hub wg0", "hub wg0", "west wg0"]
    opened.named("button", "State").click()
    assert [text.strip() for text in opened.column(0)] == ["missing", "down", "up", "up"]


def test_never_is_older_than_any_age(pages: dict[str, Path], show: Show) -> None:
    opened = show(pages["large"])
    opened.named("button", "Last handshake").click()
    opened.named("button", "Last handshake").click()
    ages = opened.column(4)
    never = ages.count("never")
    assert ages[:never] == ["never"] * never
    assert ages[never].startswith("1 d ")


def test_filters_narrow_and_say_how_far(pages: dict[str, Path], show: Show) -> None:
    opened = show(pages["small"])
    status = opened.page.get_by_role("status")
    assert status.inner_text() == "Shows 4 of 4 links"
    opened.named("combobox", "Host").fill("east")
    assert status.inner_text() == "Shows 2 of 4 links"
    opened.named("checkbox", "up").uncheck()
    assert opened.column(1) == ["hub wg0"]
    opened.named("button", "Show all").click()
    assert len(opened.column(0)) == 4
    opened.named("searchbox", "Text").fill("10.0.0.0/16 DOWN")
    assert opened.column(1) == ["west wg0"]
    opened.named("searchbox", "Text").fill("")
    opened.named("checkbox", "Only what is wrong").check()
    assert status.inner_text() == "Shows 4 of 4 links"


def test_a_host_that_there_is_is_not_a_part_of_another_name(pages: dict[str, Path], show: Show) -> None:
    opened = show(pages["large"])
    status = opened.page.get_by_role("status")
    host = opened.named("combobox", "Host")
    host.fill("gw15")
    assert status.inner_text() == "Shows 60 of 1783 links"  # gw150 to gw159, three hubs, both ways
    host.fill("gw150")
    assert status.inner_text() == "Shows 6 of 1783 links"
    opened.named("button", "Show all").click()
    assert status.inner_text() == "Shows 200 of 1783 links"
    opened.named("button", "Show 1583 more").click()
    assert len(opened.column(0)) == 1783


def test_the_keyboard_is_enough(pages: dict[str, Path], show: Show) -> None:
    opened = show(pages["small"], 400)
    page = opened.page
    opened.named("combobox", "Host").focus()
    page.keyboard.type("west")
    reached: list[str] = []
    while "Allowed IPs" not in reached and len(reached) < 30:
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("(document.activeElement.labels?.[0] || document.activeElement).textContent.trim()")
        )
    assert reached[:6] == ["Text", "missing", "down", "up", "Only what is wrong", "Show all"]
    assert reached[6] == "State"
    assert reached[-1] == "Allowed IPs"
    page.keyboard.press("Enter")
    assert opened.named("columnheader", "Allowed IPs").get_attribute("aria-sort") == "ascending"
    assert opened.column(8) == ["10.0.0.0/16", "10.0.0.3/32"]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus can't be seen"


# --- the drawings


def test_a_state_is_told_by_dash_and_mark_and_not_by_colour_alone(pages: dict[str, Path], show: Show) -> None:
    opened = show(pages["large"])
    found = opened.page.evaluate(
        """() => Array.from(document.querySelectorAll(".legend svg"), (one) => [
            getComputedStyle(one.querySelector(".line")).strokeDasharray, one.querySelector(".mark")?.getAttribute("d")])"""
    )
    assert len(found) == 5
    assert len({dash for dash, _mark in found}) == len({mark for _dash, mark in found}) == 5
    cells = opened.page.evaluate(
        """() => Array.from(document.querySelectorAll("#matrix .cells"), (one) => {
            const style = getComputedStyle(one);
            return style.strokeWidth + " " + style.strokeDasharray;
        })"""
    )
    assert len(set(cells)) == len(cells) == 5


def test_what_is_pointed_at_is_said_and_a_click_filters(pages: dict[str, Path], show: Show) -> None:
    opened = show(pages["large"])
    matrix = opened.page.locator("#matrix")
    matrix.scroll_into_view_if_needed()
    box = matrix.bounding_box()
    assert box is not None
    cell = box["width"] / 300
    names = opened.page.evaluate("Array.from(document.querySelectorAll('#hosts option'), (one) => one.value)")
    column = names.index("gw150")
    matrix.hover(position={"x": (column + 0.5) * cell, "y": (names.index("gw002") + 0.5) * cell})
    assert re.fullmatch("gw002 sees gw150: (up|idle)", opened.page.locator("#pointed").inner_text())
    matrix.click(position={"x": (column + 0.5) * cell, "y": (names.index("gw002") + 0.5) * cell})
    assert sorted(opened.column(1)) == ["gw002 wg0", "gw150 wg0"]
    small = show(pages["small"])
    small.page.locator(".node[data-host=east] circle").click()
    assert sorted(small.column(1)) == ["east wg0", "hub wg0"]


def test_nothing_moves(pages: dict[str, Path], show: Show) -> None:
    opened = show(pages["small"])
    assert opened.page.evaluate("document.getAnimations().length") == 0
    moving = (
        "one => /^0s/.test(getComputedStyle(one).transitionDuration) && getComputedStyle(one).scrollBehavior === 'auto'"
    )
    assert opened.page.evaluate(f"Array.from(document.querySelectorAll('*')).every({moving})")


# --- other ways to read it


def test_without_scripts_all_of_it_can_be_read(pages: dict[str, Path], show: Show) -> None:
    page = show(pages["large"], java_script_enabled=False).page
    assert page.locator("#table tbody tr").count() == 1783
    assert page.locator("#table tbody tr").last.is_visible()
    assert page.locator("form").is_hidden()


def test_on_paper_there_are_the_table_and_the_drawing_and_nothing_to_click(pages: dict[str, Path], show: Show) -> None:
    page = show(pages["small"], scheme="dark").page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("form").is_hidden()
    assert page.locator("#circle").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('#table')).display") == "table"
    assert page.pdf().startswith(b"%PDF")

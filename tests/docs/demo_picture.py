# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/images/demo.svg: what the demo prints on a terminal, drawn. The letters are those of the reader's own fonts."""

from __future__ import annotations

import io
import os
import pty
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

from collection import CHECKOUT
from rich.console import Console
from rich.text import Text

PICTURE = CHECKOUT / "docs/images/demo.svg"
WIDTH = 98  # characters, the longest line that the demo prints and some more
SVG = "{http://www.w3.org/2000/svg}"

# As rich's own, without the font that it has fetched from elsewhere, and with words for who can't see it.
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img"
    aria-labelledby="{unique_id}-name {unique_id}-description">
    <title id="{unique_id}-name">What scripts/demo prints</title>
    <desc id="{unique_id}-description">Ten steps, each with ok before it and its seconds behind it: three hosts are built, asked
    who is connected, a playbook waits for the first handshakes and for a peer to move, a rulebook puts a removed peer back.
    Below them a table of what happened and what came of it.</desc>
    <style>
    .{unique_id}-matrix {{
        font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
    }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


def run_on_a_terminal() -> str:
    """What a whole run prints there. RuntimeError where it fails."""
    printed = io.BytesIO()

    def read(terminal: int) -> bytes:
        data = os.read(terminal, 65536)
        printed.write(data)
        return data

    os.environ["PYTHONPATH"] = os.pathsep.join([str(CHECKOUT / "tests"), str(CHECKOUT)])
    status = pty.spawn([sys.executable, "-B", "-m", "demo"], read)
    text = printed.getvalue().decode()
    if status:
        raise RuntimeError(f"the demo failed:\n{text}")
    return text


def as_it_stays(text: str) -> str:
    """Without the running lines, which are written over."""
    return "\n".join(line.rpartition("\r\033[K")[2].rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()


def draw(text: str) -> str:
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(as_it_stays(text)), no_wrap=True)
    drawn = console.export_svg(title="scripts/demo", code_format=FORMAT, unique_id="demo")
    return "\n".join(line.rstrip() for line in drawn.splitlines() if line.strip()) + "\n"


def rewrite() -> None:
    PICTURE.write_text(draw(run_on_a_terminal()), encoding="utf-8")


def shown(picture: Path = PICTURE) -> str:
    """The lines of the picture, without their spaces."""
    lines: dict[str, str] = {}
    for element in ElementTree.parse(picture).iter(f"{SVG}text"):
        if "clip-path" in element.attrib:  # the window's title has none
            lines[element.attrib["clip-path"]] = lines.get(element.attrib["clip-path"], "") + (element.text or "")
    return "\n".join(lines.values())


def shape(text: str) -> list[str]:
    """The lines with a # for each number, without spaces, and without what depends on the kernel that it ran on."""
    lines = [re.sub(r"\s+", "", re.sub(r"\033\[\d+m", "", line)) for line in text.splitlines()]
    kept = [line for line in lines if line and "Buildahubandtwospokes" not in line]
    return [re.sub(r"\d+(\.\d+)?", "#", re.sub("-{2,}", "--", line)) for line in kept]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages that users read, and the examples in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import yaml
from collection import CHECKOUT

PAGES = sorted(
    str(path.relative_to(CHECKOUT))
    for pattern in ("*.md", "docs/**/*.md", "roles/*/README.md", "demo/README.md")
    for path in CHECKOUT.glob(pattern)
)


def read(page: str) -> str:
    return (CHECKOUT / page).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next one of its level."""
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL)


_SHOWN = re.compile(r"^<!-- file: (\S+) -->\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shown_files(page: str) -> dict[str, str]:
    """What a page shows of files of the repository: `<!-- file: PATH -->` and the block below it."""
    return dict(_SHOWN.findall(read(page)))


def show_files(page: str) -> None:
    """Writes into these blocks what the files hold, but for the comments at their head."""
    text = _SHOWN.sub(
        lambda found: f"<!-- file: {found[1]} -->\n```yaml\n{without_head((CHECKOUT / found[1]).read_text())}```",
        read(page),
    )
    (CHECKOUT / page).write_text(text, encoding="utf-8")


def without_head(text: str) -> str:
    """A YAML file without `---`, its licence and what its head says of it."""
    return re.sub(r"\A---\n(#.*\n)*", "", text)


def plugin_examples() -> Iterator[tuple[str, str]]:
    """The EXAMPLES of each module and filter."""
    for path in sorted([*(CHECKOUT / "plugins/modules").glob("*.py"), *(CHECKOUT / "plugins/filter").glob("*.py")]):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXAMPLES":
                yield path.stem, ast.literal_eval(node.value)


def documentation(plugin: str) -> tuple[dict[str, Any], Any]:
    """Options and examples of an EDA plugin. ansible-doc knows none, so this reads the page as the engine's own tools do."""
    path = CHECKOUT / "extensions/eda/plugins" / plugin
    values = {
        node.targets[0].id: node.value.value
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    return yaml.safe_load(values["DOCUMENTATION"])["options"], yaml.safe_load(values["EXAMPLES"])


__all__ = [
    "CHECKOUT",
    "PAGES",
    "blocks",
    "documentation",
    "plugin_examples",
    "read",
    "section",
    "show_files",
    "shown_files",
    "without_head",
]

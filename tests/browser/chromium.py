# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file opened in the browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Dialog

FOLDER = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "wirewatch", "browser")
CHROMIUM = FOLDER / "chromium"
AXE = FOLDER / "node_modules/axe-core/axe.min.js"

# Those that axe-core counts to WCAG 2.2 A and AA, and what it holds to be good practice.
AXE_RUN = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.map(
    (one) => one.id + ": " + one.help + " " + one.nodes.map((node) => node.target + " " + node.failureSummary).join("; "))"""


class Opened:
    """`page` is Playwright's. What it asked for, complained of or popped up is remembered."""

    def __init__(self, context: BrowserContext, path: Path) -> None:
        self._context = context
        self._address = path.as_uri()
        self._requests: list[str] = []
        self._complaints: list[str] = []
        self.page = context.new_page()
        self.page.on("request", lambda request: self._requests.append(request.url))
        self.page.on("console", lambda message: self._complaints.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self._complaints.append(f"error: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.goto(self._address)

    def _dialog(self, dialog: Dialog) -> None:
        self._complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def close(self) -> None:
        self._context.close()

    def check(self) -> None:
        assert self._requests == [self._address], "the page asked for something else than itself"
        assert self._complaints == []

    def load_seconds(self) -> float:
        """From the start of the navigation to the end of the load event."""
        return float(self.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")) / 1000

    def violations(self) -> list[str]:
        """What axe-core finds wrong with the page for people who don't see it, or see it badly, or have no mouse."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: list[str] = self.page.evaluate(AXE_RUN)
        return found

    def column(self, number: int) -> list[str]:
        """The texts of a column of the table, of the rows that are shown."""
        texts: list[str] = self.page.evaluate(
            """(number) => Array.from(
                document.querySelectorAll("#table tbody tr:not([hidden])"), (row) => row.cells[number].textContent)""",
            number,
        )
        return texts

    def named(self, role: str, name: str, **options: Any) -> Any:
        """The one thing of this role and accessible name, as a screen reader would find it."""
        return self.page.get_by_role(role, name=name, exact=True, **options)  # type: ignore[arg-type]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, and pages of it that remember whatever a report must not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import CHROMIUM, Opened
from lab import LabError
from playwright.sync_api import Browser, sync_playwright


# Not of the session: Playwright keeps an event loop running for as long as it is open, and whatever runs later in the same
# process could start none of its own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        raise LabError("There is no Chromium to open pages in. Run scripts/setup test first.")
    # Root has no sandbox, and containers have little shared memory.
    options = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def show(chromium: Browser) -> Iterator[Callable[..., Opened]]:
    """Opens a file; at the end of the test the page has asked for nothing and complained of nothing."""
    opened: list[Opened] = []

    def open_file(path: Path, width: int = 1600, scheme: str = "light", **options: Any) -> Opened:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        opened.append(Opened(context, path))
        return opened[-1]

    yield open_file
    for one in opened:
        one.close()
        one.check()

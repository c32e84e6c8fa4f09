# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo prints: a line for each step, and a table at the end. Colour and a running line only on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

BOLD, DIM, GREEN, RED = "1", "2", "32", "31"


class Step:
    """One step while it runs: `outcome` is what its line says at the end."""

    outcome = ""


@dataclass(frozen=True)
class Reaction:
    """A row of the table."""

    happened: str
    reaction: str
    seconds: float


class Narrator:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._steps = 0
        self._reactions: list[Reaction] = []

    def say(self, text: str = "", style: str = "") -> None:
        print(self._styled(text, style), file=self._stream, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Announce a step, and print its line when it is done or has failed."""
        self._steps += 1
        if self._terminal:
            print(f"   {self._steps:>2}  {title} ...", end="", file=self._stream, flush=True)
        step = Step()
        started = time.monotonic()
        try:
            yield step
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt)
            self._line(title, "interrupted" if stopped else "failed", started, "--" if stopped else "no", RED)
            raise
        self._line(title, step.outcome, started, "ok", GREEN)

    def failure(self, sentence: str, output: str = "") -> None:
        """Say what failed, and show what the command printed that did."""
        self.say()
        self.say(sentence, RED)
        if output:
            self.say("It printed:")
            self.say(output.rstrip())

    def reaction(self, happened: str, reaction: str, seconds: float) -> None:
        """Remember a row for the table."""
        self._reactions.append(Reaction(happened, reaction, seconds))

    def table(self) -> None:
        header = ("What happened", "What came of it", "After")
        rows = [(row.happened, row.reaction, f"{row.seconds:.2f} s") for row in self._reactions]
        widths = [max(len(row[column]) for row in [header, *rows]) for column in range(3)]
        rule = "  ".join("-" * width for width in widths)
        self.say()
        self.say(self._row(header, widths), BOLD)
        self.say(rule, DIM)
        for before, row in zip([header, *rows], rows):
            self.say(self._row(("" if row[0] == before[0] else row[0], *row[1:]), widths))
        self.say(rule, DIM)

    def _line(self, title: str, outcome: str, started: float, mark: str, colour: str) -> None:
        if self._terminal:
            print("\r\033[K", end="", file=self._stream)  # over the running line
        seconds = self._styled(f"({time.monotonic() - started:.1f} s)", DIM)
        text = f"{title}: {outcome}" if outcome else title
        self.say(f"{self._styled(mark, colour)}  {self._steps:>2}  {text} {seconds}")

    def _row(self, cells: tuple[str, ...], widths: list[int]) -> str:
        happened, reaction, after = cells
        return f"{happened:<{widths[0]}}  {reaction:<{widths[1]}}  {after:>{widths[2]}}"

    def _styled(self, text: str, style: str) -> str:
        return f"\033[{style}m{text}\033[0m" if style and self._terminal else text

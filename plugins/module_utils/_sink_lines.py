# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sink that writes lines to the standard output, for programs (JSON) or for people."""

from __future__ import annotations

import json
import os
import select
from typing import Callable, Sequence

from ._sinks import Envelope, Sink, SinkClosed, SinkError


def json_line(envelope: Envelope) -> str:
    return json.dumps(envelope, allow_nan=False)


class LineSink(Sink):
    """One line for each event; confirmed once the system has taken it. ``line`` makes it, without its end."""

    name = "the standard output"

    def __init__(self, line: Callable[[Envelope], str] = json_line, descriptor: int = 1) -> None:
        self._line = line
        self._descriptor = descriptor
        self._torn = 0  # bytes of the next line that were written before an error

    def send(self, envelopes: Sequence[Envelope]) -> None:
        for number, envelope in enumerate(envelopes):
            data = (self._line(envelope) + "\n").encode("utf-8", "backslashreplace")
            try:
                while self._torn < len(data):
                    self._torn += self._write(data[self._torn :])
            except BrokenPipeError:
                raise SinkClosed("Nobody reads the standard output any more", number) from None
            except OSError as error:
                raise SinkError("The standard output can't be written: %s" % error.strerror, number) from None
            self._torn = 0

    def is_gone(self) -> bool:
        # A pipe that nobody reads says so without being written to: `| head` ends us before the next event comes.
        poll = select.poll()
        poll.register(self._descriptor, 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _descriptor, event in poll.poll(0))

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            # Whoever gave it to us made it so.
            select.select([], [self._descriptor], [])
            return 0

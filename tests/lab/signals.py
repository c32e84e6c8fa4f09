# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals that end a process must not end its clean-up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """A signal asked this process to end. A KeyboardInterrupt, so that pytest stops and cleans up as on Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


def _raise_terminated(number: int, frame: Any) -> None:
    raise Terminated(number)


@contextmanager
def terminable() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise Terminated, as SIGINT raises KeyboardInterrupt.

    A handler that somebody else installed stays. Outside the main thread Python can't set handlers: nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    replaced = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in replaced:
        signal.signal(number, _raise_terminated)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def deferred() -> Iterator[None]:
    """Within the block ending signals wait: the second Ctrl-C of an impatient user must not stop the clean-up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:
        signal.signal(number, lambda got, frame: arrived.append(got))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if arrived:
        raise Terminated(arrived[0])

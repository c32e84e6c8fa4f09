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


def _raise_once(number: int, frame: Any) -> None:
    """Whatever comes after the first one waits: it would stop the clean-up before that has begun to defer signals."""
    for other in ENDING:
        if signal.getsignal(other) is _raise_once:
            signal.signal(other, _come_late)
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


def _come_late(number: int, frame: Any) -> None:
    pass


@contextmanager
def terminable() -> Iterator[None]:
    """Within the block the first of SIGTERM and SIGHUP raises Terminated, as SIGINT raises KeyboardInterrupt; the next do nothing.

    A handler that somebody else installed stays. Outside the main thread Python can't set handlers: nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    default = {number: signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL for number in ENDING}
    replaced = {number: handler for number, handler in default.items() if signal.getsignal(number) is handler}
    for number in replaced:
        signal.signal(number, _raise_once)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


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

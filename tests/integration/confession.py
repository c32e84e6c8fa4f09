# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a process could show of what it holds, written into files, to be searched for what must not be there.

As a program it runs the event source with everything talking: python confession.py FOLDER SOURCE ARGUMENT. On SIGUSR1, between
two polls, it writes down its whole heap.
"""

from __future__ import annotations

import copyreg
import gc
import json
import logging
import os
import pickle
import pprint
import runpy
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any, BinaryIO

OURS = ("ansible_collections.wirewatch.wireguard", "__main__", "<run_path>")
DEBUG_LOG, HEAP = "debug.log", "heap"

# How somebody might come to see an object.
WAYS: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "str": str,
    "format": "{}".format,
    "percent": lambda one: "%s" % (one,),
    "vars": vars,
    "pprint": pprint.pformat,
    "json": lambda one: json.dumps(one, default=repr, skipkeys=True),
    "json of vars": lambda one: json.dumps(vars(one), default=repr, skipkeys=True),
    "pickle": pickle.dumps,
    "reduce": lambda one: one.__reduce_ex__(4),
    "slots": lambda one: [getattr(one, name, None) for name in copyreg._slotnames(type(one))],  # type: ignore[attr-defined]
}


def shown(one: object) -> Iterator[bytes]:
    """An object in every way that works with it."""
    for name, way in WAYS.items():
        try:
            told = way(one)
        except Exception as error:
            told = type(error).__name__
        yield (
            b"%s: " % name.encode() + (told if isinstance(told, bytes) else str(told).encode(errors="replace")) + b"\n"
        )


def confess_error(error: BaseException | None) -> Iterator[bytes]:
    """An error and all that it was raised in place of, with the variables of all frames, also where `from None` hides it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        lines = traceback.TracebackException(type(error), error, error.__traceback__, capture_locals=True)
        yield "".join(lines.format(chain=False)).encode(errors="replace")
        for frame, _line in traceback.walk_tb(error.__traceback__):
            for value in frame.f_locals.values():
                yield from shown(value) if not isinstance(value, ModuleType) else ()
        yield from shown(error)
        yield from shown(error.args)
        error = error.__cause__ or error.__context__


def reachable(roots: Iterable[object]) -> Iterator[object]:
    """All objects that these lead to; not on through modules, classes and what functions find there."""
    seen: set[int] = set()
    left = list(roots)
    while left:
        one = left.pop()
        if id(one) in seen or one is left or one is seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, FunctionType):
            left += [*(one.__closure__ or ()), one.__defaults__, one.__kwdefaults__]
        elif isinstance(one, FrameType):
            left += one.f_locals.values()
        elif not isinstance(one, (ModuleType, type)):
            left += gc.get_referents(one)


def confess(roots: Iterable[object], output: BinaryIO) -> Counter[str]:
    """Writes all texts, bytes and large numbers that these lead to, and objects of ours in every way; how many of each type."""
    counted: Counter[str] = Counter()
    for one in reachable(roots):
        kind = type(one)
        counted[kind.__name__] += 1
        if isinstance(one, str):
            output.write(one.encode(errors="surrogatepass"))
        elif isinstance(one, (bytes, bytearray, memoryview)):
            output.write(bytes(one))
        elif isinstance(one, int) and one.bit_length() > 200:
            output.write(one.to_bytes((one.bit_length() + 8) // 8, "little", signed=True))
        elif isinstance(one, BaseException):
            output.writelines(confess_error(one))
        elif kind.__module__.startswith(OURS):
            output.writelines(shown(one))
        else:
            continue
        output.write(b"\n")
    return counted


def confess_heap(path: Path) -> None:
    """Writes all that lives in this process, and `path`.json with how many objects of which type."""
    gc.collect()
    frames: list[FrameType] = []
    for frame in sys._current_frames().values():
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
    with path.open("wb") as output:
        counted = confess([*gc.get_objects(), *frames], output)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(counted), encoding="utf-8")
    partial.rename(path.with_suffix(".json"))


class TellAll(logging.Handler):
    """Writes records with all that is in them: arguments, what was attached, errors with their frames' variables."""

    def __init__(self, output: BinaryIO) -> None:
        super().__init__(logging.DEBUG)
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.write(f"{record.name} {record.levelname} {record.getMessage()}\n".encode(errors="replace"))
        self._output.writelines(shown(record))
        self._output.writelines(shown(record.args))
        if record.exc_info:
            self._output.writelines(confess_error(record.exc_info[1]))
        self._output.flush()


@contextmanager
def all_logged(output: BinaryIO) -> Iterator[None]:
    """Every logger at DEBUG, and all of it here."""
    handler, level = TellAll(output), logging.root.level
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)
        logging.root.setLevel(level)


def run_source(folder: Path, source: str, argument: str) -> None:
    from ansible_collections.wirewatch.wireguard.plugins.module_utils._trigger import Triggers

    logging.basicConfig(level=logging.DEBUG, handlers=[TellAll((folder / DEBUG_LOG).open("wb"))])
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).setLevel(logging.DEBUG)
    asked: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _frame: asked.append(number))
    wait = Triggers.wait

    def wait_or_confess(triggers: Triggers, seconds: float) -> bool:
        if asked:
            asked.clear()
            confess_heap(folder / HEAP)
        return wait(triggers, seconds)

    Triggers.wait = wait_or_confess
    sys.argv = [source, argument]
    runpy.run_path(source, run_name="__main__")


if __name__ == "__main__":
    os.environ["PYTHONASYNCIODEBUG"] = "1"  # read by asyncio when a loop is made
    # Its own folder is on the path, and what is imported is to be from the folder that holds the collection.
    sys.path[0] = str(Path(sys.argv[2]).parents[7])
    run_source(Path(sys.argv[1]), sys.argv[2], sys.argv[3])

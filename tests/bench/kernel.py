# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In the kernel that is measured: ours against the floor and against the others, and the memory that it takes.

``python -m bench.kernel LOG smoke|whole [NAME=PROGRAM ...]``, in a network namespace of its own.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from . import memory, polling
from .contenders import WARM_UP, Contender, Driven, Floor, Ours, Spawned
from .device import KernelDevice, Shape
from .results import Log
from .tables import OURS

ROUNDS = 9
MORE_ROUNDS = 31  # of what takes no time
SITTINGS = 3  # of processes anew: where one has its memory, and so what it finds in the caches, is luck
SHARES = (0.0, 0.01, 0.1, 1.0)
SHARES_OF_OTHERS = (0.0, 0.01, 0.1)
SHAPES = (Shape(1), Shape(100), Shape(1000), Shape(10_000), Shape(50_000), Shape(10_000, 20))
PYROUTE2_PEERS = 10_000  # more take it half a minute for each poll
MEMORY_SHAPES = (Shape(10_000), Shape(50_000))
GROWTH_POLLS = 10_000
COMPARES_NOTHING = "wgctrl-go"


def case_of(shape: Shape, share: float | None = None) -> str:
    """``10,000 peers with 20 allowed IPs, 1 % changed``"""
    ips = "" if shape.allowed_ips == 2 else f" with {shape.allowed_ips} allowed IPs"
    changed = "" if share is None else f", {share:.0%} changed"
    return f"{shape.peers:,} peer{'s' if shape.peers > 1 else ''}{ips}{changed}"


class Measurement:
    def __init__(self, log: Log, rounds: int | None, programs: dict[str, str]) -> None:
        self._log = log
        self._rounds = rounds
        self._programs = programs

    def kernel(self) -> None:
        """What a system call and a page of memory cost here, by the mean of many in each round."""
        calls, pages, page = 1000, 500, mmap.PAGESIZE
        of_calls, of_pages = [], []
        for _round in range(self._rounds or ROUNDS):
            begun = time.perf_counter_ns()
            for _call in range(calls):
                os.getppid()
            of_calls.append((time.perf_counter_ns() - begun) / calls / 1e3)
            with mmap.mmap(-1, pages * page) as memory:
                begun = time.perf_counter_ns()
                for number in range(pages):
                    memory[number * page] = 1
                of_pages.append((time.perf_counter_ns() - begun) / pages / 1e3)
        self._log.add("kernel", "a system call", "time", of_calls, "µs")
        self._log.add("kernel", "a page of memory that is touched for the first time", "time", of_pages, "µs")

    def shape(self, shape: Shape) -> None:
        device = KernelDevice(shape)
        for share in SHARES:
            if shape.peers >= 100 or share in (0.0, 1.0):
                self._against("floor", shape, share, [Floor(shape.interface), Ours(shape.interface, share)])
        self._against_others(shape, device)
        self._processes(shape)
        if shape in MEMORY_SHAPES:
            self._memory(shape)

    def scaling(self, few: Shape, many: Shape) -> None:
        """The one after the other in each round, so that a noisy machine is the same to both."""
        for share in SHARES:
            contenders: list[Contender] = [Ours(few.interface, share), Ours(many.interface, share)]
            for one, shape in zip(contenders, (few, many)):
                one.name = f"{shape.peers:,} peers"
            self._measure("scaling", f"{share:.0%} changed", contenders, self._count(many))

    def growth(self, shape: Shape, polls: int) -> None:
        for what in ("quiet", "churn"):
            used = self._remembering(shape.interface, what, polls)
            case = f"{polls:,} polls of {shape.peers:,} peers, {'10 % changed in each' if what == 'churn' else 'quiet'}"
            self._log.add("memory", case, "growth", [used["growth"] / 1024], "KiB")

    def _against(self, part: str, shape: Shape, share: float, contenders: list[Contender]) -> None:
        self._measure(part, case_of(shape, share), contenders, self._count(shape))

    def _measure(self, part: str, case: str, contenders: Sequence[Contender], rounds: int) -> None:
        self._note(part, case, _sitting(contenders, rounds))

    def _note(self, part: str, case: str, times: dict[str, list[float]]) -> None:
        for name, values in times.items():
            self._log.add(part, case, name, values)

    def _against_others(self, shape: Shape, device: KernelDevice) -> None:
        """One at a time: what a process with a collector of its own does after it has answered is at the cost of who is next."""
        others = {name: [program, shape.interface] for name, program in self._programs.items()}
        for name, command in others.items():
            for share in SHARES_OF_OTHERS:
                times: dict[str, list[float]] = {OURS: [], name: []}
                for _pair in range(1 if name == COMPARES_NOTHING or self._rounds else SITTINGS):
                    contenders = [Driven(OURS, polling.command(shape.interface)), Driven(name, command)]
                    settling = 0 if self._rounds else WARM_UP
                    found = _sitting(contenders, self._count(shape), partial(device.change, share), settling)
                    for who, values in found.items():
                        times[who] += values
                self._note(name, case_of(shape, share), times)

    def _processes(self, shape: Shape) -> None:
        contenders: list[Contender] = [Ours(shape.interface), Spawned(shape.interface)]
        if shape.peers <= PYROUTE2_PEERS and shape.allowed_ips == 2:
            script = str(Path(__file__).with_name("pyroute2_info.py"))
            contenders.append(Driven("pyroute2", [sys.executable, script, shape.interface], warm_up=1))
        self._against("tools", shape, 0.0, contenders)

    def _memory(self, shape: Shape) -> None:
        used = self._remembering(shape.interface, "quiet", 10)
        self._log.add("memory", case_of(shape), "resident", [used["resident"] / shape.peers], "bytes per peer")

    def _remembering(self, interface: str, what: str, polls: int) -> dict[str, int]:
        command = [sys.executable, "-m", memory.__name__, interface, what, str(polls)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        answer: dict[str, int] = json.loads(done.stdout)
        return answer

    def _count(self, shape: Shape) -> int:
        return self._rounds or (MORE_ROUNDS if shape.peers <= 1000 else ROUNDS)


def _sitting(
    contenders: Sequence[Contender], rounds: int, change: Callable[[], int] | None = None, settling: int = 0
) -> dict[str, list[float]]:
    """Milliseconds of each poll, by name. ``change`` changes that many peers before each round, so that everybody polls the same.

    They are polled for ever: what a memory is made of takes some polls that find changes, ``settling``, to get to its size.
    """
    times: dict[str, list[float]] = {one.name: [] for one in contenders}
    turns = _in_turn(contenders)
    try:
        for number in range(-settling, rounds):
            changed = change() if change is not None else None
            for one in next(turns):
                if number < 0 and one.name == COMPARES_NOTHING:
                    continue
                poll = one.poll()
                if number >= 0:
                    times[one.name].append(poll.ns / 1e6)
                if changed is not None and one.name == OURS and poll.found != changed:
                    raise RuntimeError(f"{poll.found} changes were found of {changed}")
    finally:
        for one in contenders:
            one.close()
    return times


def _in_turn(contenders: Sequence[Contender]) -> Iterator[tuple[Contender, ...]]:
    """All orders of them, for ever: who polls first after a change, or after one that uses much memory, finds the caches cold."""
    return itertools.cycle(itertools.permutations(contenders))


def main(log: str, size: str, *programs: str) -> None:
    smoke = size == "smoke"
    measurement = Measurement(Log(Path(log)), 2 if smoke else None, dict(one.split("=", 1) for one in programs))
    measurement.kernel()
    for shape in (Shape(100),) if smoke else SHAPES:
        measurement.shape(shape)
    if not smoke:
        measurement.scaling(Shape(10_000), Shape(50_000))
    measurement.growth(*((Shape(100), 50) if smoke else (Shape(1000), GROWTH_POLLS)))


if __name__ == "__main__":
    main(*sys.argv[1:])

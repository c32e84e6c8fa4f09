# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on performance: its tables, and the bars that the project has set itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .results import Row, ratio
from .tables import OURS, Bar, Rows, goals, measured_on, table

HEAD = """\
# Performance: what a poll costs, and what else there is

Written by `scripts/bench`, which measures everything below, part after part; run it to have the figures of your machine. Figures
are medians, with the lowest and the highest in parentheses. A ratio is the median of the ratios of rounds that ran one after the
other, so it holds where the machine is noisy and the times do not.
"""

SECTIONS = {
    "kernel": (
        "The kernel that is measured in",
        "What everybody pays in it. In user mode both are some hundred times dearer than on the bare machine, so what a reader "
        "does beside the dump itself weighs more there, on small devices above all. It runs on one core of this machine: with two, "
        "a system call costs three times as much or not, by where its halves happen to be.",
    ),
    "floor": (
        "A poll of the kernel against the floor",
        "The floor is the same dump received and thrown away, a datagram with each system call, as the standard library can: what "
        "the kernel takes. Ours is read and diff, each change made; it receives up to sixteen datagrams with one call, by which it "
        "can be below the floor where calls are dear. Counters and handshakes of the peers that changed are rewritten in the "
        "received bytes, on the way to the reader.",
    ),
    "scaling": ("Five times the peers", "Polls of the two devices took turns."),
    "nlink 0.19.0": (
        "A poll of the kernel against nlink",
        "The share of peers had their endpoint changed in the kernel since the poll before, for both; who polls first after that "
        "goes in turn. Both are processes of their own, and three pairs of them were measured: where one has its memory, and so "
        "what it finds in the caches, is luck. nlink is a poll of its watcher, without the sleep that it begins with; ours is a "
        "watcher's too, without the wait in which that hears whether links changed. Both have let go of the state before when they "
        "are done. nlink is compiled: it decodes and compares all peers at each poll, and one that changed costs it nothing more. "
        "Ours makes fewer system calls and looks at what changed, which costs Python some microseconds for each peer. So ours is "
        "the quicker one where little changes, and where peers are many.",
    ),
    "wgctrl-go": (
        "A poll of the kernel against wgctrl-go",
        "In the same way. wgctrl-go is `Device()`, which compares nothing.",
    ),
    "tools": (
        "A quiet poll against tools",
        "`wg show IF dump` is a process for each poll. pyroute2 is `info()` down to plain values.",
    ),
    "userspace": ("A poll of wireguard-go", "The bare get is the same answer received and thrown away."),
    "memory": (
        "Memory",
        "Resident memory of a process with a watcher, less what it had before; growth after the first 1,000 polls.",
    ),
    "modules": ("Modules", "Wall time of ad hoc `ansible` with the module, in turn with `ansible.builtin.ping`."),
    "source": ("The event source", "With wireguard-go, whose own CPU time is not counted."),
}


def page(rows: Iterable[Row], machine: Sequence[str], missing: Mapping[str, str]) -> str:
    found = Rows(rows)
    lines = [HEAD, *measured_on(machine, missing)]
    lines += ["", "## What it is to reach", "", *goals(bars(found))]
    for part, (title, words) in SECTIONS.items():
        lines += ["", f"## {title}", "", words, "", *table(part, found.of(part))]
    return "\n".join(lines) + "\n"


def bars(rows: Rows) -> list[Bar]:
    large = [f"{peers:,} peers, {{}} changed" for peers in (10_000, 50_000)]
    of_floor = [
        Bar(f"poll ÷ floor, 10,000 and 50,000 peers, {share} changed", limit, _each(rows, large, share))
        for share, limit in (("0%", 1.3), ("1%", 1.7), ("10%", 3), ("100%", 8))
    ]
    of_others = [
        Bar(
            f"poll ÷ {name}, 1,000, 10,000 and 50,000 peers, {share} changed",
            1,
            [
                figure
                for peers in (1000, 10_000, 50_000)
                for figure in rows.ratios(name, OURS, name, f"{peers:,} peers, {share} changed")
            ],
            sign="<",
        )
        for name in ("nlink 0.19.0", "wgctrl-go")
        for share in ("0%", "1%", "10%")
    ]
    share_of_core = rows.values("source", "share of a core", "1,000 quiet")
    return [
        *of_floor,
        Bar("50,000 ÷ 10,000 peers, 0 %, 1 %, 10 %, 100 % changed", 6, _scaling(rows)),
        *of_others,
        Bar("poll ÷ wg show dump, 10,000 peers", 0.1, rows.ratios("tools", OURS, "wg show dump", "10,000 peers, 0%")),
        Bar("resident memory per peer, 10,000 and 50,000", 1200, rows.values("memory", "resident"), "bytes"),
        Bar("growth over 10,000 polls, quiet and with 10 % changed", 64, rows.values("memory", "growth"), "KiB"),
        Bar("wg_device_info ÷ ping, one small interface", 1.15, rows.ratios("modules", OURS, "ping", "one small")),
        Bar("source, 1,000 quiet peers, one poll a second", 1, share_of_core, "% of a core"),
        Bar("events into a queue", 20_000, rows.values("source", "without a state file"), "events/s", sign="≥"),
        Bar("poll of wireguard-go ÷ bare get, 10,000 peers", 1.5, rows.ratios("userspace", OURS, "bare get", "10,000")),
    ]


def _each(rows: Rows, cases: Sequence[str], share: str) -> list[float]:
    return [figure for case in cases for figure in rows.ratios("floor", OURS, "floor", case.format(share))]


def _scaling(rows: Rows) -> list[float]:
    return [ratio(row["50,000 peers"], row["10,000 peers"]).median for row in rows.of("scaling").values()]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on scaling: its tables, its bars, and what the rates that were measured make of a hundred thousand hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil

from bench.results import Row, ratio
from bench.tables import Bar, Rows, bounds, goals, measured_on, number, table

from . import hosts, outages, partitions, quiet, rulebook

HEAD = """\
# Scaling: from one host to a hundred thousand

Written by `scripts/bench fleet`, which measures everything below, part after part: publishers, a real Kafka broker and consumers
share one machine, so its cores are what ends first. Run it to have the figures of yours. How to build a fleet is in
[publish](publish.md).
"""

SECTIONS = {
    hosts.PART: (
        "A thousand hosts on one broker",
        "Each host is a publisher of its own: reader, watcher, state file, sender and an idempotent Kafka producer, as the "
        "command has them. Only the kernel is simulated; it answers in bytes, and each second 1 % of its peers have a new "
        "handshake. State files are in memory, since a thousand hosts have a thousand disks. Delays are from the look that "
        "saw a change to a consumer that has decoded its event, on one clock; the lag is what the broker has and the consumer "
        "has not.",
    ),
    quiet.PART: (
        "The publisher of a quiet host",
        "The command `wirewatch.pyz watch` on a host with 100 peers of wireguard-go that do nothing, looking once a second, "
        "with a state file, sending to the broker.",
    ),
    partitions.PART: (
        "One partition, and many",
        "Four producers send as fast as the broker confirms, and each partition has a consumer of its own that decodes each "
        "event. A producer has one part of at most 256 events under way, so it is the broker's answer that it waits for, and a "
        "part that is spread over more partitions is more requests. Where the cores of producers, broker and consumers add up to "
        "those of the machine, nothing is left that more partitions could use: here they are the price of a partition, not its "
        f"gain. Medians of {partitions.ROUNDS} rounds, each with every number of partitions in turn, with the least and the most.",
    ),
    partitions.ACTING: (
        "One partition, and many, where consumers act",
        f"The same with consumers that wait {partitions.ACTION * 1000:g} ms for each event, as one does that acts on it: what "
        "ends first is their time, not the machine. That is what partitions are for, and what a rulebook is.",
    ),
    rulebook.PART: (
        "Rulebooks",
        "How fast a real ansible-rulebook takes events that one rule looks at and does not match: one alone, which makes its "
        "events itself, and rulebooks of one group that share the partitions of a topic, with the filter `lift`. An action takes "
        f"longer: a playbook some seconds. Medians of {rulebook.ROUNDS} rounds, the groups in turn, with the least and the most.",
    ),
    outages.PART: (
        "Outages",
        "The long forms of the tests that kill the broker (SIGKILL, for 60 s) and the publisher (50 times), and cut the "
        "network between them (10 times 30 s), in `tests/fleet`. Each ends with what a consumer heard being what `wg show` "
        "shows, each peer's events in their order, and repeated events having equal uuids.",
    ),
}

FLEET = 100_000  # hosts
PEERS = 100  # of each
HANDSHAKE = 120.0  # seconds between two of a peer in use (WireGuard whitepaper, section 6.1: REKEY_AFTER_TIME)
OTHER = 3600.0  # seconds between two other events of a peer: it roams, goes down, comes up
PEAK = 2  # times the mean, for the hours when everybody works
COPIES = 3  # of each message
CORES = 8  # of a broker


def page(rows: Iterable[Row], machine: Sequence[str]) -> str:
    found = Rows(rows)
    lines = [HEAD, *measured_on(machine, {}), "", "## What it is to reach", "", *goals(bars(found))]
    for part, (title, words) in SECTIONS.items():
        if found.of(part):
            form = by_subject if part in (hosts.PART, *partitions.KINDS) else table
            lines += ["", f"## {title}", "", words, "", *form(part, found.of(part))]
    if all(found.of(part) for part in (partitions.PART, rulebook.PART)):
        lines += ["", "## A hundred thousand hosts, on paper", "", *on_paper(found)]
    return "\n".join(lines) + "\n"


def by_subject(_part: str, cases: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """A row for each case, a column for each figure of it."""
    subjects = next(iter(cases.values()))
    titles = [f"{name}, {row.unit}" if row.unit else name for name, row in subjects.items()]
    lines = [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for case, rows in cases.items():
        cells = [number(rows[name].median) + bounds(rows[name]) for name in subjects]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return lines


def most(rows: Rows, part: str, subject: str) -> list[float]:
    """What several partitions did for each thing that one did in the same round: the best of the medians."""
    found = [subjects[subject] for subjects in rows.of(part).values() if subject in subjects]
    return [max(ratio(row, found[0]).median for row in found[1:])] if found[1:] else []


def bars(rows: Rows) -> list[Bar]:
    lag = rows.values(hosts.PART, "lag")
    second = max(rows.values(hosts.PART, "events"), default=0)
    return [
        Bar("longest p99 of a minute, look to consumer", 2, [max(rows.values(hosts.PART, "p99"))] if lag else [], "s"),
        Bar(
            "lag of the last minute less that of the first",
            max(1, round(second)),
            [lag[-1] - lag[0]] if lag else [],
            "events",
        ),
        Bar("events never heard", 0, rows.values("fleet", "events never heard"), ""),
        Bar(
            "quiet publisher, one interface by name",
            0.5,
            rows.values(quiet.PART, "share of a core", quiet.NAMED),
            "% of a core",
        ),
        Bar(
            "quiet publisher, one interface by name", 40, rows.values(quiet.PART, "resident memory", quiet.NAMED), "MB"
        ),
        Bar(
            "quiet publisher, all interfaces found",
            0.5,
            rows.values(quiet.PART, "share of a core", quiet.FOUND),
            "% of a core",
        ),
        Bar("quiet publisher, all interfaces found", 40, rows.values(quiet.PART, "resident memory", quiet.FOUND), "MB"),
        Bar(
            "consumers that decode, most partitions ÷ one",
            1,
            most(rows, partitions.PART, "events"),
            "×",
            sign="≥",
        ),
        Bar(
            "consumers that act, most partitions ÷ one",
            1,
            most(rows, partitions.ACTING, "events"),
            "×",
            sign="≥",
        ),
        Bar(
            "rulebooks, most partitions ÷ one",
            1,
            most(rows, rulebook.PART, rulebook.GROUP),
            "×",
            sign="≥",
        ),
        Bar("outages that lost something", 0, rows.values("fleet", outages.FAILED), ""),
    ]


def on_paper(rows: Rows) -> list[str]:
    one = rows.values(partitions.PART, "events")[0]
    best = max(
        (subjects for subjects in rows.of(partitions.PART).values()), key=lambda subjects: subjects["events"].median
    )
    of_broker = best["events"].median / best["cores of broker"].median
    of_consumer = best["events"].median / best["cores of consumers"].median
    of_rulebook = rows.values(rulebook.PART, rulebook.GROUP)[0]
    lines = [
        f"{FLEET:,} hosts with {PEERS} peers each. A peer in use shakes hands every {HANDSHAKE:.0f} s, and is told of "
        "for another reason "
        f"once in {OTHER / 3600:.0f} h. With `types` narrowed to all but `peer_handshake_refreshed`, only the latter is "
        f"sent. A peak is {PEAK} "
        f"times the mean. Measured above: {one:,.0f} events/s through one partition, {of_broker:,.0f} for each core of a broker, "
        f"{of_consumer:,.0f} for each core of a consumer, {of_rulebook:,.0f} into a rulebook. Brokers have {CORES} "
        f"cores, and {COPIES} "
        "copies of each message.",
        "",
        "| | all types | without handshakes |",
        "|---|---|---|",
    ]
    rates = [FLEET * PEERS * PEAK * every for every in (1 / HANDSHAKE + 1 / OTHER, 1 / OTHER)]

    def line(what: str, count: Sequence[int]) -> None:
        lines.append(f"| {what} | {' | '.join(f'{number:,}' for number in count)} |")

    rulebooks = [ceil(rate / of_rulebook) for rate in rates]
    line("events/s at a peak", [round(rate) for rate in rates])
    line("cores of consumers that decode all", [ceil(rate / of_consumer) for rate in rates])
    line("rulebook instances that take all", rulebooks)
    line(
        "partitions: as the rate wants, and one for each rulebook",
        [max(ceil(rate / one), n) for rate, n in zip(rates, rulebooks)],
    )
    line(
        "brokers, at least one for each copy", [max(COPIES, ceil(rate * COPIES / of_broker / CORES)) for rate in rates]
    )
    return [
        *lines,
        "",
        "What the table says: keep handshakes out of what is sent, and a fleet of that size is small; who wants them reads "
        "the topic with consumers that are not rulebooks. A connection of each host to the brokers is the other bound: spread "
        "over them, it is tens of thousands each, and where that is too many, publishers post to a webhook that produces for "
        "them.",
    ]

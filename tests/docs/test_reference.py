# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables and references of the documentation name what there is, all of it and nothing else."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _command, _publish_options, _record, _wait
from ansible_collections.wirewatch.wireguard.plugins.module_utils._condition import CONDITIONS
from ansible_collections.wirewatch.wireguard.plugins.module_utils._event import TYPES
from ansible_collections.wirewatch.wireguard.plugins.module_utils._liveness import STATES, Timers
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch_options import ARGUMENTS
from docs import event_examples
from docs.pages import CHECKOUT, PAGES, documentation, read, section
from unit.watching import START, World, key, peer


def first_column(text: str) -> list[str]:
    """What stands in backticks in the first column of the tables in a text."""
    cells = re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


# --- docs/events.md


def test_the_examples_of_events_are_what_the_watcher_emits(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite-docs"):
        event_examples.rewrite()
    made = event_examples.examples()
    shown = event_examples.on_the_page()
    assert list(shown) == list(TYPES)
    for kind, event in shown.items():
        assert event == made[kind]
        assert list(event) == list(made[kind]), "the page shows the keys in another order"


def test_the_page_of_events_describes_every_key_and_type() -> None:
    page = read("docs/events.md")
    events = event_examples.examples().values()
    assert {tuple(sorted(event)) for event in events} == {tuple(sorted(first_column(section(page, "Keys"))))}
    assert re.findall(r"^\| \[`(\w+)`\]", page, re.MULTILINE) == list(TYPES)


# --- the other pages


def test_the_page_of_liveness_has_every_state() -> None:
    assert first_column(read("docs/liveness.md").partition("## Timers")[0]) == list(STATES)


def test_the_page_of_liveness_has_every_timer() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", section(read("docs/liveness.md"), "Timers"), re.MULTILINE)
    assert [(name, float(default)) for name, default in rows] == list(Timers()._asdict().items())


def test_the_page_of_waiting_has_every_condition() -> None:
    assert first_column(read("docs/wait.md").partition("## After")[0]) == list(CONDITIONS)


def test_the_page_of_rulebooks_has_every_argument() -> None:
    assert set(first_column(section(read("docs/react.md"), "What a source is told"))) == set(ARGUMENTS)


def test_the_page_of_publishing_has_every_argument_option_and_exit_code() -> None:
    page = read("docs/publish.md")
    assert first_column(section(page, "What it is told")) == [*_publish_options.ARGUMENTS, "sink"]
    for sink, title in (("stdout", "The standard output"), ("webhook", "A webhook"), ("kafka", "Kafka")):
        assert first_column(section(page, title)) == list(_publish_options.SINKS[sink])
    options = set(re.findall(r"`(--[a-z-]+)[ `]", page))
    taken = set()
    for command in ("watch", "show"):
        with pytest.raises(SystemExit), contextlib.redirect_stdout(io.StringIO()) as shown:
            _command._parser().parse_args([command, "--help"])
        taken |= set(re.findall(r"(?<!\S)--[a-z-]+", shown.getvalue()))
    assert options == taken | {"--version"}
    codes = {_command.ENDED, _command.FAILED, _command.WRONG_ARGUMENTS, _command.REFUSED}
    assert {int(code) for code in re.findall(r"^\| (\d) \|", section(page, "Exit codes"), re.MULTILINE)} == codes


FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def links(page: str) -> list[str]:
    """What a page's links and pictures lead to; code is none."""
    return re.findall(r"\]\(([^)]+)\)", re.sub(r"`[^`\n]*`", "", FENCED.sub("", read(page))))


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Those to other sites can't be followed in a test: they are well-formed, and https."""
    wrong = []
    for link in links(page):
        to = urlsplit(link)
        if to.scheme or to.netloc:
            good = to.scheme == "https" and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", to.netloc) and " " not in link
        else:
            target = (CHECKOUT / page).parent / to.path if to.path else CHECKOUT / page
            good = target.exists() and (not to.fragment or to.fragment in anchors(target))
        if not good:
            wrong.append(link)
    assert wrong == []


# --- docs/troubleshooting.md

ERRORS = {
    "InvalidArgument",
    "MissingDependency",
    "InterfaceGone",
    "Unreadable",
    "NotWireGuard",
    "NoPrivilege",
    "NoKernelModule",
    "MissingNamespace",
    "Temporary",
    "MalformedReply",
    "StateFileError",
    "SinkError",
    "SinkRefused",
    "SinkClosed",
}
# These put words before or after a sentence that has its own line.
WRAPPERS = {"%s, %d times in a row, for %s", "%s, and %s"}


def sources() -> Iterator[ast.Module]:
    for folder in ("plugins", "extensions/eda/plugins"):
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"))


def raised() -> list[str]:
    """The sentences of all errors of this collection, with their % in them."""
    found = []
    for node in (node for source in sources() for node in ast.walk(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
            text = node.args[0].left if isinstance(node.args[0], ast.BinOp) else node.args[0]
            if isinstance(text, ast.Constant):
                found.append(text.value)
    return found


def texts() -> list[str]:
    return [
        node.value
        for source in sources()
        for node in ast.walk(source)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def covers(shown: str, sentence: str) -> bool:
    """Whether what stands between the … of a documented sentence is in this one, in order."""
    return re.search(".*".join(re.escape(part) for part in shown.split("…")), sentence) is not None


def test_every_error_sentence_is_in_the_page_on_trouble() -> None:
    shown = first_column(read("docs/troubleshooting.md"))
    sentences = raised()
    assert len(sentences) > 70
    missing = [
        sentence
        for sentence in sentences
        if sentence not in WRAPPERS and not any(covers(one, sentence) for one in shown if one.strip("… "))
    ]
    assert missing == []


def test_the_page_on_trouble_has_no_sentence_that_nobody_says() -> None:
    page = read("docs/troubleshooting.md").partition("## Other trouble")[0]
    said = texts()
    assert [one for one in first_column(page) if not any(covers(one, text) for text in said)] == []


# --- ansible-doc


@pytest.fixture(scope="module")
def documented(collections_path: Path) -> dict[str, Any]:
    """What ansible-doc makes of the modules and filters."""
    found: dict[str, Any] = {}
    for kind in ("module", "filter"):
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-doc"), "--type", kind, "--json", "--list", "wirewatch.wireguard"],
            env={"ANSIBLE_COLLECTIONS_PATH": str(collections_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        )
        names = list(json.loads(done.stdout))
        assert names, f"ansible-doc finds no {kind} at all"
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-doc"), "--type", kind, "--json", *names],
            env={"ANSIBLE_COLLECTIONS_PATH": str(collections_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        )
        found.update(json.loads(done.stdout))
    return found


def undescribed(entries: dict[str, Any], path: str = "") -> list[str]:
    """Options or return values without a description, at any depth."""
    found = []
    for name, entry in entries.items():
        if not entry.get("description"):
            found.append(path + name)
        for inside in ("suboptions", "contains"):
            found += undescribed(entry.get(inside) or {}, f"{path}{name}.")
    return found


def test_every_plugin_has_examples_and_describes_each_option_and_return_value(documented: dict[str, Any]) -> None:
    assert {"wg_device_info", "wg_facts", "wg_peer_watch"} <= {name.rpartition(".")[2] for name in documented}
    for name, page in documented.items():
        assert page["examples"].strip(), name
        assert undescribed(page["doc"].get("options", {})) == [], name
        assert page["return"], name
        assert undescribed(page["return"]) == [], name


def test_return_values_of_devices_are_documented_to_the_last_key(documented: dict[str, Any]) -> None:
    world = World()
    world.put("wg0", peer(1))
    device = world.there[None, "wg0"]
    record = _record.device_record(device, START, lambda *_about: "never", {})
    page = documented["wirewatch.wireguard.wg_device_info"]["return"]["devices"]["contains"]
    assert set(page) == set(record)
    assert set(page["peers"]["contains"]) == set(record["peers"][0])
    facts = documented["wirewatch.wireguard.wg_facts"]["return"]["ansible_facts"]["contains"]["wireguard"]["contains"]
    (sample,) = facts["devices"]["sample"]
    assert set(sample) == set(record)
    assert set(sample["peers"][0]) == set(record["peers"][0])


def test_return_values_of_waiting_are_documented_to_the_last_key(documented: dict[str, Any]) -> None:
    world = World()
    world.put("wg0", peer(1))
    reader = world.make_reader(world.watcher("wg0").namespaces[0], "wg0")
    wait = _wait.Wait(reader, _wait.WaitOptions("present", peers=(key(1),), timeout=0), None, world.clock)
    result = wait.run().result
    page = documented["wirewatch.wireguard.wg_peer_watch"]["return"]
    assert set(page) == {*result, "reason", "msg"}
    assert set(page["peers"]["contains"]) == set(result["peers"][0])


def test_the_event_source_documents_each_argument() -> None:
    options, examples = documentation("event_source/wg_events.py")
    assert set(options) == set(ARGUMENTS)
    assert undescribed(options) == []
    assert options["types"]["choices"] == list(TYPES)
    assert all("wirewatch.wireguard.wg_events" in example for example in examples)


def test_the_event_filter_documents_each_argument() -> None:
    main = runpy.run_path(str(CHECKOUT / "extensions/eda/plugins/event_filter/lift.py"))["main"]
    options, examples = documentation("event_filter/lift.py")
    assert set(options) == set(inspect.signature(main).parameters) - {"event", "others"}
    assert undescribed(options) == []
    used = [one["wirewatch.wireguard.lift"] or {} for example in examples for one in example["filters"]]
    assert {name for arguments in used for name in arguments} == set(options)

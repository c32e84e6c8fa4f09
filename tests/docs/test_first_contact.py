# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/first-contact.md shows what is printed: each command of it is run, as a newcomer would, and each typo made.

The page has what one version of ansible-core prints. Where the tests run with another one, only what the collection says is
compared, and not what Ansible writes around it.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from pathlib import Path

import ansible
import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._watch_options import ARGUMENTS
from collection import CHECKOUT
from docs import first_contact
from docs.first_contact import CASES, TABLES, TAKES_ANYTHING
from docs.newcomer import COLLECTION, ROOT, USER_ID, Machine
from lab import wait_for
from lab.commands import tool

PAGE = first_contact.PAGE.read_text(encoding="utf-8")
BY_HAND = PAGE.partition("## Recorded by hand")[2]
(VERSION,) = re.findall(r"ansible-core (2\.\d+) printed", PAGE)


@pytest.fixture(scope="module")
def machine(collections_path: Path, zipapp: Path) -> Machine:
    return Machine(collections_path, zipapp)


@pytest.fixture(scope="module")
def kernel_has_wireguard() -> bool:
    command = ["unshare", "--net", "ip", "link", "add", "wg0", "type", "wireguard"]
    return subprocess.run([tool(command[0]), *command[1:]], capture_output=True, check=False).returncode == 0


def essence(text: str) -> list[str]:
    """What is not of ansible-core's own making."""
    if ansible.__version__.startswith(f"{VERSION}."):
        return text.splitlines()
    return [
        line
        for line in text.splitlines()
        if re.match(r'[$#] | +"msg": "(?!Task failed)|wirewatch|\[WARNING\]: There is no W', line)
    ]


@pytest.mark.parametrize("name", CASES)
def test_what_the_page_shows_is_what_is_printed(
    name: str, machine: Machine, kernel_has_wireguard: bool, request: pytest.FixtureRequest
) -> None:
    case = CASES[name]
    text = first_contact.printed(machine, case)
    assert "Traceback" not in text
    if case.kernel_matters and kernel_has_wireguard:
        # What the page shows is of a kernel without. This one has the interface's name, and what to do.
        assert "wg0" in text and re.search("Run as root|There is no interface wg0", text), text
        return
    assert case.says in text, text
    if request.config.getoption("--rewrite-docs"):
        first_contact.rewrite(name, text)
    assert essence(first_contact.on_the_page()[name]) == essence(text)


@pytest.mark.parametrize("name", TABLES)
def test_a_typo_gets_the_sentence_that_the_page_shows(
    name: str, machine: Machine, request: pytest.FixtureRequest
) -> None:
    read = first_contact.sentences(machine, name)
    silent = [typo.shown for typo, sentence in zip(TABLES[name], read) if not sentence]
    assert silent == [], "nothing is said of these"
    assert "Traceback" not in " ".join(read) and "Unexpected" not in " ".join(read)
    text = first_contact.rendered(name, read)
    if request.config.getoption("--rewrite-docs"):
        first_contact.rewrite(name, text)
    shown = first_contact.on_the_page()[name]
    if ansible.__version__.startswith(f"{VERSION}."):
        assert shown == text
    else:
        assert [row.partition("` | `")[0] for row in shown.splitlines()] == [
            row.partition("` | `")[0] for row in text.splitlines()
        ]


NO_VALUE = {"--help", "--check"}  # and nothing that could be wrong with them


def test_each_option_is_mistyped_somewhere() -> None:
    """`wg_peer_watch` shares options with `wg_device_info`, and `wirewatch.pyz show` with `watch`."""
    missing = {}
    for name, options in first_contact.options().items():
        shown = " ".join(typo.shown for table in TABLES.values() for typo in table)
        if name != "wg_peer_watch":
            shown = " ".join(typo.shown for typo in TABLES[name])
        words = set(re.findall(r"[\w-]+", shown))
        missing[name] = [
            option for option in options if option not in words and option not in NO_VALUE | set(TAKES_ANYTHING)
        ]
    assert {name: options for name, options in missing.items() if options} == {}


def misspelt(names: list[str]) -> list[str]:
    return [name[:-1] if name[:-1] not in names else f"{name}x" for name in names]


def test_each_option_of_a_module_with_a_letter_missing_is_refused_with_the_right_one(machine: Machine) -> None:
    options = first_contact.options()
    for module, table in (
        ("wg_device_info", "wg_device_info and wg_facts"),
        ("wg_facts", "wg_device_info and wg_facts"),
        ("wg_peer_watch", "wg_peer_watch"),
    ):
        wrong = misspelt(options[table])
        given = " ".join(f"{name}=x" for name in wrong)
        needed = "interface=wg0 condition=up " if module == "wg_peer_watch" else ""
        text = machine.run(f"ansible localhost -m wirewatch.wireguard.{module} -a '{needed}{given}'", ROOT)
        refused, right = re.findall(
            r'"msg": "Unsupported parameters for .*: (.*)\. Supported parameters include: (.*)\."', text
        )[0]
        assert set(refused.split(", ")) == set(wrong)
        assert set(right.split(", ")) == set(options[table])


def test_each_argument_of_the_source_with_a_letter_missing_is_refused_with_the_right_one(machine: Machine) -> None:
    wrong = misspelt(list(ARGUMENTS))
    given = ", ".join(f'"{name}": 1' for name in wrong)
    source = f"{COLLECTION}/extensions/eda/plugins/event_source/wg_events.py"
    text = machine.run(f"python3 {source} '{{{given}}}'")
    refused, right = re.findall(r"There is no argument (.*)\. There are: (.*)", text)[0]
    assert (refused.split(", "), right.split(", ")) == (sorted(wrong), list(ARGUMENTS))


@pytest.mark.parametrize("role", ["prerequisites", "mesh_check", "event_publisher"])
def test_each_option_of_a_role_with_a_letter_missing_is_told_with_the_right_one(role: str, machine: Machine) -> None:
    options = first_contact.options()[f"The role {role}"]
    wrong = misspelt(options)
    task = {
        "ansible.builtin.include_role": {"name": f"wirewatch.wireguard.{role}"},
        "vars": {
            **dict.fromkeys(wrong, "x"),
            **({"prerequisites_wireguard": "skip"} if role == "prerequisites" else {}),
        },
    }
    (text,) = first_contact._of_a_playbook(machine, [task])
    refused, right = re.findall(r"There is no option (.*?)(?:: it is ignored)?\. There are: (.*)", text)[0]
    assert (set(refused.split(", ")), right.split(", ")) == (set(wrong), options)


def test_what_goes_on_for_ever_is_ended_with_all_that_it_started(machine: Machine) -> None:
    def left() -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended while we looked
                status = (path / "status").read_text(encoding="utf-8")
                dead = re.search(r"^State:\s+Z", status, re.MULTILINE)
                found += [path.name] if f"\nUid:\t{USER_ID}\t" in status and not dead else []
        return found

    assert "here" in machine.run("sh -c 'sleep 600 & echo here; sleep 600'", until="here")
    wait_for(lambda: left() == [], 60, "the newcomer's processes to be gone")


def test_what_was_recorded_by_hand_is_said_to_be() -> None:
    shown = set(first_contact.on_the_page())
    by_hand = set(re.findall(r"^### (.*)$", BY_HAND, re.MULTILINE))
    assert by_hand and shown - by_hand == {*CASES, *TABLES}


def test_the_page_has_no_path_of_a_machine_that_it_was_made_on() -> None:
    paths = set(re.findall(r"(?<![\w./])/(?:root|tmp|work|home)/[\w.-]*", PAGE))
    assert paths <= {"/home/anna"}
    assert str(CHECKOUT) not in PAGE

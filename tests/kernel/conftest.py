# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""These tests need the kernel's own WireGuard: they run here where this kernel has it, else in a virtual machine.

Then the machine is booted once, for all tests selected; it runs pytest with the same node ids, and each test reports here
what it reported there.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from beside import VARIABLE, Recorded
from collection import install
from kernel import systemd, vm
from lab import LabError, Network


def _this_kernel_has_wireguard() -> bool:
    with Network() as scratch:
        return scratch.backend == "kernel"


HERE = Path(__file__).parent
IN_GUEST = "WW_IN_GUEST" in os.environ
RUNS_HERE = IN_GUEST or _this_kernel_has_wireguard()

LEFT_TO_THE_END: list[ExitStack] = []  # in the guest: networks that nobody takes down
GUEST_RESULTS = pytest.StashKey["tuple[Recorded, str]"]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "own_machine: steps the clock or unloads modules, so it runs in a virtual machine only"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where the tests run on the host itself, its clock and its modules are not theirs to change."""
    if RUNS_HERE and not IN_GUEST:
        left_out = [item for item in items if item.get_closest_marker("own_machine")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """On the host: replays what the guest reported of this test. Called for the tests of other folders too."""
    if RUNS_HERE or HERE not in item.path.parents:
        return None
    stash = item.session.stash
    if GUEST_RESULTS not in stash:
        stash[GUEST_RESULTS] = _run_in_guest(item)
    recorded, lacking = stash[GUEST_RESULTS]
    recorded.replay(item, lacking)
    return True


def _run_in_guest(item: pytest.Item) -> tuple[Recorded, str]:
    """What it reported, and why of a test it did not."""
    nodeids = [other.nodeid for other in item.session.items if HERE in other.path.parents]
    folder = item.config._tmp_path_factory.mktemp("guest")  # the fixture's factory; hooks get no fixtures
    reports = folder / "reports.jsonl"
    (folder / "nodeids").write_text("\n".join(nodeids), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name.startswith(("ANSIBLE_", "HYPOTHESIS_"))}
    environment |= {
        "WW_IN_GUEST": "yes",
        VARIABLE: str(reports),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": "/tmp",
        "HOME": "/tmp",
    }
    writable, listed, secrets = [], os.environ.get("WW_SECRETS_FILE"), None
    if listed:
        # A list of its own: what two kernels append to one file at the same time may be lost.
        secrets = Path(tempfile.mkdtemp(dir=Path(listed).parent), "keys")
        environment["WW_SECRETS_FILE"] = str(secrets)
        writable.append(secrets.parent)
    full = item.config.getoption("--full")
    script = (
        f"mountpoint -q /tmp || mount -t tmpfs tmpfs /tmp\nip link set lo up\ncd {item.config.rootpath}\n"
        f"{sys.executable} -m pytest -v {'--full' if full else ''} --basetemp={folder}/pytest @{folder}/nodeids || true"
    )
    try:
        if any("/test_systemd.py::" in nodeid for nodeid in nodeids):
            (folder / "role").mkdir()
            environment[systemd.VARIABLE] = str(systemd.run_role(install(folder / "collections"), folder / "role"))
        vm.run(script, folder, writable, environment, vm.TIMEOUT_FULL if full else vm.TIMEOUT)
        lacking = "The guest ended, and said nothing of this test.\n" + vm.tail(folder / "console.log")
    except (vm.GuestFailed, LabError, OSError, ValueError) as error:
        lacking = str(error)
    finally:
        if listed and secrets and secrets.exists():
            with Path(listed).open("ab") as file:
                file.write(secrets.read_bytes())
    recorded = Recorded(reports)
    recorded.refresh()
    return recorded, f"No result from the virtual machine. {lacking}"


@pytest.fixture
def network() -> Iterator[Network]:
    """An empty network on the kernel's WireGuard, for one test."""
    with ExitStack() as stack:
        yield stack.enter_context(Network(backend="kernel"))
        if IN_GUEST:
            # Its kernel takes some 12 ms to remove a peer, two minutes for 10,000. The machine goes as a whole soon.
            LEFT_TO_THE_END.append(stack.pop_all())

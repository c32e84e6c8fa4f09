# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on hosts, on other Pythons and with other versions of pyroute2 than all the other tests: the unit tests as ansible-test
runs them, the modules, the command. scripts/setup makes an environment for each."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from collection import CHECKOUT
from lab import Network, star, write_inventory
from lab.ansible import write_interpreter
from lab.player import Player
from lab.star import Star
from static import sanity
from static.tools import check

OWN = sys.version_info[:2]
OLDEST_PYROUTE2 = "0.7.2"
ENVIRONMENTS = {
    tuple(map(int, path.parent.name.split("."))): path.parent / "bin/python"
    for path in Path(sys.prefix).glob("pythons/*/complete")
}
# A managed node's Python runs the first, one that a controller may have both.
OF_HOSTS = ["module_utils"]
OF_CONTROLLERS = ["module_utils", "controller"]
# What ansible-test keeps from those that it starts, although scripts/test has set it for all.
KEPT = ("WW_RUN_FOLDER", "WW_SECRETS_FILE", "TMPDIR", "HYPOTHESIS_STORAGE_DIRECTORY", "PYTHONDONTWRITEBYTECODE")

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: the Python
      ansible.builtin.setup:
        gather_subset: ["!all", "!min", python]
    - name: found
      wirewatch.wireguard.wg_device_info:
    - name: facts
      wirewatch.wireguard.wg_facts:
        interfaces: ["{{ wg_interface }}"]
    - name: waited for
      wirewatch.wireguard.wg_peer_watch:
        interface: "{{ wg_interface }}"
        condition: up
        timeout: 20
    - name: of another namespace
      wirewatch.wireguard.wg_device_info:
        netns: "{{ hostvars.hub.netns }}"
"""


@pytest.fixture(
    scope="module", params=sorted(ENVIRONMENTS), ids=[".".join(map(str, version)) for version in sorted(ENVIRONMENTS)]
)
def version(request: pytest.FixtureRequest) -> tuple[int, ...]:
    return request.param


@pytest.fixture
def python(version: tuple[int, ...]) -> Path:
    return ENVIRONMENTS[version]


@pytest.fixture(scope="module")
def net() -> Iterator[Star]:
    with Network(backend="userspace") as network:
        made = star(network, keepalive=25)
        made.shake_hands()
        yield made


def test_the_oldest_and_the_newest_pyroute2_are_here(python: Path, version: tuple[int, ...]) -> None:
    assert OWN in ENVIRONMENTS
    code = "import importlib.metadata, sys; print(*sys.version_info[:2], importlib.metadata.version('pyroute2'))"
    said = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert tuple(map(int, said[:2])) == version
    assert said[2] == OLDEST_PYROUTE2 if version <= OWN else tuple(map(int, said[2].split("."))) >= (0, 9)


def core_for(version: tuple[int, ...]) -> sanity.Core:
    """An ansible-core whose ansible-test knows that Python."""
    cores = sanity.cores()
    (own,) = [core for core in cores if core.programs == Path(sys.executable).parent]
    return own if version == OWN else cores[0] if version < OWN else cores[-1]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sanity.copy_tracked_files(CHECKOUT, tmp_path_factory.mktemp("copy"))


def test_ansible_test_units_passes(
    python: Path, version: tuple[int, ...], copy: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Beside the folder of this run's tests, not in it: the path of a Unix socket is 108 bytes at most.
    folder = tmp_path_factory.getbasetemp().parent / f"python{version[1]}"
    variables = {name: os.environ[name] for name in KEPT if name in os.environ}
    interpreter = write_wrapper(tmp_path / "python", python, {**variables, "PYTEST_ADDOPTS": f"--basetemp={folder}"})
    core = core_for(version)
    output = check(
        [
            *(str(core.programs / "ansible-test"), "units", "--color", "no"),
            *(
                "--controller",
                "origin:python=default",
                "--target-python",
                f"{'.'.join(map(str, version))}@{interpreter}",
            ),
        ],
        cwd=copy,
        HOME=str(tmp_path),
        PATH=os.pathsep.join([str(core.programs), os.environ["PATH"]]),
    )
    # With nothing to run, ansible-test is content.
    assert re.findall(r"^Unit test (\w+) with Python", output, re.M) == (OF_HOSTS if version < OWN else OF_CONTROLLERS)
    passed = [int(count) for count in re.findall(r"^=+ (\d+) passed", output, re.M)]
    assert len(passed) == output.count("Unit test ") and min(passed) > 100, output


def write_wrapper(path: Path, python: Path, variables: dict[str, str]) -> Path:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    path.write_text("\n".join(["#!/bin/sh", *lines, f'exec {shlex.quote(str(python))} "$@"', ""]), encoding="utf-8")
    path.chmod(0o700)
    return path


def test_the_modules_run(python: Path, version: tuple[int, ...], net: Star, play: Player) -> None:
    run = play(write_inventory(net.network, python=str(python)), PLAY)
    for host in net.network.hosts.values():
        (interface,) = host.interfaces.values()
        used = run.result("the Python", host.name)["ansible_facts"]["ansible_python"]["version"]
        assert (used["major"], used["minor"]) == version
        (found,) = run.result("found", host.name)["devices"]
        (told,) = run.result("facts", host.name)["ansible_facts"]["wireguard"]["devices"]
        (hub,) = run.result("of another namespace", host.name)["devices"]
        for device in (found, told):
            assert (device["interface"], device["public_key"]) == (interface.name, interface.public_key)
            assert {peer["public_key"] for peer in device["peers"]} == interface.show("endpoints").keys()
        assert run.result("waited for", host.name)["satisfied"]
        assert (hub["netns"], hub["public_key"]) == (net.hub.host.namespace, net.hub.public_key)


def test_the_command_finds_and_shows(python: Path, net: Star, zipapp: Path) -> None:
    shown = net.host("east").run([str(write_interpreter(net.host("east"), str(python))), str(zipapp), "show"]).stdout
    assert f"interface: {net.spokes['east'].name}" in shown
    assert f"peer: {net.hub.public_key}" in shown
    assert "state: up" in shown

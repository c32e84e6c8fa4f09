# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interfaces are looked at: names and globs, sockets and links, namespaces that are there or not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _discovery
from ansible_collections.wirewatch.wireguard.plugins.module_utils._discovery import (
    check_interfaces,
    find,
    match,
    nothing_found,
    userspace_interfaces,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import (
    InvalidArgument,
    MissingDependency,
    MissingNamespace,
    NoPrivilege,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._library import how_to_get
from ansible_collections.wirewatch.wireguard.plugins.module_utils._links import RouteNetlink
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from lab import uapi

# --- names


def test_no_names_are_all_interfaces() -> None:
    assert check_interfaces(None) == ["*"]


@pytest.mark.parametrize("names", [["wg0"], ["wg*", "vpn[0-9]"], ["abcdefghijklmno"], ["wg-0.1_x"], ["*"]])
def test_names_and_globs_are_taken_as_they_are(names: list[str]) -> None:
    assert check_interfaces(names) == names


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "interfaces is an empty list, so there is nothing to look at: .* leave the option out"),
        (["abcdefghijklmnop"], "'abcdefghijklmnop' with 16 characters; an interface name has at most 15"),
        (["wg0", "ÄÖÜäöüß€"], "with 17 characters"),  # the bound is in bytes
        (["../wg0"], "'../wg0'; an interface name has no white space and no slash"),
        (["wg 0"], "'wg 0'; an interface name has no white space"),
        (["."], "'.'; an interface name"),
        ([""], "'', which is no interface name"),
        (["  "], "which is no interface name"),
        ([None], "None, which is no interface name"),
        ([7], "7, which is no interface name"),
    ],
)
def test_what_can_be_no_name_is_said(names: list, sentence: str) -> None:
    with pytest.raises(InvalidArgument, match=sentence):
        check_interfaces(names)


@pytest.mark.parametrize(
    ("patterns", "found", "chosen"),
    [
        (["*"], ["wg1", "wg0"], ["wg0", "wg1"]),
        (["wg1", "wg0"], [], ["wg1", "wg0"]),  # a plain name stands whether it was found or not
        (["wg1", "*"], ["wg2", "wg1", "wg0"], ["wg1", "wg0", "wg2"]),
        (["wg?", "vpn*"], ["vpn", "wg10", "wg1"], ["wg1", "vpn"]),
        (["wg0", "wg0"], ["wg0"], ["wg0"]),
        (["WG*"], ["wg0"], []),
        (["x*"], ["wg0"], []),
    ],
)
def test_names_come_in_the_order_of_the_patterns(patterns: list[str], found: list[str], chosen: list[str]) -> None:
    assert match(patterns, found) == chosen


# --- sockets


def test_a_daemon_is_found_by_its_socket_and_a_link_that_is_visible(tmp_path: Path) -> None:
    with uapi.FakeDaemon(tmp_path, "lo", uapi.answers("")), uapi.FakeDaemon(tmp_path, "ww-none", uapi.answers("")):
        (tmp_path / "ww-file.sock").touch()
        (tmp_path / "lo.txt").touch()
        assert userspace_interfaces(Namespace(None), str(tmp_path)) == ["lo"]
        assert find(Namespace(None), "userspace", str(tmp_path)) == ["lo"]


def test_without_a_folder_of_sockets_there_are_none(tmp_path: Path) -> None:
    assert userspace_interfaces(Namespace(None), str(tmp_path / "nosuch")) == []


# --- pyroute2

HERE_BY_PATH = Namespace(f"/proc/{os.getpid()}/ns/net")


def test_without_pyroute2_it_is_said_who_needs_it_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    with pytest.raises(MissingDependency, match="The option netns needs the Python library pyroute2 for") as error:
        find(HERE_BY_PATH)
    assert sys.executable in str(error.value)
    assert "python3-pyroute2" in str(error.value)


def test_a_pyroute2_that_this_python_can_not_run_is_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pyroute2.py").write_text("object[int]\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pyroute2", raising=False)
    with pytest.raises(
        MissingDependency, match=r"The option netns .* can't be imported \(TypeError: .*\): install another"
    ) as error:
        find(HERE_BY_PATH)
    assert sys.executable in str(error.value)


@pytest.mark.parametrize(
    ("executable", "words"),
    [
        ("/usr/bin/python3", "install the package python3-pyroute2"),
        (
            "/home/anna/ansible/bin/python3",
            "run /home/anna/ansible/bin/python3 -m pip install pyroute2, or use /usr/bin/python3 with the package python3-pyroute2",
        ),
        ("", "run python3 -m pip install pyroute2, or use /usr/bin/python3 with the package python3-pyroute2"),
    ],
)
def test_a_package_of_the_distribution_is_for_its_own_python_alone(executable: str, words: str) -> None:
    assert how_to_get("pyroute2", "python3-pyroute2", executable) == words


def test_interfaces_of_this_namespace_are_found_without_pyroute2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    monkeypatch.setattr(RouteNetlink, "wireguard_links", lambda _netlink: ["wg0"])
    with uapi.FakeDaemon(tmp_path, "lo", uapi.answers("")):
        assert find(Namespace(None), directory=str(tmp_path)) == ["lo", "wg0"]


@pytest.mark.parametrize(
    ("netns", "patterns", "named", "where"),
    [
        ([None], ["*"], [], "here. "),
        ([None], ["wg*", "vpn?"], [], "here that matches wg*, vpn?. "),
        (["vpn"], ["*"], ["vpn"], "in network namespace vpn. "),
        ([None, "vpn"], ["*"], ["lab", "vpn"], "here or in network namespace vpn. "),
    ],
)
def test_who_finds_nothing_is_told_where_that_was_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, netns: list[str | None], patterns: list[str], named: list[str], where: str
) -> None:
    monkeypatch.setattr(_discovery, "named_namespaces", lambda: named)
    sentence = nothing_found(netns, patterns)
    assert sentence.startswith(f"There is no WireGuard interface {where}Bring one up")
    others = [name for name in named if name not in netns]
    assert sentence.endswith("(named ones: lab)" if others else "in another network namespace")


# --- namespaces


@pytest.mark.parametrize("netns", ["ww-nosuch", "/nosuch/ns/net"])
def test_a_namespace_that_is_not_there_is_an_error_and_is_never_made(netns: str) -> None:
    namespace = Namespace(netns)
    for look in (namespace.check, lambda: find(namespace), lambda: namespace.run(os.getpid)):
        with pytest.raises(MissingNamespace, match=f"There is no network namespace {netns} .looked for .*{netns}"):
            look()
    assert not os.path.exists(namespace.path)


def test_a_path_that_is_no_namespace_is_said_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(NoPrivilege, match=f"{file} can't be entered as a network namespace"):
        Namespace(str(file)).run(os.getpid)


def test_what_runs_in_a_namespace_raises_to_the_caller() -> None:
    def fail() -> None:
        raise LookupError("from the inside")

    with pytest.raises(LookupError, match="from the inside"):
        Namespace(f"/proc/{os.getpid()}/ns/net").run(fail)


def test_links_are_known_by_name_and_number() -> None:
    namespace = Namespace(None)
    try:
        index, up = namespace.link("lo")
        assert index == 1
        assert isinstance(up, bool)
        assert namespace.link("ww-none") == (None, None)
        assert namespace.link_name(1) == "lo"
        assert namespace.link_name(1 << 30) == str(1 << 30)
    finally:
        namespace.close()

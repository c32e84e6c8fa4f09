# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backend an interface is read from, and what is said where it is on none."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Callable

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import (
    InterfaceGone,
    MalformedReply,
    NoKernelModule,
    NoPrivilege,
    NotWireGuard,
    Temporary,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._following import FOLLOWING
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netlink import GenericNetlink
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reader import InterfaceReader
from lab import uapi
from unit.wire import Kernel, device_bytes, dump, peer_bytes, refusal

NAME = "ww-none"  # of which the host of these tests has no link
IN_KERNEL = dump(device_bytes(peer_bytes(1)))
DAEMON = uapi.answers(uapi.device_text(2))

MakeKernel = Callable[..., Kernel]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> MakeKernel:
    def make(*answers: Callable) -> Kernel:
        made = Kernel(*answers)
        monkeypatch.setattr(GenericNetlink, "open", made.open)
        return made

    return make


def without_module(kernel: MakeKernel) -> Kernel:
    made = kernel(IN_KERNEL)
    made.family = refusal(errno.ENOENT)
    return made


def reader(folder: Path, backend: str = "auto", name: str = NAME) -> InterfaceReader:
    return InterfaceReader(Namespace(None), name, backend, str(folder), ways=FOLLOWING)


# --- which one


def test_auto_takes_the_kernels_interface_first(kernel: MakeKernel, tmp_path: Path) -> None:
    kernel(IN_KERNEL)
    with uapi.FakeDaemon(tmp_path, NAME, DAEMON) as daemon:
        assert reader(tmp_path).read().backend == "kernel"
        assert daemon.requests == []


@pytest.mark.parametrize("code", [errno.ENODEV, errno.EOPNOTSUPP])
def test_auto_takes_the_daemons_where_the_kernel_has_none(kernel: MakeKernel, tmp_path: Path, code: int) -> None:
    """EOPNOTSUPP: the daemon's tun device is an interface of another kind to the kernel."""
    kernel(refusal(code))
    with uapi.FakeDaemon(tmp_path, NAME, DAEMON):
        assert reader(tmp_path).read().backend == "userspace"


def test_auto_takes_the_daemons_where_the_kernel_has_no_wireguard(kernel: MakeKernel, tmp_path: Path) -> None:
    without_module(kernel)
    with uapi.FakeDaemon(tmp_path, NAME, DAEMON):
        assert reader(tmp_path).read().backend == "userspace"


def test_the_one_that_answered_is_asked_first_the_next_time(kernel: MakeKernel, tmp_path: Path) -> None:
    """On a host without the module each look for its family would call modprobe."""
    made = without_module(kernel)
    reads = reader(tmp_path)
    with uapi.FakeDaemon(tmp_path, NAME, DAEMON):
        for _poll in range(5):
            reads.read()
    assert len(made.requests) == 1


def test_an_interface_that_moves_to_the_other_backend_is_followed(kernel: MakeKernel, tmp_path: Path) -> None:
    made = kernel(refusal(errno.ENODEV))
    reads = reader(tmp_path)
    with uapi.FakeDaemon(tmp_path, NAME, DAEMON):
        assert reads.read().backend == "userspace"
    made.answers = [IN_KERNEL]
    assert reads.read().backend == "kernel"
    made.answers = [refusal(errno.ENODEV)]
    with uapi.FakeDaemon(tmp_path, NAME, DAEMON):
        assert reads.read().backend == "userspace"


@pytest.mark.parametrize("backend", ["kernel", "userspace"])
def test_a_backend_that_was_asked_for_is_the_only_one(kernel: MakeKernel, tmp_path: Path, backend: str) -> None:
    made = kernel(IN_KERNEL)
    with uapi.FakeDaemon(tmp_path, NAME, DAEMON) as daemon:
        assert reader(tmp_path, backend).read().backend == backend
        assert (len(made.requests) > 0, len(daemon.requests) > 0) == (backend == "kernel", backend == "userspace")


# --- none


def test_a_name_that_is_nowhere_is_gone(kernel: MakeKernel, tmp_path: Path) -> None:
    kernel(refusal(errno.ENODEV))
    with pytest.raises(InterfaceGone, match=f"There is no interface {NAME}"):
        reader(tmp_path).read()


def test_an_interface_of_another_kind_is_said_to_be_one(kernel: MakeKernel, tmp_path: Path) -> None:
    kernel(refusal(errno.EOPNOTSUPP))
    with pytest.raises(NotWireGuard, match=f"{NAME} is not a WireGuard interface, and there is no userspace socket"):
        reader(tmp_path).read()


def test_without_the_module_it_is_said_whether_a_socket_is_there(kernel: MakeKernel, tmp_path: Path) -> None:
    without_module(kernel)
    with pytest.raises(
        InterfaceGone,
        match=f"There is no interface {NAME}; there is no userspace socket .* either. The kernel has no WireGuard",
    ):
        reader(tmp_path).read()
    with pytest.raises(NoKernelModule, match="Interface lo can't be read as WireGuard; there is no userspace socket"):
        reader(tmp_path, name="lo").read()
    with uapi.FakeDaemon(tmp_path, NAME, DAEMON), pytest.raises(InterfaceGone, match="; there is a userspace socket"):
        reader(tmp_path, "kernel").read()


@pytest.mark.parametrize(
    ("code", "error"), [(errno.EPERM, NoPrivilege), (errno.EBUSY, Temporary)], ids=["no privilege", "busy"]
)
def test_a_kernel_that_will_not_tell_is_no_reason_to_ask_a_daemon(
    kernel: MakeKernel, tmp_path: Path, code: int, error: type[Exception]
) -> None:
    """Who may not look into the kernel would be shown the state of something else."""
    kernel(refusal(code))
    with uapi.FakeDaemon(tmp_path, NAME, DAEMON) as daemon, pytest.raises(error):
        reader(tmp_path).read()
    assert daemon.requests == []


def test_a_malformed_answer_names_the_interface(kernel: MakeKernel, tmp_path: Path) -> None:
    kernel(dump(device_bytes(peer_bytes(1, RX_BYTES=b"short"))))
    with pytest.raises(
        MalformedReply, match=f"Interface {NAME} can't be read. The kernel's answer has a value of 5 bytes"
    ):
        reader(tmp_path).read()


def test_closing_closes_the_socket(kernel: MakeKernel, tmp_path: Path) -> None:
    made = kernel(IN_KERNEL)
    reads = reader(tmp_path)
    reads.read()
    assert [sock.closed for sock in made.opened] == [False]
    reads.close()
    assert [sock.closed for sock in made.opened] == [True]

# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading daemons over real sockets: those that answer, and those that hang, die, babble or are not there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils import _userspace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import (
    InterfaceGone,
    MalformedReply,
    Temporary,
    Unreadable,
)
from ansible_collections.wirewatch.wireguard.plugins.module_utils._model import SECOND
from ansible_collections.wirewatch.wireguard.plugins.module_utils._netns import Namespace
from ansible_collections.wirewatch.wireguard.plugins.module_utils._reuse import Reuse
from ansible_collections.wirewatch.wireguard.plugins.module_utils._userspace import UserspaceReader
from lab import uapi
from unit.watching import START, key

NAME = "ww-none"  # of which the host of these tests has no link
ANSWER = uapi.device_text(3)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for sockets, whose paths have a bound of 108 bytes."""
    link = Path(f"/tmp/ww-sockets-{os.getpid()}")
    link.symlink_to(tmp_path)
    yield link
    link.unlink()


def reader(folder: Path, timeout: float = 10.0, now: int = START) -> UserspaceReader:
    return UserspaceReader(Namespace(None), NAME, str(folder), timeout, memory=Reuse, wall_clock=lambda: now)


# --- daemons that answer


def test_a_daemon_is_asked_for_its_state_and_nothing_else(folder: Path) -> None:
    with uapi.FakeDaemon(folder, NAME, uapi.answers(ANSWER)) as daemon:
        device = reader(folder).read()
        assert (device.interface, device.backend, len(device.peers)) == (NAME, "userspace", 3)
        assert daemon.requests == [b"get=1\n\n"]


def test_the_public_key_is_derived_from_the_private_one_which_is_not_kept(folder: Path) -> None:
    """RFC 7748 section 6.1, Alice's key pair."""
    private = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
    public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    with uapi.FakeDaemon(folder, NAME, uapi.answers(f"private_key={private}\n")):
        device = reader(folder).read()
    assert device.public_key == bytes.fromhex(public)


def test_where_nothing_changed_it_is_the_same_device_whatever_the_order(folder: Path) -> None:
    reads = reader(folder)
    head, *peers = ANSWER.split("public_key=")
    turned = "public_key=".join([head, *reversed(peers)])
    with uapi.FakeDaemon(folder, NAME, uapi.answers(ANSWER)):
        before = reads.read()
    with uapi.FakeDaemon(folder, NAME, uapi.answers(turned)):
        assert reads.read() is before
    with uapi.FakeDaemon(folder, NAME, uapi.answers(ANSWER.replace("rx_bytes=92", "rx_bytes=93", 1))):
        after = reads.read()
    assert after is not before
    assert [after.peers[one] is before.peers[one] for one in before.peers] == [False, True, True]


def test_an_answer_in_many_pieces_is_whole(folder: Path) -> None:
    with uapi.FakeDaemon(folder, NAME, uapi.byte_by_byte(uapi.device_text(1))):
        assert len(reader(folder).read().peers) == 1


# --- ages instead of times


def test_an_age_is_made_a_time_once_and_held_while_it_grows(folder: Path) -> None:
    """Made a time at each poll, the handshake would wander with the seconds that it is rounded to."""
    now = START
    reads = UserspaceReader(Namespace(None), NAME, str(folder), memory=Reuse, wall_clock=lambda: now)

    def handshake(age: int | None) -> int:
        with uapi.FakeDaemon(folder, NAME, uapi.boringtun({key(1).hex(): age})):
            return reads.read().peers[key(1)].last_handshake_ns

    assert handshake(None) == 0
    assert handshake(10) == START - 10 * SECOND
    now += round(1.7 * SECOND)
    assert handshake(11) == START - 10 * SECOND
    now += round(118.9 * SECOND)
    assert handshake(130) == START - 10 * SECOND
    now += SECOND
    assert handshake(1) == now - SECOND, "a smaller age is a new handshake"
    assert handshake(None) == 0
    now += SECOND
    assert handshake(3) == now - 3 * SECOND, "a peer that was made anew starts anew"


# --- daemons that do not


def test_a_daemon_that_is_not_there_is_a_missing_interface(folder: Path) -> None:
    with pytest.raises(InterfaceGone, match=f"There is no interface {NAME}.*no socket {folder}/{NAME}.sock"):
        reader(folder).read()
    with pytest.raises(InterfaceGone):
        reader(folder / "nosuch").read()


def test_a_dead_socket_is_no_daemon_and_stays_where_it_is(folder: Path) -> None:
    path = uapi.leave_dead_socket(folder, NAME)
    with pytest.raises(InterfaceGone, match=f"daemon of interface {NAME} is not running: nobody listens on {path}"):
        reader(folder).read()
    assert stat.S_ISSOCK(path.stat().st_mode)


@pytest.mark.parametrize(
    ("behaviour", "timeout", "sentence"),
    [
        (uapi.hangs, 0.2, r"did not answer whole within 0.2 s \(0 bytes came\)"),
        (uapi.hangs_in_mid_reply(ANSWER), 2.0, r"did not answer whole within 2 s \(\d{3} bytes came\)"),
        (uapi.stops_in_mid_reply(ANSWER), 30.0, "hung up in mid-answer"),
        (uapi.closes_at_once, 30.0, "hung up in mid-answer|can't be read"),
    ],
    ids=["hangs", "hangs in mid-reply", "stops in mid-reply", "closes at once"],
)
def test_a_daemon_that_falls_silent_may_pass(
    folder: Path, behaviour: uapi.Behaviour, timeout: float, sentence: str
) -> None:
    with uapi.FakeDaemon(folder, NAME, behaviour), pytest.raises(
        Temporary, match=f"The daemon of interface {NAME} .*({sentence})"
    ):
        reader(folder, timeout).read()


def test_a_daemon_that_talks_garbage_is_an_error_that_quotes_none_of_it(folder: Path) -> None:
    with uapi.FakeDaemon(folder, NAME, uapi.garbage), pytest.raises(MalformedReply) as error:
        reader(folder).read()
    assert "not a device" not in str(error.value).replace("not a device of", "")


def test_a_daemon_without_an_end_meets_a_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_userspace, "REPLY_BYTES", 1 << 20)
    with uapi.FakeDaemon(folder, NAME, uapi.endless), pytest.raises(MalformedReply, match="bytes without an end"):
        reader(folder).read()


def test_a_daemons_refusal_is_told(folder: Path) -> None:
    with uapi.FakeDaemon(folder, NAME, uapi.answers("", code=-13)), pytest.raises(
        Unreadable, match=rf"The daemon of interface {NAME} answers Permission denied \(errno -13\)"
    ):
        reader(folder).read()


def test_a_socket_that_may_not_be_opened_says_what_to_do(import_folder: Path) -> None:
    """As another user, since root may open everything."""
    code = (
        "import os, sys\n"
        "from ansible_collections.wirewatch.wireguard.plugins.module_utils import _errors, _netns, _userspace\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        f"    _userspace.UserspaceReader(_netns.Namespace(None), {NAME!r}, sys.argv[1]).read()\n"
        "except _errors.NoPrivilege as error:\n"
        "    print(error)\n"
    )
    sockets = Path(f"/tmp/ww-private-{os.getpid()}")
    sockets.mkdir(mode=0o755)
    try:
        with uapi.FakeDaemon(sockets, NAME, uapi.answers(ANSWER)) as daemon:
            daemon.path.chmod(0o700)
            done = subprocess.run(
                [sys.executable, "-c", code, str(sockets)],
                env={**os.environ, "PYTHONPATH": str(import_folder), "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )
        expected = f"The socket {sockets}/{NAME}.sock may not be opened by this user: run as root (in Ansible with become: true)"
        assert done.stdout.strip() == expected, done.stderr
    finally:
        sockets.rmdir()

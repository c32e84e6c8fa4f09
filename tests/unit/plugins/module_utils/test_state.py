# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state file: what survives, and what is said when something is wrong with it."""

from __future__ import annotations

import os
import random
import re
import select
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.wirewatch.wireguard.plugins.module_utils._errors import InvalidArgument
from ansible_collections.wirewatch.wireguard.plugins.module_utils._state import (
    APPLICATION_ID,
    StateFile,
    StateFileError,
)
from lab import disk
from lab.disk import fill
from unit.watching import World, peer, poll


def note(state: StateFile, world: World, told: bool = True) -> None:
    """Takes in what a new watcher finds in the world: an inventory."""
    for event in poll(world.watcher("*"), links_changed=True):
        state.note(event)


def filled(path: Path, peers: int = 3) -> StateFile:
    world = World()
    world.put("wg0", *(peer(number, endpoint="192.0.2.1:1", handshake=number) for number in range(peers)))
    state = StateFile(str(path), "gw1")
    note(state, world)
    state.flush()
    return state


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def test_what_was_flushed_is_read_again(path: Path) -> None:
    state = filled(path)
    told = state.state
    state.close()
    again = StateFile(str(path), "gw1")
    assert again.complaint is None
    assert again.state == told
    assert len(again.state["gw1", None, "wg0"]["peers"]) == 3


def test_a_new_file_is_empty_and_no_reason_to_complain(path: Path) -> None:
    state = StateFile(str(path), "gw1")
    assert (state.state, state.complaint, state.pending) == ({}, None, False)


def test_what_was_noted_and_not_flushed_is_lost_and_nothing_else(path: Path) -> None:
    state = filled(path)
    world = World()
    world.put("wg1", peer(9))
    note(state, world)
    assert state.pending
    state.close()
    assert list(StateFile(str(path), "gw1").state) == [("gw1", None, "wg0")]


def test_what_was_announced_is_untold_until_it_was_noted_and_taken(path: Path) -> None:
    world = World()
    world.put("wg0", peer(1), peer(2))
    state = StateFile(str(path), "gw1")
    events = poll(world.watcher("*"), links_changed=True)
    state.announce(events)
    for event in events[:2]:
        state.note(event)
    state.close()  # which writes nothing
    state = StateFile(str(path), "gw1")
    assert (state.untold, state.state) == (events, {})
    for event in events:
        state.note(event)
    state.flush(taken=False)
    assert state.pending, "the last one may lie in a queue"
    state.close()
    state = StateFile(str(path), "gw1")
    assert state.untold == events[-1:]
    state.note(events[-1])
    state.flush()
    assert not state.pending
    state.close()
    assert StateFile(str(path), "gw1").untold == []


def test_what_an_event_was_announced_with_is_kept_with_it(path: Path) -> None:
    world = World()
    world.put("wg0", peer(1))
    state = StateFile(str(path), "gw1")
    events = poll(world.watcher("*"), links_changed=True)
    metas = [{"uuid": "first"}, {"uuid": "second"}]
    state.announce(events, metas)
    state.close()
    again = StateFile(str(path), "gw1")
    assert (again.untold, again.untold_metas, again.complaint) == (events, metas, None)
    again.announce(events)
    again.close()
    assert StateFile(str(path), "gw1").untold_metas == [None, None]


def test_only_what_changed_is_written(path: Path) -> None:
    """At 10,000 peers with 80 handshakes a second, rewriting all of them would be most of the work."""
    state = filled(path, peers=2000)
    statements: list[str] = []
    state._connection.set_trace_callback(statements.append)
    world = World()
    world.put("wg0", peer(1))
    (_interface, added) = poll(world.watcher("wg0"))
    state.note(added)
    state.flush()
    assert [line for line in statements if line.startswith(("REPLACE", "DELETE"))] == [
        line for line in statements if line.startswith("REPLACE")
    ]
    assert sum(line.startswith("REPLACE") for line in statements) == 1
    state._connection.set_trace_callback(None)
    statements.clear()
    state.flush()
    assert not state.pending


def test_an_interface_that_is_gone_leaves_no_row(path: Path) -> None:
    state = filled(path)
    world = World()
    world.put("wg0", *(peer(number) for number in range(3)))
    watcher = world.watcher("wg0")
    poll(watcher)
    world.drop("wg0")
    for event in poll(watcher):
        state.note(event)
    state.flush()
    assert state._connection.execute("SELECT count(*) FROM facts").fetchone() == (0,)


def test_the_file_has_no_counters_and_no_secrets(path: Path) -> None:
    world = World()
    world.put("wg0", peer(1, preshared_key=b"HASH-OF-A-KEY", rx_bytes=123454321, handshake=0))
    state = StateFile(str(path), "gw1")
    note(state, world)
    state.flush()
    state.close()
    everything = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"has_preshared_key" in everything
    assert b"HASH-OF-A-KEY" not in everything
    assert b"123454321" not in everything


def test_the_hosts_name_is_not_part_of_it(path: Path) -> None:
    filled(path).close()
    assert list(StateFile(str(path), "another").state) == [("another", None, "wg0")]


# --- damaged


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: overwrite(path, 0, bytes(4096)),  # as a power failure leaves it
        lambda path: overwrite(path, 4096, b"\xa5" * 4096),
        lambda path: overwrite(path, 100, b"\xff" * 200),
        lambda path: os.truncate(path, 5000),
        lambda path: os.truncate(path, 50),
        lambda path: os.truncate(path, 10),
    ],
    ids=[
        "zeros",
        "a page of garbage",
        "a damaged header",
        "truncated",
        "truncated in the header",
        "truncated in the magic",
    ],
)
def test_a_damaged_file_is_kept_aside_and_a_new_one_begun(path: Path, damage: object) -> None:
    filled(path, peers=200).close()
    assert path.stat().st_size > 8192
    damage(path)  # type: ignore[operator]
    damaged = path.read_bytes()
    state = StateFile(str(path), "gw1")
    assert state.complaint is not None
    assert state.complaint.startswith(f"The state file {path} is damaged (")
    assert state.complaint.endswith(
        f"). It was kept as {path}.damaged and a new one begun, so everything found now comes as initial"
    )
    assert Path(f"{path}.damaged").read_bytes() == damaged
    assert state.state == {}
    state.close()
    assert StateFile(str(path), "gw1").complaint is None


def test_an_empty_file_is_a_new_one(path: Path) -> None:
    path.touch()
    assert StateFile(str(path), "gw1").complaint is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE facts SET facts = 'no json' WHERE public_key != ''",
        "UPDATE facts SET facts = '{}' WHERE public_key != ''",
        "UPDATE facts SET facts = '[]' WHERE public_key = ''",
        "UPDATE facts SET facts = 'null' WHERE public_key = ''",
        "DELETE FROM facts WHERE public_key = ''",
        "UPDATE facts SET facts = replace(facts, '10.0', 'what')",
    ],
)
def test_rows_that_nobody_wrote_so_are_damage(path: Path, statement: str) -> None:
    world = World()
    world.put("wg0", peer(1, allowed_ips=["10.0.0.0/8"]))
    state = StateFile(str(path), "gw1")
    note(state, world)
    state.flush()
    state.close()
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    complaint = StateFile(str(path), "gw1").complaint or ""
    assert "is damaged (a row is not what it should be). It was kept as" in complaint


def test_a_file_of_another_version_is_kept_aside(path: Path) -> None:
    filled(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    state = StateFile(str(path), "gw1")
    assert "is of another version of this collection. It was kept as" in (state.complaint or "")
    assert state.state == {}
    with sqlite3.connect(f"{path}.damaged") as connection:
        assert connection.execute("SELECT count(*) FROM facts").fetchone() == (4,)
    connection.close()


def test_what_is_no_state_file_is_left_as_it_is(path: Path) -> None:
    """A slip in the path must not cost anybody a file."""
    path.write_text("root:x:0:0:root:/root:/bin/bash\n")
    with pytest.raises(InvalidArgument) as caught:
        StateFile(str(path), "gw1")
    assert str(caught.value) == (
        f"state_file is {path}, and that is no state file of this source; it was left as it is. Name a file that is not "
        "there yet"
    )
    assert path.read_text() == "root:x:0:0:root:/root:/bin/bash\n"
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]


def test_the_database_of_another_program_is_left_as_it_is(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(InvalidArgument, match="is no state file of this source; it was left as it is"):
        StateFile(str(path), "gw1")
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]


# --- not to be opened


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument) as caught:
        StateFile(str(tmp_path / "missing" / "state.db"), "gw1")
    assert str(caught.value) == (
        f"state_file is {tmp_path}/missing/state.db, and there is no directory {tmp_path}/missing: create it first"
    )


def test_a_directory_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument) as caught:
        StateFile(str(tmp_path), "gw1")
    assert str(caught.value) == f"state_file is {tmp_path}, which can't be read: Is a directory"


OPENS = "import sys\nfrom ansible_collections.wirewatch.wireguard.plugins.module_utils._state import StateFile\n"


@pytest.fixture
def environment(import_folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(import_folder), str(Path(__file__).parents[3])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def test_a_directory_that_may_not_be_written_to(environment: dict[str, str]) -> None:
    """Root may write anywhere, so somebody else is asked: uid 65534, who is nobody. He must get to the folder, though."""
    program = (
        OPENS
        + "import os\nos.setuid(65534)\ntry:\n    StateFile(sys.argv[1], 'gw1')\nexcept Exception as e:\n    print(e)"
    )
    with tempfile.TemporaryDirectory(prefix="ww-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        argv = [sys.executable, "-c", program, f"{folder}/state.db"]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"state_file is {folder}/state.db, which can't be opened for writing: unable to open database file. Give each source "
        "a file of its own, in a directory it may write to\n"
    )


def test_a_file_that_another_process_uses(path: Path, environment: dict[str, str]) -> None:
    program = OPENS + "s = StateFile(sys.argv[1], 'gw1'); print('open', flush=True); sys.stdin.read()"
    argv = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(InvalidArgument) as caught:
            StateFile(str(path), "gw1")
        assert str(caught.value) == (
            f"state_file is {path}, which can't be opened for writing: another process uses it. Give each source a file of its "
            "own, in a directory it may write to"
        )
        other.kill()  # the lock goes with the process, however it ends
        other.wait()
        StateFile(str(path), "gw1").close()


def test_a_file_that_another_source_of_this_process_uses(path: Path) -> None:
    state = StateFile(str(path), "gw1")
    with pytest.raises(InvalidArgument, match="another process uses it"):
        StateFile(str(path), "gw1")
    state.close()


# --- disk errors


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    with disk.tiny_disk(tmp_path / "tiny") as folder:
        yield folder


def remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def sentence(path: Path, why: str) -> str:
    return (
        f"The state file {path} can't be written ({why}): events go on, and what was told already will be known again as soon as "
        "it can. Look at the space, the permissions and the health of its disk"
    )


def refuses_to_write(state: StateFile, path: Path, why: str = ".*") -> None:
    for _time in range(2):
        with pytest.raises(
            StateFileError, match=sentence(re.escape(str(path)), why).replace("(", r"\(").replace(")", r"\)")
        ):
            state.flush()
        assert state.pending


def writes_again(state: StateFile, path: Path) -> None:
    state.flush()
    assert not state.pending
    told = state.state
    state.close()
    again = StateFile(str(path), "gw1")
    assert (again.state, again.complaint) == (told, None)
    again.close()


def note_200_peers(state: StateFile) -> None:
    world = World()
    world.put("wg0", *(peer(number, endpoint="192.0.2.2:2") for number in range(200)))
    note(state, world)


def test_a_full_disk_is_said_and_what_is_lacking_is_written_later(tiny_disk: Path) -> None:
    path = tiny_disk / "state.db"
    state = filled(path)
    stuffing = fill(tiny_disk)
    note_200_peers(state)
    refuses_to_write(state, path, "database or disk is full")
    stuffing.unlink()
    writes_again(state, path)


def test_a_disk_that_is_full_at_start_is_no_reason_not_to_watch(tiny_disk: Path) -> None:
    path = tiny_disk / "state.db"
    stuffing = fill(tiny_disk)
    state = StateFile(str(path), "gw1")
    assert state.complaint == sentence(path, "database or disk is full")
    note_200_peers(state)
    refuses_to_write(state, path, "database or disk is full")
    stuffing.unlink()
    writes_again(state, path)


def test_a_disk_that_becomes_read_only_is_said_and_what_is_lacking_is_written_later(tiny_disk: Path) -> None:
    path = tiny_disk / "state.db"
    filled(path).close()
    remount(tiny_disk, "ro")
    state = StateFile(str(path), "gw1")
    assert state.complaint in (sentence(path, "attempt to write a readonly database"), sentence(path, "disk I/O error"))
    assert len(state.state["gw1", None, "wg0"]["peers"]) == 3, "what was told is known all the same"
    note_200_peers(state)
    refuses_to_write(state, path)
    remount(tiny_disk, "rw")
    writes_again(state, path)


def test_what_a_killed_writer_left_in_the_log_is_read_on_a_read_only_disk(
    tiny_disk: Path, environment: dict[str, str]
) -> None:
    path = tiny_disk / "state.db"
    program = (
        "import os, pathlib, sys\nfrom unit.plugins.module_utils.test_state import filled\n"
        "kept = filled(pathlib.Path(sys.argv[1]))\nos.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert Path(f"{path}-wal").stat().st_size > 0
    remount(tiny_disk, "ro")
    state = StateFile(str(path), "gw1")
    assert len(state.state["gw1", None, "wg0"]["peers"]) == 3
    remount(tiny_disk, "rw")
    note_200_peers(state)
    writes_again(state, path)


def test_a_file_that_was_exchanged_while_it_could_not_be_written_gets_all_that_was_told(tiny_disk: Path) -> None:
    path = tiny_disk / "state.db"
    filled(path).close()
    remount(tiny_disk, "ro")
    state = StateFile(str(path), "gw1")
    remount(tiny_disk, "rw")
    path.unlink()
    world = World()
    world.put("wg1", peer(9))
    note(state, world)
    writes_again(state, path)


def test_a_damaged_file_on_a_read_only_disk_can_not_be_gone_on_with(tiny_disk: Path) -> None:
    path = tiny_disk / "state.db"
    filled(path, peers=200).close()
    overwrite(path, 4096, b"\xa5" * 4096)
    remount(tiny_disk, "ro")
    with pytest.raises(
        InvalidArgument, match=f"state_file is {path}, which (is damaged|can be neither written nor read)"
    ):
        StateFile(str(path), "gw1")


# --- SIGKILL

WRITER = (
    OPENS
    + """
from unit.watching import World, peer, poll
state, seed = StateFile(sys.argv[1], "gw1"), int(sys.argv[2])
world = World()
known = next(iter(state.state.values()))["peers"] if state.state else {}
last = max((facts["persistent_keepalive"] for facts in known.values()), default=0)
if len(known) not in (0, 50) or any(facts["persistent_keepalive"] != last for facts in known.values()):
    sys.exit("a transaction was written in part")
print("found", last, flush=True)
watcher = world.watcher("wg0")
while True:
    last += 1
    world.put("wg0", *(peer(number, persistent_keepalive=last) for number in range(50)))
    for event in poll(watcher):
        state.note(event)
    state.flush()
    print("wrote", last, flush=True)
"""
)


def test_sigkill_at_any_moment_loses_nothing_that_was_flushed(path: Path, environment: dict[str, str]) -> None:
    """Fifty rows to a transaction: whoever comes next finds all of the last one, or of the one that was being written."""
    chance, written = random.Random(2), 0
    for life in range(20):
        argv = [sys.executable, "-c", WRITER, str(path), str(life)]
        with subprocess.Popen(
            argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None and writer.stderr is not None
            first = writer.stdout.readline()
            assert first, writer.stderr.read()
            found = int(first.split()[1])
            assert written <= found <= written + 1
            written = found
            target = written + chance.randrange(1, 30)
            while written < target:
                written = int(writer.stdout.readline().split()[1])
            # Somewhere in what comes next: a wait for nothing, of a random length below that of a transaction or two.
            select.select([], [], [], chance.random() * 0.004)
            writer.send_signal(signal.SIGKILL)
            rest = [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
            assert writer.wait() == -signal.SIGKILL
            written = int(rest[-1].split()[1]) if rest else written
    state = StateFile(str(path), "gw1")
    assert state.complaint is None
    keepalives = {facts["persistent_keepalive"] for facts in state.state["gw1", None, "wg0"]["peers"].values()}
    assert len(keepalives) == 1
    assert written <= keepalives.pop() <= written + 1


def test_a_file_of_ours_says_so(path: Path) -> None:
    filled(path).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    connection.close()

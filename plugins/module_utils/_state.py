# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state file of ``initial: resume``: what was told already, so that after a restart only the rest is.

SQLite, so that a change costs a row and a SIGKILL at any moment leaves the last commit. It holds the facts that events
carry (``_mirror.py``), no counters, no secrets.

Events are written down before they are told, too, until it is known that they were taken: who is killed in between
cannot know how far they came, and tells those again. Else a fact that was told and undone before the restart would stay.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from itertools import zip_longest
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from ._errors import InvalidArgument, WireGuardError
from ._event import Event
from ._mirror import PEER_FACTS, Place, apply
from ._record import Record
from ._restored import device_from_record

SCHEMA_VERSION = 2
APPLICATION_ID = 0x57475754  # "WGWT" in the header of the file: ours, and not the database of another program
MAGIC = b"SQLite format 3\0"  # how every SQLite database begins (sqlite.org/fileformat.html section 1.3)
INTERFACE_ROW = ""  # in place of a public key
LOCK_TIMEOUT = 2.0  # seconds
LAST_SEQUENCE = (1 << 63) - 1  # SQLite's largest integer

Row = Tuple[str, str, str, str]
Meta = Dict[str, Any]  # what stands beside "wireguard" in what is told

_SELECT = "SELECT netns, interface, public_key, facts FROM facts"
_SELECT_TELLING = "SELECT event FROM telling ORDER BY sequence"
_CREATE = (
    """
CREATE TABLE facts (
    netns TEXT NOT NULL, interface TEXT NOT NULL, public_key TEXT NOT NULL, facts TEXT NOT NULL,
    PRIMARY KEY (netns, interface, public_key)
) WITHOUT ROWID
""",
    "CREATE TABLE telling (sequence INTEGER PRIMARY KEY, event TEXT NOT NULL)",
)
_TABLES = {"facts", "telling"}


class StateFileError(WireGuardError):
    """The state file can't be written now. What it lacks is kept, and written when it can be again."""


class _NotNow(StateFileError):
    """It can't even be opened for writing now, and that may pass: the disk is full or read-only."""


class StateFile:
    """Opened once, for one watcher. ``announce`` events, tell each and ``note`` it, which writes nothing, then ``flush``.

    ``untold`` are events of an earlier run that may have been told and may not: to be told and noted first, each with the
    ``meta`` that ``untold_metas`` has at its place, None where it was announced without.
    """

    def __init__(self, path: str, host: str) -> None:
        """Opens or makes the file. A damaged one is put aside, and one on a full or read-only disk is read: see ``complaint``.

        InvalidArgument where that can't be, or where the path leads to a file of somebody else: that is left as it is.
        """
        self.path = os.path.abspath(path)
        self.complaint: Optional[str] = None
        self._host = host
        self._rows: Set[Tuple[Place, str]] = set()
        self._connection: Optional[sqlite3.Connection] = None
        self.state: Dict[Place, Record] = {}
        self.untold: List[Event] = []
        self.untold_metas: List[Optional[Meta]] = []
        self._announced: List[int] = []  # sequences of events in the file that were not yet taken, as far as is known
        self._told = 0  # how many of them were noted
        directory = os.path.dirname(self.path)
        if not os.path.isdir(directory):
            raise InvalidArgument("state_file is %s, and there is no directory %s: create it first" % (path, directory))
        self._refuse_other_files()
        try:
            self._connection = self._open(self._load)
        except _Unusable as error:
            self._put_aside(str(error))
            self._connection = self._open(self._load)
        except _NotNow as error:
            self._read_copy()
            self.complaint = str(error)

    def announce(self, events: List[Event], metas: Sequence[Optional[Meta]] = ()) -> None:
        """Writes down what is about to be told, and what was noted. StateFileError where it can't.

        ``metas`` are what the events are told with, in their order: they are kept, and told with them again.
        """
        self._announced, self._told = [event["sequence"] for event in events], 0
        rows = ((event, meta and {"meta": meta, "wireguard": event}) for event, meta in zip_longest(events, metas))
        texts = [(event["sequence"], json.dumps(envelope or event)) for event, envelope in rows]
        self._commit([("DELETE FROM telling", ()), *(("INSERT INTO telling VALUES (?, ?)", text) for text in texts)])

    def note(self, event: Event) -> None:
        """Takes in an event that was delivered."""
        if self._told < len(self._announced) and self._announced[self._told] == event["sequence"]:
            self._told += 1
        place = apply(self.state, event)
        if place is not None:
            gone = place not in self.state
            self._rows.add((place, INTERFACE_ROW if event["public_key"] is None or gone else event["public_key"]))

    @property
    def pending(self) -> bool:
        """Whether something noted is not yet in the file, or something announced still is."""
        return bool(self._rows or self._announced)

    def flush(self, taken: bool = True) -> None:
        """Writes what was noted. StateFileError where it can't; it then stays noted.

        ``taken``: False where the event noted last may still lie in a queue, and be lost with this process.
        """
        heard = self._told if taken else max(0, self._told - 1)
        if self._rows or heard:
            del self._announced[:heard]
            self._told -= heard
            until = self._announced[0] if self._announced else LAST_SEQUENCE
            self._commit([("DELETE FROM telling WHERE sequence < ?", (until,))] if heard else [])

    def _commit(self, statements: Sequence[Tuple[str, tuple]]) -> None:
        """One transaction: what was noted, and these. StateFileError where it can't."""
        connection = self._connection
        try:
            if connection is None:
                connection = self._connection = self._open(self._complete)
            rows = list(self._rows)
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                for place, public_key in rows:
                    self._write(connection, place, public_key)
                for statement, values in statements:
                    connection.execute(statement, values)
        except (sqlite3.Error, _Unusable, InvalidArgument) as error:
            raise self._not_now(error) from None
        self._rows.difference_update(rows)

    def close(self) -> None:
        _close(self._connection)

    def _not_now(self, why: Exception) -> _NotNow:
        return _NotNow(
            "The state file %s can't be written (%s): events go on, and what was told already will be known again as "
            "soon as it can. Look at the space, the permissions and the health of its disk" % (self.path, why)
        )

    def _write(self, connection: sqlite3.Connection, place: Place, public_key: str) -> None:
        _host, netns, interface = place
        where = (netns or "", interface)
        entry = self.state.get(place)
        if entry is None:
            connection.execute("DELETE FROM facts WHERE netns = ? AND interface = ?", where)
            return
        facts = entry["interface"] if public_key == INTERFACE_ROW else entry["peers"].get(public_key)
        if facts is None:
            statement, values = "DELETE FROM facts WHERE netns = ? AND interface = ? AND public_key = ?", where
            connection.execute(statement, (*values, public_key))
        else:
            text = json.dumps(facts, sort_keys=True)
            connection.execute("REPLACE INTO facts VALUES (?, ?, ?, ?)", (*where, public_key, text))

    def _open(self, take: Callable[[List[Row]], None]) -> sqlite3.Connection:
        """Opens the file for writing and hands what is in it to ``take``. InvalidArgument, _NotNow, _Unusable."""
        connection: Optional[sqlite3.Connection] = None
        try:
            connection = sqlite3.connect(self.path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
            # One watcher to a file; the lock goes with the process, however it ends.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            is_new = self._is_new(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            # In WAL mode this loses at most the last commits at a power failure, never the file; a SIGKILL loses nothing.
            connection.execute("PRAGMA synchronous = NORMAL")
            rows = self._rows_of(connection, is_new)
            if take == self._load:
                self._load_untold(connection.execute(_SELECT_TELLING).fetchall())
            take(rows)
            return connection
        except sqlite3.OperationalError as error:
            _close(connection)
            if self._may_pass(error):
                raise self._not_now(error) from None
            why = "another process uses it" if "locked" in str(error) else str(error)
            raise InvalidArgument(
                "state_file is %s, which can't be opened for writing: %s. Give each source a file of its own, in a directory "
                "it may write to" % (self.path, why)
            ) from None
        except sqlite3.DatabaseError as error:
            _close(connection)
            raise _Unusable("is damaged (%s)" % error) from None
        except (ValueError, KeyError, TypeError):
            _close(connection)
            raise _Unusable("is damaged (a row is not what it should be)") from None
        except BaseException:
            _close(connection)
            raise

    def _may_pass(self, error: sqlite3.OperationalError) -> bool:
        """Whether it is the disk, and not the place or its permissions."""
        read_only = os.statvfs(os.path.dirname(self.path)).f_flag & os.ST_RDONLY
        return bool(read_only) or "full" in str(error) or "I/O" in str(error)

    def _read_copy(self) -> None:
        """Reads the file where it can't be opened for writing: a copy, since SQLite writes even to read a log that is left.

        InvalidArgument where that fails.
        """
        with tempfile.TemporaryDirectory(prefix="wirewatch-") as folder:
            copy = os.path.join(folder, "copy")
            try:
                for suffix in ("", "-wal"):
                    if os.path.exists(self.path + suffix):
                        shutil.copyfile(self.path + suffix, copy + suffix)
                connection = sqlite3.connect(copy, isolation_level=None)
                try:
                    if not self._is_new(connection):
                        self._load_untold(connection.execute(_SELECT_TELLING).fetchall())
                        self._load(connection.execute(_SELECT).fetchall())
                finally:
                    connection.close()
            except (OSError, sqlite3.Error, _Unusable, ValueError, KeyError, TypeError) as error:
                raise InvalidArgument(
                    "state_file is %s, which can be neither written nor read: %s" % (self.path, error)
                ) from None

    def _complete(self, rows: List[Row]) -> None:
        """Of a file that came back: it must hold what it held, since only what was noted since is written."""
        known = {(place, key) for place, entry in self.state.items() for key in (INTERFACE_ROW, *entry["peers"])}
        for netns, interface, public_key, _facts in rows:
            known.discard(((self._host, netns or None, interface), public_key))
        self._rows |= known

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        """Whether nothing was ever written to it. InvalidArgument where another program did."""
        owner, version = (
            connection.execute("PRAGMA %s" % name).fetchone()[0] for name in ("application_id", "user_version")
        )
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if not tables and not owner and not version:
            return True
        if owner != APPLICATION_ID:
            raise self._not_ours()
        if version != SCHEMA_VERSION or set(tables) != _TABLES:
            raise _Unusable("is of another version of this collection")
        return False

    def _rows_of(self, connection: sqlite3.Connection, is_new: bool) -> List[Row]:
        connection.execute("BEGIN IMMEDIATE")
        if is_new:
            for statement in _CREATE:
                connection.execute(statement)
            connection.execute("PRAGMA application_id = %d" % APPLICATION_ID)
            connection.execute("PRAGMA user_version = %d" % SCHEMA_VERSION)
        connection.execute("COMMIT")
        return connection.execute(_SELECT).fetchall()

    def _refuse_other_files(self) -> None:
        """InvalidArgument where the path leads to what never was a state file: a slip must not cost anybody a file.

        One that begins with zeros is taken for ours: a power failure leaves such.
        """
        try:
            with open(self.path, "rb") as file:
                head = file.read(len(MAGIC))
        except FileNotFoundError:
            return
        except OSError as error:
            raise InvalidArgument("state_file is %s, which can't be read: %s" % (self.path, error.strerror)) from None
        if head.strip(b"\0") and not MAGIC.startswith(head):
            raise self._not_ours()

    def _not_ours(self) -> InvalidArgument:
        return InvalidArgument(
            "state_file is %s, and that is no state file of this source; it was left as it is. Name a file that is not there "
            "yet" % self.path
        )

    def _load(self, rows: List[Row]) -> None:
        state: Dict[Place, Record] = {}
        for netns, interface, public_key, text in rows:
            place = (self._host, netns or None, interface)
            entry = state.setdefault(place, {"interface": {}, "peers": {}})
            facts = json.loads(text)
            if public_key == INTERFACE_ROW:
                entry["interface"] = dict(facts)
            else:
                entry["peers"][public_key] = {fact: facts[fact] for fact in PEER_FACTS}
        for entry in state.values():
            device_from_record(dict(entry["interface"], peers=list(entry["peers"].values())))
        self.state = state

    def _load_untold(self, rows: List[Tuple[str]]) -> None:
        stored = [json.loads(text) for (text,) in rows]
        metas = [one["meta"] if "wireguard" in one else None for one in stored]
        events = [one.get("wireguard", one) for one in stored]
        mirror: Dict[Place, Record] = {}
        for event in events:
            apply(mirror, event)  # which shows whether it is one
        self.untold, self.untold_metas = events, metas
        self._announced = [event["sequence"] for event in events]

    def _put_aside(self, why: str) -> None:
        aside = self.path + ".damaged"
        try:
            os.replace(self.path, aside)
            for suffix in ("-wal", "-shm"):
                if os.path.exists(self.path + suffix):
                    os.replace(self.path + suffix, aside + suffix)
        except OSError as error:
            raise InvalidArgument(
                "state_file is %s, which %s and can't be put aside: %s" % (self.path, why, error.strerror)
            ) from None
        self.complaint = (
            "The state file %s %s. It was kept as %s and a new one begun, so everything found now comes as initial"
            % (self.path, why, aside)
        )


class _Unusable(WireGuardError):
    """The file is there, and not one to go on with."""


def _close(connection: Optional[sqlite3.Connection]) -> None:
    if connection is not None:
        connection.close()

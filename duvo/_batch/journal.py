"""The journal of a batch: the state of each input, in a file that outlives the process.

Each input has a row, which is written before anything is sent for the input, with
the idempotency key of every attempt to start its run. So even after a kill, the
file shows which starts were certainly not sent (`new`), which may have been sent
(`sending`), which runs were started (`started`), and which have a result
(`finished`). A row that is started again is `new`, with another key. Only the
names of inputs are stored, not the inputs.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
import uuid
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path

from .._errors import JournalError
from .._forks import renew_in_child
from . import fingerprints
from .entry import Changes, Row, stored_status
from .journal_file import DAMAGED, is_damage, open_file, open_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

_COLUMNS = (
    "id, name, occurrence, state, idempotency_key, run_id, sent_at, result, delivered, message"
)
_READ_AT_ONCE = 1000


class Journal:
    """The inputs of a batch and their states. Threads may share it.

    Each journal object is one pass over all inputs: the n-th input with a name in
    the pass has the n-th row with this name.

    Args:
        path: the file, created if missing; None for a journal that ends with
            the process.
        server: the API's origin.
        named_by: the rule by which inputs are named (`Inputs.named_by`).
    """

    def __init__(
        self,
        path: str | Path | None,
        server: str,
        team_id: str,
        agent_id: str,
        named_by: str = fingerprints.BY_CONTENT,
    ):
        owner = (server, team_id, agent_id)
        # Without a home directory, `~` stays as it is.
        self._file = None if path is None else Path(os.path.expanduser(path)).absolute()  # noqa: PTH111
        self._open = partial(_open, self._file, owner, named_by)
        self._use(self._open())
        self._pass: int | None = None
        self._lock = threading.RLock()
        self._is_of_parent = False
        renew_in_child(self._renew)

    def _use(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._is_closed = False

    def _renew(self) -> None:
        """Leave the file to the parent process: a forked process must not even close it."""
        import ctypes

        self._lock = threading.RLock()
        self._is_of_parent = True
        # SQLite would write into the file when the connection is collected.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))

    def read_mark(self) -> Any:
        """Return the value stored by `set_mark`, or None."""
        with self._connected():
            text = self._execute("SELECT mark FROM batch").fetchone()[0]
        return None if text is None else json.loads(text)

    def set_mark(self, value: Any) -> None:
        """Store a small JSON value with the batch, unless it has one already."""
        with self._transaction():
            self._execute("UPDATE batch SET mark = coalesce(mark, ?)", (json.dumps(value),))

    def take(self, names: Sequence[str]) -> list[Row]:
        """Return the rows of the next inputs, in order; missing rows are added."""
        with self._transaction():
            if self._pass is None:
                self._execute("UPDATE batch SET passes = passes + 1")
            this_pass = self._execute("SELECT passes FROM batch").fetchone()[0]
            rows = [self._take(name, this_pass) for name in names]
        self._pass = this_pass
        return rows

    def _take(self, name: str, this_pass: int) -> Row:
        first = self._execute(
            f"SELECT pass, met, {_COLUMNS} FROM inputs WHERE name = ? AND occurrence = 0", (name,)
        ).fetchone()
        if first is None:
            return self._add(name, 0, this_pass)
        last_pass, met, *values = first
        if last_pass != this_pass:
            self._execute(
                "UPDATE inputs SET pass = ?, met = 1 WHERE id = ?", (this_pass, values[0])
            )
            return Row(*values)
        if fingerprints.is_key(name):
            return Row(*values, repeated=True)
        self._execute("UPDATE inputs SET met = met + 1 WHERE id = ?", (values[0],))
        same = self._execute(
            f"SELECT {_COLUMNS} FROM inputs WHERE name = ? AND occurrence = ?", (name, met)
        ).fetchone()
        return self._add(name, met, this_pass) if same is None else Row(*same)

    def _add(self, name: str, occurrence: int, this_pass: int) -> Row:
        key = str(uuid.uuid4())
        made = self._execute(
            "INSERT INTO inputs (name, occurrence, pass, met, state, idempotency_key, delivered)"
            " VALUES (?, ?, ?, 1, 'new', ?, 0)",
            (name, occurrence, this_pass, key),
        )
        assert made.lastrowid is not None
        return Row(made.lastrowid, name, occurrence, "new", key)

    def sending(self, rows: Sequence[Row], messages: Sequence[str | None] = ()) -> None:
        """Record that the starts of these rows are about to be sent, for the first time or again.

        `messages` are the fingerprints of their start messages.

        The record is on disk when this returns, safe even from a power cut.
        """
        now = time.time()
        self._change(
            "UPDATE inputs SET state = 'sending', sent_at = coalesce(sent_at, ?), message = ?"
            " WHERE id = ? AND state IN ('new', 'sending')",
            [(now, message, row.id) for row, message in zip_longest(rows, messages)],
            durable=True,
        )

    def given_up(self, rows: Sequence[Row]) -> None:
        """Record that the starts certainly made no runs: the rows are `new` again."""
        self._change(
            "UPDATE inputs SET state = 'new', sent_at = NULL, message = NULL"
            " WHERE id = ? AND state = 'sending'",
            [(row.id,) for row in rows],
        )

    def started(self, runs: Sequence[tuple[Row, str]]) -> None:
        """Record the runs of these rows."""
        self._change(
            "UPDATE inputs SET state = 'started', run_id = ? WHERE id = ? AND state = 'sending'",
            [(run_id, row.id) for row, run_id in runs],
        )

    def finished(self, results: Sequence[tuple[Row, str]]) -> None:
        """Record the results of these rows."""
        self._change(
            "UPDATE inputs SET state = 'finished', result = ? WHERE id = ? AND state = 'started'",
            [(result, row.id) for row, result in results],
        )

    def delivered(self, rows: Sequence[Row]) -> None:
        """Record that the results of these rows were returned to the user."""
        self._change(
            "UPDATE inputs SET delivered = 1 WHERE id = ? AND state = 'finished'",
            [(row.id,) for row in rows],
        )

    def retry_failed(self, rows: Sequence[Row]) -> list[Row]:
        """Make the rows `new` whose runs failed or were stopped; return all rows as they are now.

        The runs are remembered: a search for the next run of a row does not find them.
        """
        again = {row.id: _for_retry(row) for row in rows if _is_failure(row.result)}
        with self._transaction():
            self._connection.executemany(
                "INSERT INTO earlier_runs SELECT run_id, id FROM inputs"
                " WHERE id = ? AND state = 'finished'",
                [(row_id,) for row_id in again],
            )
            self._connection.executemany(
                "UPDATE inputs SET state = 'new', idempotency_key = ?, sent_at = NULL,"
                " run_id = NULL, result = NULL, delivered = 0, message = NULL"
                " WHERE id = ? AND state = 'finished'",
                [(row.idempotency_key, row.id) for row in again.values()],
            )
        return [row if row.repeated else again.get(row.id, row) for row in rows]

    def has_run(self, run_id: str) -> bool:
        """Whether a row has this run, or had it before it was started again."""
        with self._connected():
            found = self._execute(
                "SELECT 1 FROM inputs WHERE run_id = ?"
                " UNION ALL SELECT 1 FROM earlier_runs WHERE run_id = ?",
                (run_id, run_id),
            ).fetchone()
        return found is not None

    def compare(self, inputs: Iterable[tuple[str, str | None]]) -> Changes:
        """Compare all inputs with the journal, which is not changed and may be closed.

        Inputs are given by their names and the fingerprints of their messages.
        """
        all_inputs = iter(inputs)
        with self._open_again(), self._connected():
            self._execute("DROP TABLE IF EXISTS temp.met")
            self._execute(
                "CREATE TEMP TABLE met (name TEXT PRIMARY KEY, times, message) WITHOUT ROWID"
            )
            while some := list(islice(all_inputs, _READ_AT_ONCE)):
                self._execute("BEGIN")
                self._connection.executemany(
                    "INSERT INTO met VALUES (?, 1, ?) ON CONFLICT (name) DO UPDATE SET times ="
                    " CASE WHEN substr(name, 1, 2) = 'k:' THEN 1 ELSE times + 1 END",
                    some,
                )
                self._execute("COMMIT")
            counted = self._execute(
                "SELECT count(id), sum(state = 'finished'), sum(inputs.message <> met.message),"
                " sum(is_failure(result)),"
                " (SELECT sum(times) FROM met), (SELECT count(*) FROM inputs)"
                " FROM met JOIN inputs ON inputs.name = met.name AND occurrence < times"
            )
            counts = (count or 0 for count in counted.fetchone())
            known, finished, changed, failed, total, rows = counts
            self._execute("DROP TABLE temp.met")
        return Changes(
            known=known,
            new=total - known,
            gone=rows - known,
            finished=finished,
            changed=changed,
            failed=failed,
        )

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Begin a pass of `look_up`, which ends with the block. The journal may be closed."""
        with self._open_again():
            with self._connected():
                self._execute("CREATE TEMP TABLE seen (name TEXT PRIMARY KEY, times) WITHOUT ROWID")
            yield
            with self._connected():
                self._execute("DROP TABLE temp.seen")

    @contextlib.contextmanager
    def _open_again(self) -> Iterator[None]:
        """Open the journal for the block if it is closed."""
        with self._lock:
            was_closed = self._is_closed
            if was_closed:
                if self._file is None:
                    raise JournalError(
                        "the batch has ended, and had no journal; give a journal to `map` to "
                        "compare inputs later"
                    )
                if not self._file.exists():
                    raise JournalError(f"{self} is gone")
                self._use(self._open())
            try:
                yield
            finally:
                if was_closed:
                    self.close()

    def look_up(self, names: Sequence[str]) -> list[Row | None]:
        """Return the rows of the next inputs, in order, or None; no row is added or changed."""
        with self._transaction():
            return [self._look_up(name) for name in names]

    def _look_up(self, name: str) -> Row | None:
        occurrence = 0
        if not fingerprints.is_key(name):
            self._execute(
                "INSERT INTO seen VALUES (?, 0) ON CONFLICT (name) DO UPDATE SET times = times + 1",
                (name,),
            )
            counted = self._execute("SELECT times FROM seen WHERE name = ?", (name,))
            (occurrence,) = counted.fetchone()
        found = self._execute(
            f"SELECT {_COLUMNS} FROM inputs WHERE name = ? AND occurrence = ?", (name, occurrence)
        ).fetchone()
        return None if found is None else Row(*found)

    def close(self) -> None:
        """Release the file. It is consistent at any moment, even without this."""
        if not self._is_of_parent:
            with self._connected():
                self._connection.close()
                self._is_closed = True

    def _change(self, statement: str, values: list[Any], *, durable: bool = False) -> None:
        with self._transaction(durable=durable):
            changed = self._connection.executemany(statement, values).rowcount
            # Either all rows are in the right state, or none is changed.
            if values and changed != len(values):
                raise JournalError(f"{self} contradicts this change: {statement}")

    @contextlib.contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[None]:
        # A power cut must not lose a start: `sending` is on disk before anything is
        # sent, at the cost of an fsync per group (0.1 ms on a fast disk, 10 ms on a
        # slow one). Everything else can be recovered: a run by its key, a result by
        # its run. A kill loses nothing.
        with self._connected():
            if self._file is not None:
                self._execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._execute("BEGIN IMMEDIATE")
            try:
                yield
                self._execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        if self._is_of_parent:
            raise JournalError(f"{self} belongs to the process that began the batch")
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            if is_damage(error):
                raise JournalError(f"{self} {DAMAGED.format(error)}") from None
            raise JournalError(f"{self} cannot be used any more ({error})") from None

    def __str__(self) -> str:
        return "the journal" if self._file is None else f"the journal {self._file}"


def _open(file: Path | None, owner: tuple[str, str, str], named_by: str) -> sqlite3.Connection:
    connection = open_private(owner) if file is None else open_file(file, owner, named_by)
    connection.create_function("is_failure", 1, _is_failure, deterministic=True)
    return connection


def _is_failure(result: str | None) -> bool:
    return result is not None and stored_status(result) != "completed"


def _for_retry(row: Row) -> Row:
    return Row(row.id, row.name, row.occurrence, "new", str(uuid.uuid4()))

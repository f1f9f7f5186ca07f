"""Any sequence of changes to a journal, compared with a model of its rows."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import duvo
from duvo._batch import fingerprints
from duvo._batch.entry import Changes, Row
from duvo._batch.journal import Journal

pytestmark = pytest.mark.seeds

OWNER = {"server": "s", "team_id": "t", "agent_id": "a"}

CONTENTS = [fingerprints.fingerprint(value) for value in ("a", "b", {"n": 1})]
KEYS = [fingerprints.of_key(value) for value in ("k1", "k2")]
NAMES = st.lists(st.sampled_from(CONTENTS + KEYS), min_size=1, max_size=4)
CHANGES = ["sending", "given_up", "started", "finished", "delivered"]

# The states in which a change is allowed, and the state after it.
ALLOWED = {
    "sending": ({"new", "sending"}, "sending"),
    "given_up": ({"sending"}, "new"),
    "started": ({"sending"}, "started"),
    "finished": ({"started"}, "finished"),
    "delivered": ({"finished"}, "finished"),
}


def result(status: str) -> str:
    return json.dumps({"run": {"status": status}, "listed": True})


class Known:
    """What must be true of one row."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.state = "new"
        self.run_id: str | None = None
        self.result: str | None = None
        self.delivered = False


class Batches(RuleBasedStateMachine):
    """One journal file and its passes, each of which may be interrupted."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.numbers = itertools.count()
        self.known: dict[tuple[str, int], Known] = {}
        self.met: Counter[str] = Counter()
        self.rows: list[Row] = []

    @initialize()
    def begin(self) -> None:
        self.file = self.folder / "journal-0"
        self.journal = Journal(self.file, **OWNER)

    def begin_a_pass(self) -> None:
        self.met.clear()
        self.rows.clear()
        self.journal = Journal(self.file, **OWNER)

    @rule()
    def close_and_continue(self) -> None:
        self.journal.close()
        self.begin_a_pass()

    @rule()
    def kill_and_continue(self) -> None:
        # A killed process leaves its files as they are at that moment.
        copy = self.folder / f"journal-{next(self.numbers) + 1}"
        for end in ("", "-wal"):
            source = Path(f"{self.file}{end}")
            if source.exists():
                shutil.copyfile(source, f"{copy}{end}")
        self.journal.close()
        self.file = copy
        self.begin_a_pass()

    @rule(some=NAMES)
    def take(self, some: list[str]) -> None:
        for name, row in zip(some, self.journal.take(some), strict=True):
            repeated = fingerprints.is_key(name) and self.met[name] > 0
            occurrence = 0 if fingerprints.is_key(name) else self.met[name]
            self.met[name] += 1
            assert row.name == name
            assert (row.occurrence, row.repeated) == (occurrence, repeated)
            known = self.known.setdefault((name, occurrence), Known(row.idempotency_key))
            assert row.idempotency_key == known.key
            assert (row.state, row.run_id) == (known.state, known.run_id)
            assert (row.result, row.delivered) == (known.result, known.delivered)
            assert (row.sent_at is None) == (row.state == "new")
            self.rows.append(row)

    @precondition(lambda self: self.rows)
    @rule(change=st.sampled_from(CHANGES), data=st.data())
    def record(self, change: str, data: st.DataObject) -> None:
        rows = data.draw(
            st.lists(
                st.sampled_from(self.rows), min_size=1, max_size=3, unique_by=lambda row: row.id
            )
        )
        known = [self.known[row.name, row.occurrence] for row in rows]
        before, after = ALLOWED[change]
        words = [f"{change}-{next(self.numbers)}" for _ in rows]
        values: list[Any] = list(rows)
        if change == "finished":
            words = [result(data.draw(st.sampled_from(["completed", "failed"]))) for _ in rows]
        if change in ("started", "finished"):
            values = list(zip(rows, words, strict=True))
        if not all(one.state in before for one in known):
            with pytest.raises(duvo.JournalError):
                getattr(self.journal, change)(values)
            return
        getattr(self.journal, change)(values)
        for one, word in zip(known, words, strict=True):
            one.state = after
            one.run_id = word if change == "started" else one.run_id
            one.result = word if change == "finished" else one.result
            one.delivered = one.delivered or change == "delivered"

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def start_failed_runs_again(self, data: st.DataObject) -> None:
        names = [row.name for row in data.draw(st.lists(st.sampled_from(self.rows), max_size=3))]
        self.journal.close()
        self.begin_a_pass()
        for name in names:
            self.take([name])
        before = self.rows[:]
        self.rows = self.journal.retry_failed(before)
        for row, now in zip(before, self.rows, strict=True):
            known = self.known[row.name, row.occurrence]
            if row.result == result("failed") and not row.repeated:
                assert now.idempotency_key != row.idempotency_key
                assert row.run_id is not None and self.journal.has_run(row.run_id)
                self.known[row.name, row.occurrence] = Known(now.idempotency_key)
                assert (now.state, now.run_id, now.delivered) == ("new", None, False)
            else:
                assert now == row
                assert known.key == now.idempotency_key

    @precondition(lambda self: any(one.run_id for one in self.known.values()))
    @rule(data=st.data())
    def give_a_run_to_a_second_row(self, data: st.DataObject) -> None:
        run_id = data.draw(
            st.sampled_from([one.run_id for one in self.known.values() if one.run_id])
        )
        assert self.journal.has_run(run_id)
        (row,) = self.journal.take([fingerprints.fingerprint(next(self.numbers))])
        self.known[row.name, 0] = Known(row.idempotency_key)
        self.met[row.name] += 1
        self.journal.sending([row])
        self.known[row.name, 0].state = "sending"
        with pytest.raises(duvo.JournalError):
            self.journal.started([(row, run_id)])
        self.rows.append(row)

    @rule(some=NAMES)
    def compare(self, some: list[str]) -> None:
        given = {
            (name, 0 if fingerprints.is_key(name) else number)
            for name, times in Counter(some).items()
            for number in range(times)
        }
        there = set(self.known)
        known = [self.known[one].state for one in given & there]
        assert self.journal.compare((name, None) for name in some) == Changes(
            known=len(known),
            new=len(given - there),
            gone=len(there - given),
            finished=known.count("finished"),
            failed=[self.known[one].result for one in given & there].count(result("failed")),
        )

    @invariant()
    def rows_and_runs_and_keys_are_one_to_one(self) -> None:
        keys = [one.key for one in self.known.values()]
        assert len(set(keys)) == len(keys)

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)


Batches.TestCase.settings = settings(
    stateful_step_count=25,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestBatches = Batches.TestCase

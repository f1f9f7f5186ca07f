"""What a journal holds of a batch, and who may hold it."""

from __future__ import annotations

import gc
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import duvo
from duvo._batch import fingerprints
from duvo._batch.entry import Changes, Row
from duvo._batch.journal import Journal

OWNER = {"server": "http://127.0.0.1:9", "team_id": "team", "agent_id": "agent"}

COMPLETED = '{"run": {"status": "completed"}, "listed": true}'
FAILED = '{"run": {"run": {"status": "failed"}}, "listed": false}'
STOPPED = '{"run": {"status": "interrupted"}, "listed": true}'


def opened(path: Path | None, **owner: str) -> closing[Journal]:
    return closing(Journal(path, **{**OWNER, **owner}))


def contents(*values: Any) -> list[str]:
    return [fingerprints.fingerprint(value) for value in values]


def keys(*values: str) -> list[str]:
    return [fingerprints.of_key(value) for value in values]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of a journal."""
    return tmp_path / "invoices.duvo-journal"


@pytest.fixture(params=["file", "private"])
def journal(request: pytest.FixtureRequest, file: Path) -> Iterator[Journal]:
    """A journal of each kind."""
    with opened(file if request.param == "file" else None) as journal:
        yield journal


def finish(journal: Journal, row: Row, run_id: str) -> None:
    journal.sending([row])
    journal.started([(row, run_id)])
    journal.finished([(row, COMPLETED)])


def again(file: Path, inputs: list[str]) -> list[Row]:
    with opened(file) as journal:
        return journal.take(inputs)


# Names of inputs


def test_a_fingerprint_ignores_the_order_of_fields() -> None:
    assert fingerprints.fingerprint({"a": 1, "b": [2]}) == fingerprints.fingerprint(
        {"b": [2], "a": 1}
    )


def test_different_json_values_have_different_fingerprints() -> None:
    values: list[Any] = [1, 1.0, True, "1", None, "", [], {}, [1], {"1": 1}, "é", "\ud800"]
    assert len({fingerprints.fingerprint(value) for value in values}) == len(values)


def test_a_key_never_has_the_name_of_a_content() -> None:
    name = fingerprints.fingerprint("x")
    assert fingerprints.of_key(name) != name
    assert fingerprints.is_key(fingerprints.of_key("c:x")) and not fingerprints.is_key(name)


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        {1, 2},
        b"x",
        object(),
        {"a": 1, 2: 3},
        endless(),
        "x" and {(1,): 2},
    ],
    ids=["nan", "inf", "set", "bytes", "object", "mixed", "endless", "tuple"],
)
def test_an_input_that_is_not_json_is_refused_in_one_line(value: Any) -> None:
    with pytest.raises(duvo.ConfigError, match="an input is not JSON") as caught:
        fingerprints.fingerprint(value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


@pytest.mark.parametrize("key", [7, None, ["x"], "\udcff"])
def test_a_key_that_is_not_encodable_text_is_refused(key: object) -> None:
    with pytest.raises(duvo.ConfigError, match="the key of an input"):
        fingerprints.of_key(key)


# Rows


def test_a_path_may_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with opened(Path("~/journal")):
        assert (tmp_path / "journal").is_file()


def test_a_row_passes_through_its_states(journal: Journal) -> None:
    (row,) = journal.take(contents("a"))
    assert (row.state, row.run_id, row.result, row.delivered) == ("new", None, None, False)
    assert len(row.idempotency_key) == 36
    assert not journal.has_run("run-1")
    journal.sending([row])
    journal.started([(row, "run-1")])
    assert journal.has_run("run-1")
    journal.finished([(row, "the result")])
    journal.delivered([row])


def test_every_state_of_a_row_is_kept_for_the_next_pass(file: Path) -> None:
    inputs = contents(*"abcde")
    with opened(file) as journal:
        rows = journal.take(inputs)
        journal.sending(rows[1:])
        journal.started(list(zip(rows[2:], ["run-2", "run-3", "run-4"], strict=True)))
        journal.finished(list(zip(rows[3:], ["result-3", "result-4"], strict=True)))
        journal.delivered(rows[4:])
    later = again(file, inputs)
    assert [row.state for row in later] == ["new", "sending", "started", "finished", "finished"]
    assert [row.run_id for row in later] == [None, None, "run-2", "run-3", "run-4"]
    assert [row.result for row in later] == [None, None, None, "result-3", "result-4"]
    assert [row.delivered for row in later] == [False, False, False, False, True]
    assert [row.sent_at is not None for row in later] == [False, True, True, True, True]
    assert [row.idempotency_key for row in later] == [row.idempotency_key for row in rows]


def test_equal_contents_are_separate_rows_also_when_inputs_are_added(
    file: Path,
) -> None:
    with opened(file) as journal:
        first = [journal.take([one])[0] for one in contents("a", "b", "a", "a")]
        assert [row.occurrence for row in first] == [0, 0, 1, 2]
        assert len({row.id for row in first}) == 4
        for row in first:
            finish(journal, row, f"run-{row.id}")
    second = again(file, contents("a", "a", "new", "a", "b", "a", "b"))
    assert [row.occurrence for row in second] == [0, 1, 0, 2, 0, 3, 1]
    assert [row.state for row in second] == [
        *("finished", "finished", "new", "finished", "finished"),
        *("new", "new"),
    ]


def test_inputs_with_the_same_key_are_one_row(file: Path) -> None:
    with opened(file) as journal:
        rows = journal.take(keys("INV-1", "INV-2", "INV-1"))
        assert [row.repeated for row in rows] == [False, False, True]
        assert rows[2].id == rows[0].id
        journal.sending([rows[0]])
        (once_more,) = journal.take(keys("INV-1"))
        assert once_more.repeated and once_more.state == "sending"
    assert [row.repeated for row in again(file, keys("INV-1", "INV-1"))] == [False, True]


def test_the_pass_after_an_interrupted_one_begins_at_the_first_input(file: Path) -> None:
    inputs = contents("a", "a", "a")
    with opened(file) as journal:
        rows = journal.take(inputs[:2])
    later = again(file, inputs)
    assert [row.occurrence for row in later] == [0, 1, 2]
    assert [row.id for row in later[:2]] == [row.id for row in rows]


def test_a_start_that_was_given_up_is_new_again_with_the_same_idempotency_key(file: Path) -> None:
    with opened(file) as journal:
        (row,) = journal.take(contents("a"))
        journal.sending([row])
        journal.given_up([row])
    (later,) = again(file, contents("a"))
    assert (later.state, later.sent_at) == ("new", None)
    assert later.idempotency_key == row.idempotency_key


def test_a_row_in_doubt_keeps_the_time_at_which_it_was_sent(file: Path) -> None:
    with opened(file) as journal:
        journal.sending(journal.take(contents("a")))
    with opened(file) as journal:
        (row,) = journal.take(contents("a"))
        journal.sending([row])
    assert again(file, contents("a"))[0].sent_at == row.sent_at is not None


def test_an_impossible_change_of_state_is_refused_and_changes_nothing(journal: Journal) -> None:
    new, sending = journal.take(contents("new", "sending"))
    journal.sending([sending])
    with pytest.raises(duvo.JournalError, match="contradicts"):
        journal.started([(sending, "run-1"), (new, "run-2")])
    assert not journal.has_run("run-1")
    with pytest.raises(duvo.JournalError, match="contradicts"):
        journal.finished([(sending, "result")])
    with pytest.raises(duvo.JournalError, match="contradicts"):
        journal.delivered([sending])
    journal.started([(sending, "run-1")])
    with pytest.raises(duvo.JournalError, match="contradicts"):
        journal.started([(sending, "run-2")])
    with pytest.raises(duvo.JournalError, match="contradicts"):
        journal.sending([sending])


def test_two_rows_never_share_a_run(journal: Journal) -> None:
    rows = journal.take(contents("a", "b"))
    journal.sending(rows)
    journal.started([(rows[0], "run-1")])
    with pytest.raises(duvo.JournalError, match="UNIQUE"):
        journal.started([(rows[1], "run-1")])


def test_empty_lists_of_rows_are_accepted(journal: Journal) -> None:
    assert journal.take([]) == []
    journal.sending([])
    journal.delivered([])


def test_only_the_first_mark_is_kept(file: Path) -> None:
    with opened(file) as journal:
        assert journal.read_mark() is None
        journal.set_mark({"ids": ["é"]})
    with opened(file) as journal:
        journal.set_mark({"ids": []})
        assert journal.read_mark() == {"ids": ["é"]}


def test_comparing_inputs_leaves_the_file_unchanged(file: Path) -> None:
    with opened(file) as journal:
        journal.take(contents("a", "a", "b", "gone") + keys("k1", "k2"))
    before = file.read_bytes()
    now = contents("a", "new", "a", "a", "b", "new") + keys("k1", "k1", "k3", "k3")
    with opened(file) as journal:
        found = journal.compare((name, None) for name in now)
        assert found == Changes(known=4, new=4, gone=2)
        assert journal.compare([]) == Changes(known=0, new=0, gone=6)
    assert file.read_bytes() == before


def test_inputs_that_were_sent_with_another_message_are_counted(file: Path) -> None:
    names = contents("a", "a", "b") + keys("k")
    with opened(file) as journal:
        rows = journal.take([*names, *contents("never sent")])
        journal.sending(rows[:4], ["1", "1", "2", "3"])
        journal.started([(rows[0], "run-0")])
        journal.finished([(rows[0], COMPLETED)])
        journal.given_up([rows[3]])
        now = zip(
            [*names, *contents("never sent")], ["1", "1", "changed", "changed", "x"], strict=True
        )
        assert journal.compare(now) == Changes(known=5, new=0, gone=0, finished=1, changed=1)
        now = zip(names[:2], ["changed", "changed"], strict=True)
        assert journal.compare(now) == Changes(known=2, new=0, gone=3, finished=1, changed=2)


# The rule

RULES = [fingerprints.BY_CONTENT, fingerprints.BY_FUNCTION, *map(fingerprints.by_field, "ab")]


def test_a_journal_is_continued_only_with_the_rule_that_named_its_inputs(file: Path) -> None:
    for given in RULES:
        with opened(file, named_by=given):
            pass
    with opened(file, named_by=RULES[2]) as journal:
        journal.take(keys("INV-1"))
    for given in RULES:
        if given != RULES[2]:
            why = r"identifies inputs by the field 'a', not by (their content|a function|the field)"
            with pytest.raises(duvo.JournalError, match=why):
                Journal(file, **OWNER, named_by=given)
    with opened(file, named_by=RULES[2]) as journal:
        assert journal.compare([(*keys("INV-1"), None)]) == Changes(known=1, new=0, gone=0)


VERSION_1 = """
    CREATE TABLE batch (server TEXT NOT NULL, team_id TEXT NOT NULL, agent_id TEXT NOT NULL,
        passes INTEGER NOT NULL, mark TEXT);
    CREATE TABLE inputs (id INTEGER PRIMARY KEY, name TEXT NOT NULL, occurrence INTEGER NOT NULL,
        pass INTEGER NOT NULL, met INTEGER NOT NULL, state TEXT NOT NULL,
        idempotency_key TEXT NOT NULL, sent_at REAL, run_id TEXT, result TEXT,
        delivered INTEGER NOT NULL);
    CREATE UNIQUE INDEX inputs_name ON inputs (name, occurrence);
    CREATE UNIQUE INDEX inputs_run ON inputs (run_id) WHERE run_id IS NOT NULL;
    INSERT INTO batch VALUES ('http://127.0.0.1:9', 'team', 'agent', 1, NULL);
    INSERT INTO inputs VALUES
        (1, 'NAME', 0, 1, 1, 'finished', 'key', 1.0, 'run-1', 'RESULT', 1);
    PRAGMA application_id = 1685419631;
    PRAGMA user_version = 1;
"""


@pytest.mark.parametrize("is_key", [True, False])
def test_a_journal_of_version_1_is_continued(file: Path, is_key: bool) -> None:
    (name,) = keys("a") if is_key else contents("a")
    with closing(sqlite3.connect(file)) as first:
        first.executescript(VERSION_1.replace("NAME", name).replace("RESULT", COMPLETED))
    mine, other = (RULES[2], RULES[0]) if is_key else (RULES[0], RULES[2])
    with pytest.raises(duvo.JournalError, match=r"identifies inputs by (keys|their content), not"):
        Journal(file, **OWNER, named_by=other)
    with opened(file, named_by=mine) as journal:
        assert journal.compare([(name, "m")]) == Changes(known=1, new=0, gone=0, finished=1)
        (row,) = journal.take([name])
        assert (row.run_id, row.delivered, row.message) == ("run-1", True, None)
        finish(journal, journal.take(contents("b"))[0], "run-2")
    with pytest.raises(duvo.JournalError, match="identifies inputs by"):
        Journal(file, **OWNER, named_by=RULES[1])


# Further attempts


def finished(file: Path, results: dict[str, str]) -> None:
    """Make a journal whose inputs have these results, all delivered."""
    with opened(file) as journal:
        rows = journal.take(contents(*results))
        journal.sending(rows, ["m"] * len(rows))
        journal.started([(row, f"run-{value}") for row, value in zip(rows, results, strict=True)])
        journal.finished(list(zip(rows, results.values(), strict=True)))
        journal.delivered(rows)


def test_retrying_makes_only_rows_of_failed_and_stopped_runs_new(file: Path) -> None:
    finished(file, {"a": COMPLETED, "b": FAILED, "c": STOPPED})
    names = contents("a", "b", "c", "d")
    with opened(file) as journal:
        counts = journal.compare((name, "m") for name in names)
        assert counts == Changes(known=3, new=1, gone=0, finished=3, failed=2)
        before = journal.take(names)
        now = journal.retry_failed(before)
        assert [now[0], now[3]] == [before[0], before[3]]
    assert now == again(file, names)
    for row, old in zip(now[1:3], before[1:3], strict=True):
        assert row == Row(old.id, old.name, 0, "new", row.idempotency_key)
        assert row.idempotency_key != old.idempotency_key


def test_a_journal_remembers_the_runs_of_earlier_attempts(file: Path) -> None:
    finished(file, {"a": FAILED})
    for attempt in range(2):
        with opened(file) as journal:
            (row,) = journal.retry_failed(journal.take(contents("a")))
            journal.sending([row])
            journal.started([(row, f"attempt-{attempt}")])
            journal.finished([(row, FAILED)])
    with opened(file) as journal:
        known = [f"run-{value}" for value in "ab"] + [f"attempt-{n}" for n in range(2)]
        assert [journal.has_run(run_id) for run_id in known] == [True, False, True, True]


def test_a_key_that_occurs_twice_is_retried_once(file: Path) -> None:
    with opened(file) as journal:
        (row,) = journal.take(keys("a"))
        journal.sending([row])
        journal.started([(row, "run-1")])
        journal.finished([(row, FAILED)])
    with opened(file) as journal:
        first, second = journal.retry_failed(journal.take(keys("a", "a")))
        assert (first.state, first.repeated, second.repeated) == ("new", False, True)


# The file


def test_a_journal_is_private_and_contains_no_input(file: Path) -> None:
    with opened(file) as journal:
        (row,) = journal.take(contents("a very secret invoice"))
        finish(journal, row, "run-1")
        beside = list(file.parent.glob(file.name + "*"))
        assert len(beside) == 2
        for one in beside:
            assert stat.S_IMODE(one.stat().st_mode) == 0o600
            assert b"secret" not in one.read_bytes()
    assert list(file.parent.glob(file.name + "*")) == [file]


def test_a_journal_that_others_can_read_is_made_private(file: Path) -> None:
    with opened(file):
        pass
    file.chmod(0o644)
    with opened(file) as journal:
        journal.take(contents("a"))
        for one in file.parent.glob(file.name + "*"):
            assert stat.S_IMODE(one.stat().st_mode) == 0o600


def test_a_journal_file_can_be_opened_only_once_at_a_time(file: Path) -> None:
    with opened(file) as journal:
        (row,) = journal.take(contents("a"))
        with pytest.raises(duvo.JournalError, match="in use") as caught:
            Journal(file, **OWNER)
        assert str(file) in str(caught.value) and "\n" not in str(caught.value)
        journal.sending([row])
    assert again(file, contents("a"))[0].state == "sending"


@pytest.mark.parametrize("what", list(OWNER))
def test_the_journal_of_another_batch_is_refused(file: Path, what: str) -> None:
    with opened(file):
        pass
    with pytest.raises(duvo.JournalError, match=f"belongs to .*{OWNER[what]}, not to other"):
        Journal(file, **{**OWNER, what: "other"})
    with opened(file):
        pass


def test_files_that_are_not_journals_are_refused_and_unchanged(file: Path) -> None:
    file.write_text("number,supplier\n" * 100)
    with pytest.raises(duvo.JournalError, match="is not a journal"):
        Journal(file, **OWNER)
    assert file.read_text() == "number,supplier\n" * 100
    file.unlink()
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE invoices (number)")
    file.chmod(0o644)
    before = file.read_bytes()
    with pytest.raises(duvo.JournalError, match="not a journal"):
        Journal(file, **OWNER)
    assert file.read_bytes() == before
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


@pytest.mark.parametrize("size", [200, 5000])
def test_a_damaged_journal_is_refused_unchanged_with_what_to_do(file: Path, size: int) -> None:
    with opened(file) as journal:
        journal.take(contents("a"))
    part = file.read_bytes()[:size]
    file.write_bytes(part)
    with pytest.raises(duvo.JournalError, match=r"is damaged \(.*move it away, after which all"):
        Journal(file, **OWNER).take(contents("a"))
    assert file.read_bytes() == part


def test_a_journal_of_a_newer_version_is_refused(file: Path) -> None:
    with opened(file):
        pass
    with closing(sqlite3.connect(file)) as newer:
        newer.execute("PRAGMA user_version = 4")
    with pytest.raises(duvo.JournalError, match="newer version"):
        Journal(file, **OWNER)


def test_an_empty_file_becomes_a_journal(file: Path) -> None:
    file.touch()
    assert again(file, contents("a"))[0].state == "new"


@pytest.mark.parametrize("in_cycle", [False, True])
def test_a_dropped_journal_releases_its_file_without_a_warning(file: Path, in_cycle: bool) -> None:
    # A ResourceWarning, which Python gives since 3.13, would fail the test.
    journal = Journal(file, **OWNER)
    if in_cycle:
        journal.itself = journal  # type: ignore[attr-defined]
    del journal
    gc.collect()
    with opened(file):
        pass


def test_an_impossible_path_of_a_journal_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(duvo.JournalError, match=r"the directory .*/missing does not exist"):
        Journal(tmp_path / "missing" / "journal", **OWNER)
    with pytest.raises(duvo.JournalError, match="is a directory"):
        Journal(tmp_path, **OWNER)
    with pytest.raises(duvo.JournalError, match="null"):
        Journal("a\0b", **OWNER)


def test_a_name_that_means_memory_to_sqlite_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "file:x?mode=memory"):
        with closing(Journal(name, **OWNER)):
            pass
        assert (tmp_path / name).is_file()


@pytest.fixture
def nobody() -> Iterator[None]:
    """Run without root's rights, which file modes do not limit."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_journal_that_cannot_be_written_is_refused(nobody: None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "journal"
        with opened(file):
            pass
        file.chmod(0o400)
        with pytest.raises(duvo.JournalError, match="cannot be written"):
            Journal(file, **OWNER)
        file.chmod(0o600)
        Path(folder).chmod(0o500)
        for name in ("journal", "another"):
            with pytest.raises(duvo.JournalError, match="cannot be written"):
                Journal(Path(folder) / name, **OWNER)
        Path(folder).chmod(0o700)


def test_a_full_disk_is_a_journal_error_and_loses_no_recorded_state(file: Path) -> None:
    with opened(file) as journal:
        rows = journal.take(contents("a", "b"))
        journal.sending(rows)
        journal.started([(rows[0], "run-1"), (rows[1], "run-2")])
        journal._connection.execute("PRAGMA max_page_count = 10")
        with pytest.raises(duvo.JournalError, match="full"):
            journal.finished([(rows[0], "x" * 100_000)])
        assert journal.has_run("run-1")
        journal.finished([(rows[1], "small")])
    assert [row.state for row in again(file, contents("a", "b"))] == ["started", "finished"]


def test_using_a_closed_journal_is_an_error(journal: Journal) -> None:
    journal.close()
    journal.close()
    with pytest.raises(duvo.JournalError, match="cannot be used any more"):
        journal.take(contents("a"))


HOLD = """
import sys
from duvo._batch.journal import Journal
import duvo
try:
    journal = Journal(sys.argv[1], server="http://127.0.0.1:9", team_id="team", agent_id="agent")
except duvo.JournalError as error:
    print("refused", error, flush=True)
else:
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_one_of_several_processes_holds_a_journal_until_it_is_killed(
    file: Path,
) -> None:
    processes = [holder(file) for _ in range(4)]
    try:
        said = [process.stdout.readline() for process in processes if process.stdout]
        assert sorted(line.split()[0] for line in said) == ["held", *["refused"] * 3]
        assert all(str(file) in line for line in said if line.startswith("refused"))
        with pytest.raises(duvo.JournalError, match="in use"):
            Journal(file, **OWNER)
        for process in processes:
            process.kill()
            process.wait()
        assert again(file, contents("a"))[0].state == "new"
    finally:
        for process in processes:
            process.kill()
            process.communicate()

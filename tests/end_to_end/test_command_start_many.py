"""`duvo runs start-many`: exactly one run for each row, even across kills."""

from __future__ import annotations

import collections
import csv
import json
import re
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import AGENT, FakeAPI, ReceivedRequest
from tests.support.command import DUVO, Command, wait_for
from tests.support.pseudo_terminal import PseudoTerminal

TEMPLATE = "Process {number} of {supplier}"


class Batch:
    """A CSV of invoices of a unique supplier, and the command for it."""

    def __init__(self, folder: Path, command: Command, rows: int):
        self.supplier = f"ACME {uuid.uuid4()}"
        self.file = folder / "invoices.csv"
        self.output = folder / "results.jsonl"
        self.journal = folder / "invoices.csv.duvo-journal"
        self.file.write_text("number,supplier\n")
        self.add(*(f"INV-{number}" for number in range(rows)))
        self.template = TEMPLATE
        self._command = command

    def add(self, *numbers: str) -> None:
        with self.file.open("a") as file:
            file.writelines(f"{number},{self.supplier}\n" for number in numbers)

    def words(self, *more: str, agent: str = "Invoice approver") -> list[str]:
        row = ["--message-template", self.template, "--input", str(self.file)]
        return ["runs", "start-many", "--agent", agent, *row, *more]

    def __call__(
        self, *more: str, agent: str = "Invoice approver"
    ) -> subprocess.CompletedProcess[str]:
        return self._command(*self.words(*more, agent=agent))

    def start(self, *more: str, agent: str = "Invoice approver") -> subprocess.Popen[str]:
        return self._command.start(*self.words(*more, agent=agent))

    def started(self, client: duvo.Client) -> dict[str, int]:
        """The number of runs of each row, by invoice number."""
        titles = [run.title or "" for run in client.runs.list(since="2026-01-01")]
        ours = [title for title in titles if self.supplier in title]
        return dict(collections.Counter(title.split()[1] for title in ours))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The directory of a batch's files."""
    folder = tmp_path / "batch"
    folder.mkdir()
    return folder


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def numbers_of(text: str) -> list[str]:
    return sorted(result["input"]["number"] for result in lines_of(text))


def test_each_row_gets_one_run_and_one_result(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 3)
    done = batch("--on-request", "approve", "--key", "number")
    assert done.returncode == 0, done.stderr
    lines = sorted(lines_of(done.stdout), key=lambda result: result["index"])
    names = ["index", "key", "input", "run", "answer", "failure"]
    assert [list(result) for result in lines] == [names] * 3
    assert {result["failure"] for result in lines} == {None}
    assert [result["key"] for result in lines] == ["INV-0", "INV-1", "INV-2"]
    assert [result["index"] for result in lines] == [0, 1, 2]
    assert lines[1]["input"] == {"number": "INV-1", "supplier": batch.supplier}
    assert {result["run"]["status"] for result in lines} == {"completed"}
    assert [result["answer"] for result in lines] == [f"INV-{row} is posted." for row in range(3)]
    first, last = done.stderr.splitlines()
    assert first == "completed  3"
    assert re.fullmatch(r"duvo: took [0-9.]+ m?s", last)
    run = dev_client.runs.get(lines[0]["run"]["id"])
    assert next(iter(run.messages())).content == f"Process INV-0 of {batch.supplier}"
    assert batch.started(dev_client) == {"INV-0": 1, "INV-1": 1, "INV-2": 1}
    assert batch.journal.exists()


def test_repeating_a_finished_batch_starts_and_writes_nothing(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 2)
    batch("--on-request", "approve")
    again = batch("--on-request", "approve")
    assert (again.stdout, again.returncode) == ("", 0)
    nothing = "nothing to start, 2 rows have a result already (another --journal starts again)"
    assert again.stderr.splitlines()[:-1] == [
        f"duvo: continuing from {batch.journal}: {nothing}",
        "completed  2",
    ]
    assert batch.started(dev_client) == {"INV-0": 1, "INV-1": 1}


@pytest.mark.long
def test_only_the_new_rows_of_a_changed_input_are_started(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 3)
    batch("--on-request", "approve")
    text = batch.file.read_text()
    batch.file.write_text(text.replace(f"INV-1,{batch.supplier}\n", ""))
    batch.add("INV-7", "INV-8")
    done = batch("--on-request", "approve")
    changes = "starting 2 rows that have no run yet; 1 row is gone"
    assert done.stderr.startswith(f"duvo: continuing from {batch.journal}: {changes}\n")
    assert numbers_of(done.stdout) == ["INV-7", "INV-8"]
    assert set(batch.started(dev_client).values()) == {1}
    assert len(batch.started(dev_client)) == 5


def test_another_template_key_or_agent_for_a_journal_is_reported_and_starts_no_row_again(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 2)
    batch("--on-request", "approve")
    batch.template = "{number}: {supplier}"
    changed = batch("--on-request", "approve")
    assert changed.returncode == 0
    assert "2 rows were started with another message, which is kept\n" in changed.stderr
    for more, agent, why in (
        (["--key", "number"], "Invoice approver", "by their content, not by the field 'number'"),
        ([], "Talker", "belongs to the agent"),
    ):
        refused = batch(*more, agent=agent)
        assert (refused.stdout, refused.returncode) == ("", 1)
        assert len(refused.stderr.splitlines()) == 1
        assert why in refused.stderr
    assert batch.started(dev_client) == {"INV-0": 1, "INV-1": 1}


@pytest.mark.long
def test_after_several_kills_each_row_has_one_run_and_one_result(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 24)
    options = ("--on-request", "approve", "--output", str(batch.output), "--concurrency", "4")
    for lines_before_the_kill in (3, 9, 15):
        process = batch.start(*options)
        wait_for(
            lambda: (
                batch.output.exists()
                and batch.output.read_bytes().count(b"\n") >= lines_before_the_kill  # noqa: B023
            )
        )
        process.kill()
        process.communicate()
    with batch.output.open("ab") as output:
        output.write(b'{"index": 7, "key": null, "inp')
    done = batch(*options)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
    assert done.stderr.startswith(f"duvo: continuing from {batch.journal}")
    wanted = sorted(f"INV-{number}" for number in range(24))
    assert numbers_of(batch.output.read_text()) == wanted
    assert batch.started(dev_client) == dict.fromkeys(wanted, 1)


def test_a_lost_results_file_is_written_again(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 2)
    options = ("--on-request", "approve", "--output", str(batch.output))
    batch(*options)
    batch.output.unlink()
    batch(*options)
    assert numbers_of(batch.output.read_text()) == ["INV-0", "INV-1"]
    assert batch.started(dev_client) == {"INV-0": 1, "INV-1": 1}


def rows_of(file: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a CSV of results."""
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter=delimiter))


@pytest.mark.long
def test_a_csv_of_results_has_the_order_columns_and_delimiter_of_the_input(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    file, output = folder / "rows.csv", folder / "results.csv"
    file.write_text("number;amount\nINV-1;12,50\nINV-2;\nINV-1;3\n")
    words = ["runs", "start-many", "--agent", "Talker", "--input", str(file), "--key", "number"]
    done = run_duvo(*words, "--output", str(output), "--message-template", "{number}")
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(rf"duvo: results are in '{output}'; took [0-9.]+ m?s", last)
    assert output.read_text().startswith("number;amount;status;answer;failure;run_id\n")
    rows = rows_of(output, ";")
    assert [(row["number"], row["amount"]) for row in rows] == [
        *(("INV-1", "12,50"), ("INV-2", ""), ("INV-1", "3"))
    ]
    assert {row["status"] for row in rows} == {"completed"}
    assert rows[0]["run_id"] == rows[2]["run_id"] != rows[1]["run_id"]
    assert dev_client.runs.get(rows[1]["run_id"]).status == "completed"
    output.unlink()
    assert run_duvo(*words, "--output", str(output), "--message-template", "{number}").stdout == ""
    assert rows_of(output, ";") == rows
    assert sorted(folder.iterdir()) == [output, file, folder / "rows.csv.duvo-journal"]
    before = output.read_bytes()
    other = run_duvo(*words, "--output", str(output), "--journal", str(folder / "other"))
    assert (other.returncode, "results of another batch" in other.stderr) == (1, True)
    assert output.read_bytes() == before
    assert not (folder / "other").exists()


def test_ctrl_c_writes_the_csv_of_results_with_a_status_for_unfinished_rows(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 3)
    output = folder / "results.csv"
    process = batch.start("--concurrency", "2", "--output", str(output))
    wait_for(lambda: len(waiting(batch, dev_client)) == 2)
    dev_client.runs.get(waiting(batch, dev_client)[0]).respond(approve=True)
    wait_for(lambda: len(batch.started(dev_client)) == 3 and len(waiting(batch, dev_client)) == 2)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert (out, process.returncode) == ("", 130)
    assert errors.splitlines()[-2:] == [
        f"duvo: the results so far are in '{output}'",
        f"duvo: detached; 2 runs continue; the same command picks up from {batch.journal}",
    ]
    rows = rows_of(output)
    assert [row["number"] for row in rows] == ["INV-0", "INV-1", "INV-2"]
    (done,) = [row for row in rows if row["status"] == "completed"]
    assert done["answer"] == f"{done['number']} is posted."
    for row in rows:
        if row is not done:
            assert row["status"] in ("waiting", "running")
            assert (row["answer"], row["failure"], row["run_id"]) == ("", "", "")
    assert batch("--on-request", "approve", "--output", str(output)).returncode == 0
    assert [row["status"] for row in rows_of(output)] == ["completed"] * 3
    assert batch.started(dev_client) == {"INV-0": 1, "INV-1": 1, "INV-2": 1}


def test_a_failure_writes_the_csv_of_results(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, folder: Path
) -> None:
    batch = Batch(folder, run_duvo_with_fake_api, 3)
    output = folder / "results.csv"

    def revoke_the_key(seen: ReceivedRequest) -> Any:
        if fake_api.runs and seen.method == "POST":
            return 401, {"error": "unauthorized"}
        return None

    fake_api.before = revoke_the_key
    done = batch("--output", str(output), agent=AGENT)
    assert done.returncode == 2, done.stderr
    assert f"duvo: the results so far are in '{output}'\n" in done.stderr
    assert f"the same command picks up from {batch.journal}" in done.stderr
    assert [row["number"] for row in rows_of(output)] == ["INV-0", "INV-1", "INV-2"]


@pytest.mark.parametrize("output", ["-", "/dev/stdout", "/dev/fd/1"])
def test_results_for_stdout_are_json_lines(output: str, run_duvo: Command, folder: Path) -> None:
    batch = Batch(folder, run_duvo, 1)
    done = batch("--on-request", "approve", "--output", output)
    assert numbers_of(done.stdout) == ["INV-0"]


@pytest.mark.long
def test_ctrl_c_detaches_and_says_how_to_continue(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 3)
    process = batch.start("--concurrency", "2")
    wait_for(lambda: len(waiting(batch, dev_client)) == 2)
    assert process.stderr is not None
    show = "`duvo runs inbox --agent 'Invoice approver'`"
    blocked = f"duvo: 2 runs wait for a human ({show}); 1 row waits for them\n"
    # A look may come between the first request and the second.
    waits = f"duvo: runs are waiting for a human; {show} shows their requests\n"
    said = process.stderr.readline()
    assert said == blocked or (said, process.stderr.readline()) == (waits, blocked)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert (out, process.returncode) == ("", 130)
    assert errors == (
        f"duvo: detached; 2 runs continue; the same command picks up from {batch.journal}\n"
    )
    assert len(waiting(batch, dev_client)) == 2
    done = batch("--on-request", "approve")
    assert numbers_of(done.stdout) == ["INV-0", "INV-1", "INV-2"]
    assert batch.started(dev_client) == {"INV-0": 1, "INV-1": 1, "INV-2": 1}


def waiting(batch: Batch, client: duvo.Client) -> list[str]:
    """The runs of the batch that wait for a human."""
    runs = client.runs.list(status="waiting")
    return [run.id for run in runs if batch.supplier in (run.title or "")]


@pytest.mark.long
def test_results_survive_a_closed_output_pipe(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 12)
    process = batch.start("--on-request", "approve", "--concurrency", "2")
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.readline()
    # Before the next result, the first was recorded as delivered.
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 141
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    rest = batch("--on-request", "approve").stdout
    assert numbers_of(first)[0] not in numbers_of(rest)
    assert len(numbers_of(rest)) >= 9
    assert set(batch.started(dev_client).values()) == {1}
    assert len(batch.started(dev_client)) == 12


@pytest.mark.long
def test_a_batch_ends_when_the_reader_of_its_results_has_gone(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 2)
    process = batch.start()
    wait_for(lambda: len(waiting(batch, dev_client)) == 2)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read().splitlines()[-1] == (
        "duvo: results could not be written to stdout; they are kept: 0 runs have ended, "
        f"2 runs continue; the same command picks up from {batch.journal}"
    )
    process.stderr.close()
    assert len(waiting(batch, dev_client)) == 2


@pytest.mark.long
def test_a_second_process_on_the_same_journal_is_refused(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 1)
    process = batch.start("--output", str(batch.output))
    wait_for(lambda: waiting(batch, dev_client))
    batch.output.write_bytes(b'{"index": 0, "torn')
    second = batch("--output", str(batch.output))
    assert (second.stdout, second.returncode) == ("", 1)
    assert len(second.stderr.splitlines()) == 1
    assert str(batch.journal) in second.stderr
    assert batch.output.read_bytes() == b'{"index": 0, "torn'
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert batch.started(dev_client) == {"INV-0": 1}


@pytest.mark.long
@pytest.mark.parametrize(
    ("agent", "options", "code", "outcome"),
    [
        ("Failing", [], 4, "failed"),
        ("Invoice approver", ["--on-request", "fail"], 6, "waiting"),
        ("Travel booker", ["--on-request", "approve"], 6, "waiting"),
        ("Travel booker", ["--answer", "City=Prague", "--answer", "Parts=train"], 0, "completed"),
        ("Invoice approver", ["--on-request", "deny"], 0, "completed"),
    ],
)
def test_the_exit_code_and_the_summary_reflect_the_outcome(
    agent: str, options: list[str], code: int, outcome: str, run_duvo: Command, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 2)
    done = batch(*options, "--key", "number", agent=agent)
    assert done.returncode == code, done.stderr
    assert f"{outcome}  2" in done.stderr.splitlines()
    assert bool(code) == ("INV-1" in done.stderr)
    for result in lines_of(done.stdout):
        assert bool(result["failure"]) == (outcome == "failed")


def test_a_row_refused_by_the_server_is_reported_and_the_others_finish(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, folder: Path
) -> None:
    batch = Batch(folder, run_duvo_with_fake_api, 3)

    def refuse_the_second(seen: ReceivedRequest) -> Any:
        if seen.method == "POST" and "INV-1 " in seen.json["message"]:
            return 422, {"error": "invalid", "message": "not this one"}
        return None

    def end_at_once(seen: ReceivedRequest) -> None:
        for run_id, run in fake_api.runs.items():
            if run["status"] == "pending":
                fake_api.end(run_id)

    fake_api.before, fake_api.after = refuse_the_second, end_at_once
    done = batch(agent=AGENT)
    assert done.returncode == 1
    assert numbers_of(done.stdout) == ["INV-0", "INV-2"]
    assert "not this one" in done.stderr
    assert {"completed  2", "not done   1"} <= set(done.stderr.splitlines())
    fake_api.before = lambda seen: None
    assert numbers_of(batch(agent=AGENT).stdout) == ["INV-1"]


@pytest.mark.long
def test_retry_failed_starts_again_only_rows_whose_runs_failed_or_were_stopped(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 2)
    options = ("--output", str(batch.output), "--on-request", "approve")
    process = batch.start("--output", str(batch.output))
    wait_for(lambda: len(waiting(batch, dev_client)) == 2)
    for run in dev_client.runs.list(status="waiting", search=batch.supplier):
        run.stop() if "INV-0" in (run.title or "") else run.refresh().respond(approve=True)
    process.communicate(timeout=30)
    assert process.returncode == 5
    hint = "1 row failed or was stopped (--retry-failed starts again)"
    assert hint in batch(*options).stderr
    again = batch(*options, "--retry-failed")
    assert f"{batch.journal}: starting again 1 row that failed or was stopped\n" in again.stderr
    assert (again.stdout, again.returncode) == ("", 0)
    ends = [
        (result["index"], result["run"]["status"]) for result in lines_of(batch.output.read_text())
    ]
    assert sorted(ends) == [(0, "completed"), (0, "stopped"), (1, "completed")]
    assert batch.started(dev_client) == {"INV-0": 2, "INV-1": 1}


def test_an_error_that_ends_a_batch_says_how_to_continue(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, folder: Path
) -> None:
    batch = Batch(folder, run_duvo_with_fake_api, 3)

    def revoke_the_key(seen: ReceivedRequest) -> Any:
        if fake_api.runs and seen.method == "POST":
            return 401, {"error": "unauthorized"}
        return None

    fake_api.before = revoke_the_key
    done = batch(agent=AGENT)
    assert (done.stdout, done.returncode) == ("", 2)
    assert f"the same command picks up from {batch.journal}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_stdin_can_be_json_lines_or_csv(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    words = ["runs", "start-many", "--agent", "Talker", "--input", "-", "--journal"]
    rows = '{"message": "one"}\n"two"\n\n{"n": 3}\n'
    as_json = run_duvo(*words, str(folder / "json"), input=rows)
    inputs = {result["index"]: result["input"] for result in lines_of(as_json.stdout)}
    assert inputs == {0: {"message": "one"}, 1: "two", 2: {"n": 3}}
    run_ids = {result["index"]: result["run"]["id"] for result in lines_of(as_json.stdout)}
    messages = [next(iter(dev_client.runs.run(run_ids[n]).messages())).content for n in range(3)]
    assert messages == ["one", "two", '{"n": 3}']
    as_csv = run_duvo(*words, str(folder / "csv"), input="message,n\nhello,1\n")
    assert [result["input"] for result in lines_of(as_csv.stdout)] == [
        {"message": "hello", "n": "1"}
    ]


def test_bad_rows_are_reported_with_their_lines_and_nothing_is_started(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, folder: Path
) -> None:
    file = folder / "rows.csv"
    file.write_bytes(b'number,supplier\n1,ACME\n2\n3,\xff\n"4,x\n')
    row = ["--input", str(file), "--message-template", TEMPLATE]
    done = run_duvo_with_fake_api("runs", "start-many", "--agent", AGENT, *row)
    assert (done.stdout, done.returncode) == ("", 1)
    assert [line.removeprefix(f"duvo: {file}, ") for line in done.stderr.splitlines()] == [
        "line 3: 1 cell, but the header has 2 columns",
        "line 4: not UTF-8 (byte 0xff); save the text as UTF-8",
        "line 5: the quote that opens here is never closed",
        f"duvo: 3 rows of {file} cannot be used; nothing was started",
    ]
    assert fake_api.requests == []
    assert list(folder.iterdir()) == [file]


def test_bad_rows_that_share_a_line_are_reported_with_their_numbers(
    run_duvo_unconfigured: Command, folder: Path
) -> None:
    file = folder / "rows.json"
    words = ["runs", "start-many", "--agent", "A", "--key", "n", "--dry-run", "--input", str(file)]
    file.write_text('[{"n": 1}, 2, {"n": 3}, 4]')
    assert run_duvo_unconfigured(*words).stderr.splitlines() == [
        f"duvo: {file}, rows 2 and 4: not an object, so there is no column 'n' for the key",
        f"duvo: 2 rows of {file} cannot be used; nothing was started",
    ]
    file.write_text('[\n{"n": 1}, {"n": }\n]')
    assert f"{file}, row 2: not JSON" in run_duvo_unconfigured(*words).stderr


def test_rows_that_are_bad_for_the_same_reason_share_a_line(
    run_duvo_unconfigured: Command, folder: Path
) -> None:
    batch = Batch(folder, run_duvo_unconfigured, 30)
    done = batch("--key", "invoice")
    *most, last = (str(line) for line in range(2, 22))
    assert done.stderr.splitlines() == [
        f"duvo: {batch.file}, lines {', '.join(most)} and {last}: no column 'invoice'; "
        "the row has 'number', 'supplier'",
        f"duvo: 30 rows of {batch.file} cannot be used (10 of them are not shown); "
        "nothing was started",
    ]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b\n1,2\n3\n", "", "line 3: 1 cell"),
        ("a,a\n1,2\n", "", "line 1: two columns are named 'a'"),
        ("", "", "line 1: the header with the column names is missing"),
        ("a\n1\n", "--message-template {b}", "line 2: no column 'b'; the row has 'a'"),
        ("a\n1\n", "--message-template {a.__class__}", "line 2: no column 'a.__class__'"),
        ("a\n1\n", "--message-template {a!r}", "line 2: no column 'a!r'"),
        ("a\n1\n", "--message-template {a", "--message-template: unmatched {"),
        ("a\n1\n", "--message-template {}", "--message-template: {} does not name a column"),
        ("a\n1\n", "--key b", "line 2: no column 'b'"),
        ("a,b\n1,x\n2,\0\n", "--message-template {b}", "NUL"),
        ("a,b;c\n1,2;3\n", "", "rows.csv: the columns may be separated by commas or semicolons"),
        ("a,b\n1,\n", "--key b", "line 2: the key column 'b' is empty"),
        ("message,b\n,1\n", "", "line 2: the message would be empty"),
        ("a\n1\n", "--executor nothing", "neither threads nor dask:ADDRESS"),
        ("a\n1\n", "--executor dask:", "neither threads nor dask:ADDRESS"),
        ("a\n1\n", "--delimiter ::", "'::' is not one character that can separate columns"),
        ('{"a": 1}\n', "--input rows.jsonl --delimiter ;", "a .jsonl file has no delimiter"),
        ("a\n1\n", "--concurrency 0", "'0' is not a whole number of 1 or more"),
        ("a\n1\n", "--on-request ask", "invalid choice"),
        ("a\n1\n", "--concurrency x", "'x' is not a whole number of 1 or more"),
        ("a\n1\n", "--output rows.csv", "is also the input or the journal"),
        ("a\n1\n", "--journal own.csv --output own.csv", "is also the input or the journal"),
        ("a\n1\n", "--output nowhere/out.csv", "cannot write"),
        ("a\n1\n", "--output nowhere/out.jsonl", "cannot write"),
        ("a\n1\n", "--output notes.txt", "ends in neither .csv nor .jsonl"),
        ("a\n1\n", "--output results", "ends in neither .csv nor .jsonl"),
        ("a\n1\n", "--output notes.csv", "is not a results file"),
        ("a\n1\n", "--output notes.jsonl", "is not a results file"),
        ("a\n1\n", "--journal notes.txt", "notes.txt"),
        ("a\n1\n", "--input none.csv", "cannot read 'none.csv'"),
        ("a\n1\n", "--input -", "--input - needs --journal"),
        ("a\n1\n", "--jq .answer --output q.csv", "--jq filters what is printed; leave out"),
    ],
)
def test_input_that_cannot_work_is_one_line_and_starts_nothing(
    text: str,
    options: str,
    message: str,
    fake_api: FakeAPI,
    run_duvo_with_fake_api: Command,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    Path("rows.csv").write_text(text)
    Path("rows.jsonl").write_text(text)
    for name in ("notes.txt", "notes.csv", "notes.jsonl"):
        Path(name).write_text("of mine")
    input = "" if "--input" in options else "--input rows.csv"
    words = f"runs start-many --agent {AGENT} {input} {options}"
    done = run_duvo_with_fake_api(*words.split())
    assert (done.stdout, done.returncode) == ("", 1)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert fake_api.count("POST", "/runs") == 0
    for name in ("notes.txt", "notes.csv", "notes.jsonl"):
        assert Path(name).read_text() == "of mine"


def test_an_input_without_rows_starts_nothing(
    run_duvo_with_fake_api: Command, folder: Path
) -> None:
    (folder / "rows.csv").write_text("number\n")
    (folder / "rows.jsonl").write_text("\n")
    for file in ("rows.csv", "rows.jsonl"):
        words = ["runs", "start-many", "--agent", AGENT, "--input", str(folder / file)]
        done = run_duvo_with_fake_api(*words)
        assert (done.stdout, done.returncode) == ("", 0)
        assert done.stderr == f"duvo: {folder / file} has no rows; nothing was started\n"


def test_rows_with_the_same_key_share_a_run(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 2)
    batch.add("INV-1")
    done = batch("--on-request", "approve", "--key", "number")
    assert "1 of 3 rows repeat the key of an earlier row, and share its run" in done.stderr
    assert numbers_of(done.stdout) == ["INV-0", "INV-1"]
    assert batch.started(dev_client) == {"INV-0": 1, "INV-1": 1}


def test_a_dry_run_shows_messages_without_settings_or_a_server(
    run_duvo_unconfigured: Command, folder: Path
) -> None:
    batch = Batch(folder, run_duvo_unconfigured, 9)
    done = batch("--dry-run")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"{number}: Process INV-{number} of {batch.supplier}" for number in range(5)
    ]
    assert done.stderr == "duvo: the first 5 of 9 messages; nothing was started\n"
    lines = lines_of(batch("--dry-run", "--json", "--key", "number").stdout)
    assert lines[1] == {
        "index": 1,
        "key": "INV-1",
        "input": {"number": "INV-1", "supplier": batch.supplier},
        "message": f"Process INV-1 of {batch.supplier}",
    }
    assert list(folder.iterdir()) == [batch.file]


def test_a_dry_run_shows_only_rows_that_get_a_run(
    run_duvo_unconfigured: Command, folder: Path
) -> None:
    batch = Batch(folder, run_duvo_unconfigured, 2)
    batch.add(*["INV-1"] * 5, "INV-2")
    done = batch("--dry-run", "--key", "number")
    assert done.stdout.splitlines() == [
        f"{index}: Process {number} of {batch.supplier}"
        for index, number in ((0, "INV-0"), (1, "INV-1"), (7, "INV-2"))
    ]


@pytest.mark.parametrize(("delimiter", "given"), [(";", ";"), ("#", "#"), ("\t", "tab")])
def test_a_delimiter_that_is_given_is_not_looked_for(
    delimiter: str, given: str, run_duvo_unconfigured: Command, folder: Path
) -> None:
    (folder / "rows.csv").write_text(
        "a,b;c#d\te\n1,2;3#4\t5\n".replace(delimiter, f"{delimiter}m,")
    )
    words = ["runs", "start-many", "--agent", "A", "--input", str(folder / "rows.csv"), "--dry-run"]
    done = run_duvo_unconfigured(*words, "--delimiter", given)
    assert done.stderr == "duvo: nothing was started\n"
    message = json.loads(done.stdout.removeprefix("0: "))
    assert len(message) == 2


@pytest.mark.parametrize(
    ("text", "given", "hinted"),
    [
        ("number~supplier\n1~ACME\n2~Bolt\n", (), True),
        ("number~supplier\n1~A, B\n2~C, D\n", (), True),
        ("number~supplier\n1~ACME\n2~Bolt\n", ("--delimiter", ";"), False),
        ("numero,supplier\n1,ACME\n2,Bolt\n", (), False),
        ("number\n1\n\xff\n", (), False),
        ("\xff\n1\n", (), False),
    ],
)
def test_the_option_delimiter_is_suggested_only_if_no_delimiter_was_recognized(
    text: str,
    given: tuple[str, ...],
    hinted: bool,
    run_duvo_unconfigured: Command,
    folder: Path,
) -> None:
    (folder / "rows.csv").write_text(text, encoding="latin-1")
    words = ["runs", "start-many", "--agent", "A", "--input", str(folder / "rows.csv"), "--dry-run"]
    done = run_duvo_unconfigured(*words, "--message-template", "{number}", *given)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("nothing was started") is not hinted
    assert ("--delimiter names it" in done.stderr) is hinted


@pytest.mark.parametrize(
    ("name", "text", "message", "said"),
    [
        ("a.csv", "number;amount\r\n1;12,50\r\n;\r\n", "1: 12,50", "CSV separated by semicolons"),
        ("a.txt", '[\n {"number": 1, "amount": 12.10}\n]\n', "1: 12.10", "a JSON array of rows"),
        ("a.json", '[{"number": 1, "amount": 0.10}]', "1: 0.10", ""),
        ("-", '"number","amount"\n"1","2"\n', "1: 2", "CSV separated by commas"),
    ],
)
def test_the_format_of_rows_is_recognised_and_reported(
    name: str, text: str, message: str, said: str, run_duvo_unconfigured: Command, folder: Path
) -> None:
    input = name if name == "-" else str(folder / name)
    if name != "-":
        Path(input).write_text(text)
    words = ["runs", "start-many", "--agent", "A", "--input", input, "--dry-run"]
    done = run_duvo_unconfigured(
        *words, "--message-template", "{number}: {amount}", input=text if name == "-" else ""
    )
    assert done.stdout == f"0: {message}\n"
    source = "stdin" if name == "-" else input
    lines = [f"duvo: reading {source} as {said}"] if said else []
    assert done.stderr.splitlines() == [*lines, "duvo: nothing was started"]


@pytest.mark.long
def test_numbers_are_in_messages_and_results_as_in_the_file(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    row = '{"amount": 12.10, "rate": 0.1234567890123456789}'
    file, output = folder / "rows.jsonl", folder / "results.jsonl"
    file.write_text(f"{row}\n")
    words = ["runs", "start-many", "--agent", "Talker", "--input", str(file)]
    printed = run_duvo(*words)
    run = dev_client.runs.run(json.loads(printed.stdout)["run"]["id"])
    assert next(iter(run.messages())).content == row
    run_duvo(*words, "--output", str(output))
    dry = run_duvo(*words, "--dry-run", "--json", PYTHONIOENCODING="ascii")
    for line in (printed.stdout, output.read_text(), dry.stdout):
        assert f'"input": {row}' in line


def test_a_number_that_python_does_not_have_is_found_before_anything_is_started(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command, folder: Path
) -> None:
    file = folder / "rows.jsonl"
    file.write_text('{"n": 1}\n{"n": 1e400}\n')
    done = run_duvo_with_fake_api("runs", "start-many", "--agent", AGENT, "--input", str(file))
    assert (done.stdout, done.returncode) == ("", 1)
    why = "line 2: not JSON: the number 1e400 is too large; nothing was started"
    assert done.stderr == f"duvo: {file}, {why}\n"
    assert fake_api.requests == []


def test_a_cell_is_never_evaluated(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    attack = "{supplier} {number.__class__} {{}} %s $HOME `id`"
    file = folder / "rows.jsonl"
    file.write_text(json.dumps({"number": attack, "supplier": "secret"}))
    row = ["--input", str(file), "--message-template", "<{number}>"]
    done = run_duvo("runs", "start-many", "--agent", "Talker", *row)
    (result,) = lines_of(done.stdout)
    run = dev_client.runs.run(result["run"]["id"])
    assert next(iter(run.messages())).content == f"<{attack}>"


@pytest.mark.long
def test_a_terminal_shows_a_progress_bar(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 4)
    words = [DUVO, *batch.words("--output", str(batch.output), "--concurrency", "3")]
    with PseudoTerminal(words, {**run_duvo.environment, "NO_COLOR": "1"}, columns=120) as tty:
        tty.expect(r"\[\.{20}\] 0/4 · 3 runs wait for a human; 1 row waits for them · 0:")
        dev_client.runs.get(waiting(batch, dev_client)[0]).respond(approve=True)
        tty.expect(r"\[#{5}\.{15}\] 1/4 · 0 running · 3 waiting for a human · ")
        for run_id in waiting(batch, dev_client):
            dev_client.runs.get(run_id).respond(approve=True)
        tty.expect("completed  4")
        assert tty.end() == 0
        assert tty.seen.startswith(f"\r\nduvo: results are in '{batch.output}'; took ")


def test_ctrl_c_in_a_terminal_erases_the_progress_bar(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 1)
    with PseudoTerminal([DUVO, *batch.words()], run_duvo.environment) as tty:
        tty.expect(r"0/1 · 0 running · 1 waiting for a human")
        tty.type("\x03")
        assert tty.end() == 130
        assert "Traceback" not in tty.seen
        assert tty.seen.splitlines()[-1].endswith(f"from {batch.journal}")


@pytest.mark.long
def test_workers_of_a_dask_cluster_do_the_work(
    run_duvo: Command, dev_client: duvo.Client, folder: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    batch = Batch(folder, run_duvo, 6)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as two:
        executor = f"dask:{two.scheduler_address}"
        done = batch("--executor", executor, "--on-request", "approve")
        with distributed.Client(two.scheduler_address, set_as_default=False) as seen:
            worked = {line[0] for line in seen.run(_work_was_done).items() if line[1]}
    assert done.returncode == 0, done.stderr
    assert len(numbers_of(done.stdout)) == 6
    assert len(worked) == 2
    assert set(batch.started(dev_client).values()) == {1}


def _work_was_done() -> bool:
    import sys

    return "duvo" in sys.modules


@pytest.mark.long
def test_an_unreachable_dask_scheduler_is_one_line(run_duvo: Command, folder: Path) -> None:
    pytest.importorskip("distributed")
    batch = Batch(folder, run_duvo, 1)
    done = batch("--executor", "dask:tcp://127.0.0.1:9")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("duvo: cannot reach the Dask scheduler at tcp://127.0.0.1:9")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "foo://bar", "tcp://:x"])
def test_a_malformed_dask_address_is_one_line(
    run_duvo: Command, folder: Path, address: str
) -> None:
    pytest.importorskip("distributed")
    done = Batch(folder, run_duvo, 1)("--executor", f"dask:{address}")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith(f"duvo: cannot reach the Dask scheduler at {address}: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.long
def test_a_dask_scheduler_without_workers_is_reported(run_duvo: Command, folder: Path) -> None:
    distributed = pytest.importorskip("distributed")
    batch = Batch(folder, run_duvo, 1)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as none:
        process = batch.start("--executor", f"dask:{none.scheduler_address}")
        assert process.stderr is not None
        assert "has no workers" in process.stderr.readline()
        process.kill()
        process.communicate()


def test_without_dask_the_error_says_how_to_install_it(run_duvo: Command, folder: Path) -> None:
    (folder / "distributed.py").write_text("raise ImportError")
    batch = Batch(folder, run_duvo, 1)
    words = batch.words("--executor", "dask:tcp://127.0.0.1:9")
    done = run_duvo(*words, PYTHONPATH=str(folder))
    assert (done.stdout, done.returncode) == ("", 1)
    assert 'pip install "duvo[dask]"' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_closed_stdout_is_refused_before_anything_is_started(
    run_duvo: Command, folder: Path
) -> None:
    batch = Batch(folder, run_duvo, 1)
    shell = ["bash", "-c", 'exec "$@" >&-', "bash", DUVO, *batch.words()]
    done = subprocess.run(
        shell, env=run_duvo.environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "give --output" in done.stderr
    assert not batch.journal.exists()


@pytest.mark.long
def test_a_full_disk_is_reported_and_no_result_is_lost(run_duvo: Command, folder: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    batch = Batch(folder, run_duvo, 1)
    full = batch("--on-request", "approve", "--output", "/dev/full")
    assert full.returncode == 1
    assert "No space left" in full.stderr
    kept = "results could not be written to '/dev/full'; they are kept: 1 run has ended, 0 runs"
    assert kept in full.stderr
    assert f"the same command picks up from {batch.journal}" in full.stderr
    assert numbers_of(batch("--on-request", "approve").stdout) == ["INV-0"]

"""The progress line and the summary of a batch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from duvo import Changes, Progress, Results
from duvo_cli.batch import notice
from duvo_cli.batch.notice import Notices
from duvo_cli.batch.progress import Rate, blocked_in_words, line
from duvo_cli.batch.summary import Summary, changes_in_words


def test_the_progress_line_omits_counts_that_are_zero() -> None:
    progress = Progress(completed=40, failed=8, stopped=2, running=10, waiting=3)
    assert line(progress, 100, 0.5) == (
        "[##########..........] 50/100 · 10 running · 3 waiting for a human · 8 failed · 2 stopped"
        " · 0.5/s · 2 min left"
    )
    assert line(Progress(running=1), 3, None) == f"[{'.' * 20}] 0/3 · 1 running"
    assert line(Progress(completed=3), 3, 1.0) == f"[{'#' * 20}] 3/3 · 0 running"


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(waiting=20), "20 runs wait for a human; 180 rows wait for them"),
        (
            Progress(waiting=20, completed=90, failed=9, stopped=80),
            "20 runs wait for a human; 1 row waits for them · 9 failed · 80 stopped",
        ),
        (Progress(waiting=19, running=1), "1 running · 19 waiting for a human"),
        (Progress(waiting=20, completed=180), "0 running · 20 waiting for a human"),
    ],
)
def test_runs_that_wait_for_a_human_and_block_all_others_are_in_the_progress_line(
    progress: Progress, text: str
) -> None:
    assert line(progress, 200, None, 20).partition(" · ")[2] == text


def test_one_run_that_blocks_all_rows_is_in_the_singular() -> None:
    text = blocked_in_words(Progress(waiting=1), 2, "duvo runs inbox")
    assert text == "1 run waits for a human (`duvo runs inbox`); 2 rows wait for it"


def notices(places: int | None = 2, describe: Callable[[], str] | None = None) -> Notices:
    return Notices(100.0, 5, places, "duvo runs inbox", describe)


def test_runs_that_wait_for_a_human_are_reported_once_and_again_when_they_block_the_rest() -> None:
    notes = notices()
    waits = "runs are waiting for a human; `duvo runs inbox` shows their requests"
    blocks = "2 runs wait for a human (`duvo runs inbox`); 3 rows wait for them"
    said = [
        list(notes.due(101.0, progress))
        for progress in (
            Progress(running=2),
            Progress(running=1, waiting=1),
            Progress(running=1, waiting=1),
            Progress(waiting=2),
            Progress(running=1, waiting=1, completed=1),
            Progress(waiting=2, completed=1),
        )
    ]
    assert said == [[], [waits], [], [blocks], [], []]
    assert list(notices().due(101.0, Progress(waiting=2))) == [blocks]
    assert list(notices(places=None).due(101.0, Progress(waiting=2))) == []


def test_progress_is_reported_every_thirty_seconds() -> None:
    notes = notices(describe=lambda: "half")
    said = {now: list(notes.due(float(now), Progress())) for now in range(101, 200)}
    assert {now: lines for now, lines in said.items() if lines} == {
        130: ["half · 30.0 s"],
        160: ["half · 1 min 0 s"],
        190: ["half · 1 min 30 s"],
    }


def test_progress_is_written_to_a_stderr_that_is_not_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notice, "_LOOK_EVERY", 0.001)
    monkeypatch.setattr(notice, "_PROGRESS_EVERY", 0.0)
    described = threading.Event()

    def describe() -> str:
        described.set()
        return "[#...] 1/4"

    results = cast(Results, SimpleNamespace(progress=Progress(running=1)))
    with notice.said(results, 4, 2, "duvo runs inbox", describe):
        assert described.wait(20.0)
    assert capsys.readouterr().err.startswith("duvo: [#...] 1/4 · ")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "1 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (9000, "2 h")],
)
def test_the_time_left_is_rounded_to_one_unit(seconds: float, text: str) -> None:
    assert line(Progress(), 1, 1 / seconds).endswith(f"{text} left")


def test_the_rate_covers_the_last_minute() -> None:
    rate = Rate(100.0)
    assert rate.update(101.0, 5) is None
    assert rate.update(110.0, 20) == 2.0
    for second in range(111, 200):
        assert rate.update(float(second), 20 + second - 110) is not None
    assert rate.update(200.0, 110) == 1.0
    for second in range(201, 300):
        last = rate.update(float(second), 110)
    assert last == 0.0


def test_the_summary_shows_runs_that_did_not_complete_and_counts_all() -> None:
    summary = Summary()
    for index in range(30):
        summary.add("completed", index, "")
    summary.add("failed", 30, "INV-7", "run-7", "no such\ninvoice")
    summary.add("stopped", 31, "", "run-8")
    assert summary.lines(None) == [
        "INDEX  KEY    OUTCOME  RUN    WHY",
        "30     INV-7  failed   run-7  no such invoice",
        "31            stopped  run-8",
        "",
        "completed  30",
        "failed      1",
        "stopped     1",
    ]


def test_the_summary_lists_at_most_twenty_runs() -> None:
    summary = Summary()
    for index in range(100):
        summary.add("failed", index, "")
    lines = summary.lines(80)
    assert len(lines) == 1 + 20 + 1 + 1 + 1
    assert lines[21] == "… and 80 more"


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ("", 0),
        ("completed", 0),
        ("completed stopped", 5),
        ("stopped waiting", 6),
        ("waiting not-done stopped", 1),
        ("waiting not-done stopped failed completed", 4),
    ],
)
def test_the_exit_code_is_that_of_the_worst_outcome(outcomes: str, code: int) -> None:
    summary = Summary()
    for outcome in outcomes.split():
        summary.add(outcome.replace("-", " "), 0, "")
    assert summary.exit_code == code


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((5, 0, 0, 2, 0), "3 rows have no result yet"),
        ((3, 2, 1, 3, 0), "starting 2 rows that have no run yet; 1 row is gone"),
        (
            (2, 0, 0, 2, 1),
            "nothing to start, 2 rows have a result already (another --journal starts again); "
            "1 row was started with another message, which is kept",
        ),
        (
            (5, 0, 0, 5, 0, 2),
            "nothing to start, 5 rows have a result already (another --journal starts again); "
            "2 rows failed or were stopped (--retry-failed starts again)",
        ),
        (
            (1, 1, 2, 0, 2),
            "1 row has no result yet; starting 1 row that has no run yet; "
            "2 rows were started with another message, which is kept; 2 rows are gone",
        ),
    ],
)
def test_the_changes_of_a_batch_are_reported_in_numbers(counts: tuple[int, ...], text: str) -> None:
    names = ("known", "new", "gone", "finished", "changed", "failed")
    changes = Changes(**dict(zip(names, counts, strict=False)))
    assert changes_in_words(changes) == text


@pytest.mark.parametrize(
    ("failed", "text"),
    [
        (0, "nothing to start, 3 rows have a result already (another --journal starts again)"),
        (1, "starting again 1 row that failed or was stopped"),
        (2, "starting again 2 rows that failed or were stopped"),
    ],
)
def test_rows_that_start_again_are_reported(failed: int, text: str) -> None:
    changes = Changes(known=3, new=0, gone=0, finished=3, failed=failed)
    assert changes_in_words(changes, retry_failed=True) == text

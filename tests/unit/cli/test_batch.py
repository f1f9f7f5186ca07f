"""The progress line and the summary of a batch."""

from __future__ import annotations

import pytest

from duvo import Changes, Progress
from duvo_cli.batch.progress import Rate, line
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

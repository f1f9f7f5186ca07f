"""Rows of runs in a terminal."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from duvo_cli.output.run_rows import Row, lines
from duvo_cli.output.times import age

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


def plain(text: str, colour: str) -> str:
    return text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=23), "23 h"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=400), "400 days"),
        (-timedelta(seconds=5), "0 s"),
    ],
)
def test_an_age_is_in_its_largest_unit(ago: timedelta, text: str) -> None:
    assert age(NOW - ago, NOW) == text


def test_only_the_title_is_cut_in_a_terminal_that_is_too_narrow() -> None:
    row = Row("0123456789", "running", "Agent", "A title of many words" * 4, NOW, NOW)
    head, line = lines([row], 60, plain, NOW)
    assert len(line) <= 60
    assert line.endswith("01234567")
    assert "Agent  A title" in line
    assert "…" in line
    assert head.index(" AGE ") == line.index(" 0 s ")


def test_nothing_is_cut_in_wide_lines() -> None:
    row = Row("0123456789", "running", "Agent", "A title of many words" * 4, NOW, NOW)
    line = lines([row], 60, plain, NOW, wide=True)[1]
    assert row.text in line
    assert line.endswith("0123456789")


def test_a_column_of_titles_is_left_out_where_no_run_has_one() -> None:
    head, _ = lines([Row("0123456789", "completed", "Agent")], 80, plain, NOW)
    assert "TITLE" not in head

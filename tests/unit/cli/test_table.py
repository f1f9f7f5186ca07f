"""Tables and durations as text."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from duvo_cli.output.table import cut, displayed, fields, table
from duvo_cli.output.times import duration


def test_columns_are_aligned_by_displayed_width():
    assert table(("A", "B"), [("日本", "x"), ("e\u0301", "y"), ("long one", "z")]) == [
        "A         B",
        "日本      x",
        "e\u0301         y",
        "long one  z",
    ]


def test_a_cell_is_one_line_and_lines_are_cut_to_the_terminal():
    assert table(("A", "B"), [("x\ny", "one\x1btwo three")], 12) == ["A    B", "x y  one␛tw…"]


@pytest.mark.parametrize("long", [60, 160])
def test_flexible_columns_leave_room_for_the_others(long):
    rows = [("waiting", "A" * long, "T" * 90, "3 min", "12345678")]
    head, line = table(("S", "AGENT", "TITLE", "AGE", "RUN"), rows, 90, flexible=(2, 1))
    agent, title = "A" * 29 + "…", "T" * 31 + "…"
    assert line == f"waiting  {agent}  {title}  3 min  12345678"
    assert head.split() == ["S", "AGENT", "TITLE", "AGE", "RUN"]
    narrow = table(("S", "AGENT", "TITLE", "AGE", "RUN"), rows, 44, flexible=(2, 1))[1]
    assert narrow == "waiting  AAAAAAA…  TTTTTTT…  3 min  12345678"


def test_wide_characters_are_cut_by_displayed_width():
    assert cut("日本語", 5) == "日本…"
    assert displayed(cut("日本語", 4)) <= 4


def test_fields_without_a_value_are_omitted():
    assert fields([("One", "1"), ("Empty", ""), ("Three", "3")]) == ["One    1", "Three  3"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "250 ms"), (12.34, "12.3 s"), (245, "4 min 5 s"), (7380, "2 h 3 min"), (-1, "0 ms")],
)
def test_a_duration_is_shown_in_the_unit_that_fits(seconds, text):
    begin = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert duration(begin, begin + timedelta(seconds=seconds)) == text

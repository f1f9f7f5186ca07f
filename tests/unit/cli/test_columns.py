"""Text in the columns of a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from duvo_cli.output.table import cut, displayed, wrapped

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
PIECES = ["a", "bc ", " ", "日", "本語", "e\u0301", FAMILY, "\u200b", "한"]
WORDS = some.lists(some.sampled_from(PIECES)).map("".join)


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("日本", 4), ("e\u0301", 1), (FAMILY, 2), ("\u200b", 0), ("ů", 1), ("日\t", 2)],
)
def test_the_width_of_text_is_in_columns(text: str, columns: int) -> None:
    assert displayed(text) == columns


def test_characters_of_several_code_points_are_cut_as_a_whole() -> None:
    assert cut("日本語", 5) == "日本…"
    assert cut(f"{FAMILY}{FAMILY}", 3) == f"{FAMILY}…"
    assert cut("e\u0301e\u0301e\u0301", 2) == "e\u0301…"
    assert cut("abc", 3) == "abc"
    assert cut("日" * 5_000_000, 4) == "日…"


@given(WORDS, some.integers(2, 12))
def test_cut_text_fits(text: str, columns: int) -> None:
    short = cut(text, columns)
    assert displayed(short) <= columns
    assert short == text if displayed(text) <= columns else text.startswith(short[:-1])


@given(WORDS, some.integers(4, 12), some.sampled_from(["", "  "]))
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(
    text: str, columns: int, margin: str
) -> None:
    lines = wrapped(text, columns, margin)
    assert all(displayed(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_lines_are_wrapped_at_spaces_or_inside_words_that_are_too_wide() -> None:
    assert wrapped("one two three", 8) == ["one two", "three"]
    assert wrapped("  one two three", 8, "  ") == ["  one", "  two", "  three"]
    assert wrapped("go 日本語日本語日本語", 8) == ["go 日本", "語日本語", "日本語"]
    assert wrapped("日本 語日", 8) == ["日本", "語日"]
    assert wrapped("x" * 10, 4) == ["xxxx", "xxxx", "xx"]
    assert wrapped("", 8) == [""]

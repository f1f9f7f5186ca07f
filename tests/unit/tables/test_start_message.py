"""Start messages and keys made from rows."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as some

from duvo import ConfigError
from duvo._tables import numbers
from duvo._tables.start_message import Key, StartMessage, UnusableRow

TEXT = some.text(some.characters(codec="utf-8", exclude_characters="\0"))


def fill(template: str, row: object) -> str:
    return StartMessage(template)(row)


def test_a_template_is_filled_with_columns() -> None:
    row = {"number": "1", "supplier name": "ACME", "total": 2.5, "open": None, "a.b": "dotted"}
    assert fill("Process {number} of {supplier name}", row) == "Process 1 of ACME"
    assert fill("{total} {open} {a.b}", row) == "2.5 null dotted"
    assert fill("{{number}} {{{number}}}", row) == "{number} {1}"
    assert fill("no column", "not an object") == "no column"


@pytest.mark.parametrize(
    "column",
    ["a.__class__", "a[0]", "a!r", "a:>9", "0", " a", "a ", "__class__", "a.b"],
)
def test_a_template_looks_up_exact_column_names_only(column: str) -> None:
    with pytest.raises(UnusableRow, match="no column"):
        fill(f"{{{column}}}", {"a": "x"})
    assert fill(f"{{{column}}}", {column: "x"}) == "x"


def test_placeholders_in_a_cell_are_not_filled() -> None:
    assert fill("{a} {b}", {"a": "{b} {{b}} {a.x}", "b": "{a}"}) == "{b} {{b}} {a.x} {a}"


@given(TEXT, TEXT)
def test_cells_appear_unchanged_in_the_message(cell: str, other: str) -> None:
    assert fill("<{a}{b}>", {"a": cell, "b": other}) == f"<{cell}{other}>"


@given(TEXT)
def test_escaped_braces_are_text(text: str) -> None:
    assert fill("x" + text.replace("{", "{{").replace("}", "}}"), {}) == "x" + text


@pytest.mark.parametrize(
    "template", ["{", "}", "{}", "{a", "a}", "{a{b}}", "{{}", "{{{a}}", "{a}}"]
)
def test_a_malformed_template_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match=r"unmatched [{}]|does not name a column"):
        StartMessage(template)


def test_a_missing_column_is_reported_with_the_columns_of_the_row() -> None:
    with pytest.raises(UnusableRow, match=r"no column 'numer'; the row has 'number', 'supplier'"):
        fill("{numer}", {"number": "1", "supplier": "2"})
    with pytest.raises(UnusableRow, match="not an object"):
        fill("{a}", ["a"])


def test_without_a_template_the_message_is_the_message_column_or_the_row() -> None:
    message = StartMessage()
    assert message({"message": "Hello", "n": "1"}) == "Hello"
    assert message("Hello") == "Hello"
    assert json.loads(message({"n": "ů"})) == {"n": "ů"}
    assert "ů" in message({"n": "ů"})
    assert json.loads(message({"message": 3})) == {"message": 3}
    assert message([1, None]) == "[1, null]"


@pytest.mark.parametrize(
    ("template", "row"), [(None, ""), (None, {"message": " \n"}), ("{a}", {"a": ""}), ("", {})]
)
def test_an_empty_message_is_refused(template: str | None, row: object) -> None:
    with pytest.raises(UnusableRow, match="empty"):
        StartMessage(template)(row)


def test_numbers_are_written_as_they_were_read() -> None:
    text = '{"a": 12.10, "b": [0.1234567890123456789, 1E2, -0, 5], "c": {"d": 1.5}}'
    row = numbers.parse(text)
    assert row == json.loads(text)
    for copy in (row, pickle.loads(pickle.dumps(row))):
        assert StartMessage()(copy) == text
        assert fill("{a} {b}", copy) == "12.10 [0.1234567890123456789, 1E2, -0, 5]"
        assert Key("a")(copy) == "12.10"


@given(
    some.recursive(
        some.none()
        | some.integers()
        | some.floats(allow_nan=False, allow_infinity=False)
        | some.text(),
        lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    )
)
def test_json_is_written_as_python_writes_it(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert numbers.as_json(value) == text
    if "\\ud" not in text:
        assert numbers.as_json(numbers.parse(text)) == text


def test_a_row_that_is_nested_too_deeply_is_refused() -> None:
    row: list[object] = []
    for _ in range(2000):
        row = [row]
    with pytest.raises(UnusableRow, match="nested too deeply"):
        StartMessage()(row)


def test_a_key_is_the_text_of_its_column() -> None:
    key = Key("n")
    assert (key({"n": "1"}), key({"n": 1}), key({"n": [1]})) == ("1", "1", "[1]")


@pytest.mark.parametrize("row", [{}, {"n": ""}, {"n": None}, "n", ["n"]])
def test_a_row_without_a_key_is_refused(row: object) -> None:
    with pytest.raises(UnusableRow):
        Key("n")(row)


def test_messages_and_keys_can_be_pickled() -> None:
    message, key = pickle.loads(pickle.dumps((StartMessage("{n}!"), Key("n"))))
    assert (message({"n": "1"}), key({"n": "1"})) == ("1!", "1")

"""Rows of CSV and of JSON lines, templates, and what is wrong with them."""

from __future__ import annotations

import io
import json
import os
import pickle
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from duvo_cli.batch import rows
from duvo_cli.batch.rows import BadRow, Row
from duvo_cli.batch.source import RowInput
from duvo_cli.batch.start_message import Key, StartMessage, Unfit
from duvo_cli.batch.template import MessageTemplate
from duvo_cli.errors import CommandFailed


def csv_rows(text: str | bytes) -> list[Row | BadRow]:
    data = text.encode() if isinstance(text, str) else text
    return list(rows.of_csv(io.BytesIO(data)))


def json_rows(text: str | bytes) -> list[Row | BadRow]:
    data = text.encode() if isinstance(text, str) else text
    return list(rows.of_json_lines(io.BytesIO(data)))


def test_csv_rows_have_the_columns_of_the_header_and_their_line() -> None:
    assert csv_rows("number,supplier\n1,ACME\n2,Žižka & Söhne\n") == [
        Row(2, {"number": "1", "supplier": "ACME"}),
        Row(3, {"number": "2", "supplier": "Žižka & Söhne"}),
    ]


def test_lines_are_counted_through_quoted_newlines_blank_lines_and_crlf() -> None:
    text = '\r\na,b\r\n"one\r\ntwo",1\r\n\r\nx,2\r\ny\r\n'
    assert csv_rows(text) == [
        Row(3, {"a": "one\r\ntwo", "b": "1"}),
        Row(6, {"a": "x", "b": "2"}),
        BadRow(7, "it has 1 cell, and the header 2 columns"),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert csv_rows(b"\xef\xbb\xbfa\n1\n") == [Row(2, {"a": "1"})]
    assert json_rows(b'\xef\xbb\xbf{"a": 1}\n') == [Row(1, {"a": 1})]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_told(encoding: str) -> None:
    mark = b"" if encoding == "utf-16" else b"\xfe\xff"
    data = mark + "a\n1\n".encode(encoding)
    assert csv_rows(data) == json_rows(data) == [BadRow(1, "it is UTF-16; save it as UTF-8")]


def test_another_encoding_is_told_with_its_lines_and_the_rest_is_read() -> None:
    data = "a,b\nü,1\nx,2\n".encode("latin-1")
    wrong = "it is not UTF-8 (byte 0xfc); save it as UTF-8"
    assert csv_rows(data) == [BadRow(2, wrong), Row(3, {"a": "x", "b": "2"})]
    assert json_rows('"ü"\n"x"\n'.encode("latin-1")) == [BadRow(1, wrong), Row(2, "x")]


def test_a_header_that_cannot_work_is_told_and_ends_the_reading() -> None:
    assert csv_rows("a,b,a\n1,2,3\n") == [BadRow(1, "two columns are called 'a'")]
    assert csv_rows("a,,c\n1,2,3\n") == [BadRow(1, "column 2 has no name")]
    assert csv_rows("") == [BadRow(1, "there is no header with the names of the columns")]
    assert csv_rows("\n\n") == [BadRow(1, "there is no header with the names of the columns")]
    assert csv_rows("a,b\n") == []


def test_each_bad_row_is_told() -> None:
    assert csv_rows('a,b\n1\n1,2,3\n"x"y,2\n,\n3,4\n"open,5\n') == [
        BadRow(2, "it has 1 cell, and the header 2 columns"),
        BadRow(3, "it has 3 cells, and the header 2 columns"),
        BadRow(4, "it is no CSV: ',' expected after '\"'"),
        BadRow(5, "all its cells are empty"),
        Row(6, {"a": "3", "b": "4"}),
        BadRow(7, "a quote that opens here is never closed"),
    ]


def test_a_cell_may_be_a_whole_document() -> None:
    text = "x" * 500_000
    assert csv_rows(f"a\n{text}\n") == [Row(2, {"a": text})]


def test_json_lines_are_any_values_and_each_bad_one_is_told() -> None:
    text = '{"a": 1}\n\n  \n"two"\n{"a": \n[NaN]\n"\\ud800"\n' + "[" * 100_000 + "\n3"
    assert json_rows(text) == [
        Row(1, {"a": 1}),
        Row(4, "two"),
        BadRow(5, "it is no JSON: Expecting value at column 7"),
        BadRow(6, "it is no JSON: NaN is no number of JSON"),
        BadRow(7, "it is no JSON: it holds half a character (a lone surrogate)"),
        BadRow(8, "it is no JSON: it is nested too deeply"),
        Row(9, 3),
    ]


@given(some.lists(some.text(some.characters(codec="utf-8", exclude_characters="\0")), min_size=2))
def test_what_csv_writes_is_read_back(cells: list[str]) -> None:
    import csv

    cells[0] = cells[0] or "x"
    if not any(cell.strip() for cell in cells):
        cells[0] = "x"
    names = [f"c{number}" for number in range(len(cells))]
    made = io.StringIO(newline="")
    csv.writer(made).writerows([names, cells])
    assert csv_rows(made.getvalue()) == [Row(2, dict(zip(names, cells, strict=True)))]


@given(some.binary())
def test_no_input_breaks_the_reading(data: bytes) -> None:
    for row in (*csv_rows(data), *json_rows(data)):
        assert row.line >= 1


def test_stdin_is_json_lines_or_else_csv() -> None:
    for start in (b'{"a": 1}', b'{"a": broken', b"[1]", b'"text"', b"3", b'\xef\xbb\xbf{"a": 1}'):
        assert rows.looks_like_json(start + b"\n")
    for start in (b"number,supplier", b'"number","supplier"', b"name", b"\xff\xfe"):
        assert not rows.looks_like_json(start + b"\n")


def fill(template: str, row: object) -> str:
    return MessageTemplate(template)(row)


def test_a_template_is_filled_by_columns() -> None:
    row = {"number": "1", "supplier name": "ACME", "total": 2.5, "open": None, "a.b": "dotted"}
    assert fill("Process {number} of {supplier name}", row) == "Process 1 of ACME"
    assert fill("{total} {open} {a.b}", row) == "2.5 null dotted"
    assert fill("{{number}} {{{number}}}", row) == "{number} {1}"
    assert fill("no column", "not even an object") == "no column"


@pytest.mark.parametrize(
    "column",
    ["a.__class__", "a[0]", "a!r", "a:>9", "0", " a", "a ", "__class__", "a.b"],
)
def test_a_template_looks_up_nothing_but_exact_names(column: str) -> None:
    with pytest.raises(Unfit, match="it has no column"):
        fill(f"{{{column}}}", {"a": "x"})
    assert fill(f"{{{column}}}", {column: "x"}) == "x"


def test_what_a_cell_holds_is_never_filled_again() -> None:
    assert fill("{a} {b}", {"a": "{b} {{b}} {a.x}", "b": "{a}"}) == "{b} {{b}} {a.x} {a}"


@given(some.text(), some.text())
def test_a_cell_stands_in_the_message_as_it_is(cell: str, other: str) -> None:
    assert fill("<{a}{b}>", {"a": cell, "b": other}) == f"<{cell}{other}>"


@given(some.text())
def test_escaped_braces_are_text(text: str) -> None:
    assert fill(text.replace("{", "{{").replace("}", "}}"), {}) == text


@pytest.mark.parametrize(
    "template", ["{", "}", "{}", "{a", "a}", "{a{b}}", "{{}", "{{{a}}", "{a}}"]
)
def test_a_template_that_is_none_is_told(template: str) -> None:
    with pytest.raises(ValueError, match=r"stands alone|names no column"):
        MessageTemplate(template)


def test_a_missing_column_is_told_with_those_that_there_are() -> None:
    with pytest.raises(Unfit, match=r"it has no column 'numer'; it has 'number', 'supplier'"):
        fill("{numer}", {"number": "1", "supplier": "2"})
    with pytest.raises(Unfit, match="it is no object"):
        fill("{a}", ["a"])


def test_without_a_template_the_message_is_the_column_or_the_row() -> None:
    message = StartMessage(None)
    assert message({"message": "Hello", "n": "1"}) == "Hello"
    assert message("Hello") == "Hello"
    assert json.loads(message({"n": "ů"})) == {"n": "ů"}
    assert "ů" in message({"n": "ů"})
    assert json.loads(message({"message": 3})) == {"message": 3}
    assert message([1, None]) == "[1, null]"
    for empty in ("", {"message": " \n"}):
        with pytest.raises(Unfit, match="empty"):
            message(empty)


def test_a_key_is_the_text_of_its_column() -> None:
    key = Key("n")
    assert (key({"n": "1"}), key({"n": 1}), key({"n": [1]})) == ("1", "1", "[1]")
    for row in ({}, {"n": ""}, {"n": None}, "n", ["n"]):
        with pytest.raises(Unfit):
            key(row)


def test_messages_and_keys_go_to_other_processes() -> None:
    message, key = pickle.loads(pickle.dumps((StartMessage(MessageTemplate("{n}!")), Key("n"))))
    assert (message({"n": "1"}), key({"n": "1"})) == ("1!", "1")


def test_a_file_is_read_by_its_name_and_as_often_as_it_takes(tmp_path: Path) -> None:
    for name, text in (("a.csv", "3\n4\n"), ("b.JSONL", '"4"\n'), ("c.txt", "n\n4\n")):
        (tmp_path / name).write_text(text)
        found = RowInput(str(tmp_path / name))
        assert found.file == tmp_path / name
        first = next(iter(found.values()))
        assert list(found.values()) == [first]


def test_a_pipe_is_kept_and_read_as_often_as_it_takes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = "".join(f'{{"n": {number}}}\n' for number in range(30_000))
    writer = threading.Thread(target=pipe.write_text, args=(text,))
    writer.start()
    with RowInput(str(pipe)) as found:
        writer.join()
        assert found.file is None
        both = zip(found.values(), found.values(), strict=True)
        assert [one for one, other in both if one == other] == [{"n": n} for n in range(30_000)]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    for name in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(CommandFailed, match="cannot read"):
            RowInput(str(name))


def test_a_file_that_is_changed_meanwhile_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a\n1\n")
    found = RowInput(str(file))
    assert list(found.values()) == [{"a": "1"}]
    file.write_text("a,b\n1\n")
    with pytest.raises(CommandFailed, match=r"line 2: .*; it was changed meanwhile"):
        list(found.values())

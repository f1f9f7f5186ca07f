"""Parsing rows of CSV and JSON lines."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as some

from duvo._tables import rows
from duvo._tables.rows import BadRow, Row


def csv_rows(text: str | bytes) -> list[Row | BadRow]:
    data = text.encode() if isinstance(text, str) else text
    return list(rows.read_csv(io.BytesIO(data)))


def json_rows(text: str | bytes) -> list[Row | BadRow]:
    data = text.encode() if isinstance(text, str) else text
    return list(rows.read_json_lines(io.BytesIO(data)))


def test_csv_rows_have_the_columns_of_the_header_and_their_line() -> None:
    assert csv_rows("number,supplier\n1,ACME\n2,Žižka & Söhne\n") == [
        Row(2, {"number": "1", "supplier": "ACME"}),
        Row(3, {"number": "2", "supplier": "Žižka & Söhne"}),
    ]


def test_line_numbers_count_quoted_newlines_blank_lines_and_crlf() -> None:
    text = '\r\na,b\r\n"one\r\ntwo",1\r\n\r\nx,2\r\ny\r\n'
    assert csv_rows(text) == [
        Row(3, {"a": "one\r\ntwo", "b": "1"}),
        Row(6, {"a": "x", "b": "2"}),
        BadRow(7, "1 cell, but the header has 2 columns"),
    ]


def test_a_byte_order_mark_is_ignored() -> None:
    assert csv_rows(b"\xef\xbb\xbfa\n1\n") == [Row(2, {"a": "1"})]
    assert json_rows(b'\xef\xbb\xbf{"a": 1}\n') == [Row(1, {"a": 1})]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_refused(encoding: str) -> None:
    mark = b"" if encoding == "utf-16" else b"\xfe\xff"
    data = mark + "a\n1\n".encode(encoding)
    assert csv_rows(data) == json_rows(data) == [BadRow(1, "the text is UTF-16; save it as UTF-8")]


def test_a_line_in_another_encoding_is_bad_and_the_other_lines_are_read() -> None:
    data = "a,b\nü,1\nx,2\n".encode("latin-1")
    why = "not UTF-8 (byte 0xfc); save the text as UTF-8"
    assert csv_rows(data) == [BadRow(2, why), Row(3, {"a": "x", "b": "2"})]
    assert json_rows('"ü"\n"x"\n'.encode("latin-1")) == [BadRow(1, why), Row(2, "x")]


def test_a_bad_header_ends_the_reading() -> None:
    assert csv_rows("a,b,a\n1,2,3\n") == [BadRow(1, "two columns are named 'a'")]
    assert csv_rows("a,,c\n1,2,3\n") == [BadRow(1, "column 2 has no name")]
    missing = BadRow(1, "the header with the column names is missing")
    assert csv_rows("") == csv_rows("\n\n") == [missing]


def test_a_header_without_rows_is_an_empty_table() -> None:
    assert csv_rows("a,b\n") == []


def test_each_bad_csv_row_is_reported_with_its_line() -> None:
    assert csv_rows('a,b\n1\n1,2,3\n"x"y,2\n,\n3,4\n"open,5\n') == [
        BadRow(2, "1 cell, but the header has 2 columns"),
        BadRow(3, "3 cells, but the header has 2 columns"),
        BadRow(4, "not CSV: ',' expected after '\"'"),
        BadRow(5, "all cells are empty"),
        Row(6, {"a": "3", "b": "4"}),
        BadRow(7, "the quote that opens here is never closed"),
    ]


def test_a_cell_may_hold_a_whole_document() -> None:
    text = "x" * 500_000
    assert csv_rows(f"a\n{text}\n") == [Row(2, {"a": text})]


def test_json_lines_hold_any_values_and_each_bad_line_is_reported() -> None:
    text = '{"a": 1}\n\n  \n"two"\n{"a": \n[NaN]\n"\\ud800"\n' + "[" * 100_000 + "\n3"
    assert json_rows(text) == [
        Row(1, {"a": 1}),
        Row(4, "two"),
        BadRow(5, "not JSON: Expecting value at column 7"),
        BadRow(6, "not JSON: NaN is not a JSON number"),
        BadRow(7, "not JSON: half a character (a lone surrogate)"),
        BadRow(8, "not JSON: nested too deeply"),
        Row(9, 3),
    ]


@given(some.lists(some.text(some.characters(codec="utf-8", exclude_characters="\0")), min_size=2))
def test_cells_written_by_the_csv_module_are_read_back(cells: list[str]) -> None:
    cells[0] = cells[0] or "x"
    if not any(cell.strip() for cell in cells):
        cells[0] = "x"
    names = [f"c{number}" for number in range(len(cells))]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([names, cells])
    assert csv_rows(text.getvalue()) == [Row(2, dict(zip(names, cells, strict=True)))]


@given(some.binary())
def test_any_bytes_are_read_without_an_exception(data: bytes) -> None:
    for row in (*csv_rows(data), *json_rows(data)):
        assert row.line >= 1


def test_a_first_line_that_is_json_or_begins_like_it_marks_json_lines() -> None:
    for first in (b'{"a": 1}', b'{"a": broken', b"[1]", b'"text"', b"3", b'\xef\xbb\xbf{"a": 1}'):
        assert rows.looks_like_json(first + b"\n")
    for first in (b"number,supplier", b'"number","supplier"', b"name", b"\xff\xfe"):
        assert not rows.looks_like_json(first + b"\n")

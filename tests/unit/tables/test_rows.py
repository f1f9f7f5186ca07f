"""Parsing rows of CSV and JSON lines."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as some

from duvo import ConfigError
from duvo._tables.rows import BadRow, Row
from duvo._tables.table import Table


def csv_rows(text: str | bytes) -> list[Row | BadRow]:
    return rows_of(text, "rows.csv")


def json_rows(text: str | bytes) -> list[Row | BadRow]:
    return rows_of(text, "rows.jsonl")


def rows_of(text: str | bytes, name: str = "stdin") -> list[Row | BadRow]:
    data = text.encode() if isinstance(text, str) else text
    with Table(name, io.BytesIO(data)) as table:
        return list(table.rows())


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


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_byte_order_mark_is_read(encoding: str) -> None:
    assert csv_rows("\ufeffa\tž\r\n1\t2\r\n".encode(encoding)) == [Row(2, {"a": "1", "ž": "2"})]
    assert json_rows('\ufeff{"a": 1}\n{"a": 2}\n'.encode(encoding)) == [
        Row(1, {"a": 1}),
        Row(2, {"a": 2}),
    ]


def test_utf_16_that_is_cut_is_bad() -> None:
    data = "\ufeffa\n1\n22".encode("utf-16-le")[:-1]
    why = "not UTF-16; save the text as UTF-8"
    assert csv_rows(data) == [Row(2, {"a": "1"}), BadRow(3, why)]


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


@pytest.mark.long
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
def test_any_bytes_are_read_without_another_exception(data: bytes) -> None:
    for read in (csv_rows, json_rows, rows_of):
        with contextlib.suppress(ConfigError):
            assert all(row.line >= 1 for row in read(data))


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("number;supplier\r\nINV-1;ACME, Ltd\r\n", {"number": "INV-1", "supplier": "ACME, Ltd"}),
        ("number;amount\r\nINV-1;12,50\r\n", {"number": "INV-1", "amount": "12,50"}),
        ("number\tamount\nINV-1\t12,50\n", {"number": "INV-1", "amount": "12,50"}),
        ("number|note\nINV-1|a;b\n", {"number": "INV-1", "note": "a;b"}),
        ('"a;b";c\n"1\n;";2\n', {"a;b": "1\n;", "c": "2"}),
        ("sep=;\nnumber;amount\n1;2\n", {"number": "1", "amount": "2"}),
        ('"sep=:"\r\na:b\r\n1:2\r\n', {"a": "1", "b": "2"}),
        ("a,b\r1,2\r", {"a": "1", "b": "2"}),
        ("message\nPay; then, wait\n".replace(",", ""), {"message": "Pay; then wait"}),
        ("Amount; net\n12\n", {"Amount; net": "12"}),
        ('"id"\n1\n', {"id": "1"}),
        ("[id],[name]\n1,2\n", {"[id]": "1", "[name]": "2"}),
    ],
)
def test_the_delimiter_of_a_csv_is_found(text: str, row: object) -> None:
    (found,) = rows_of(text)
    assert isinstance(found, Row)
    assert found.value == row


def test_most_rows_decide_which_delimiter_is_meant() -> None:
    text = "a;b\n" + "1;2\n" * 9 + "1,2\n"
    assert csv_rows(text)[-1] == BadRow(11, "1 cell, but the header has 2 columns")


def test_columns_that_may_be_separated_in_two_ways_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"stdin: .* commas or semicolons: .* sep=, or sep=;"):
        rows_of("Amount, net;number\n12,50;INV-1\n")


def test_the_empty_edges_that_spreadsheets_write_are_skipped() -> None:
    text = ",,,\r\n,number,supplier,\r\n,INV-1,ACME,,\r\n,INV-2,\r\n\r\n,,,\r\n , ,,\r\n"
    assert csv_rows(text) == [
        Row(3, {"number": "INV-1", "supplier": "ACME"}),
        Row(4, {"number": "INV-2", "supplier": ""}),
    ]
    assert csv_rows('a\n""\n1\n""\n') == [BadRow(2, "all cells are empty"), Row(3, {"a": "1"})]


def test_a_cell_under_no_name_is_bad() -> None:
    assert csv_rows(",a\n,1\n2,3\n") == [Row(2, {"a": "1"}), BadRow(1, "column 1 has no name")]
    assert csv_rows("a,\n1,2\n") == [BadRow(2, "2 cells, but the header has 1 column")]


@pytest.mark.parametrize(
    "text",
    [
        '[{"a": 1}, {"a": [2, "]"]}]',
        '[\n  {"a": 1},\n  {"a": [2, "]"]}\n]\n',
        '[{"a": 1},\n {"a": [2,\n "]"]}]',
        '{\n  "a": 1\n}\n{\n  "a": [\n    2,\n    "]"\n  ]\n}\n',
        '{"a": 1}\r\n{"a": [2, "]"]}\r\n\r\n',
        '\x1e{"a": 1}\n\x1e{"a": [2, "]"]}\n',
        '{"a": 1}{"a": [2, "]"]}',
    ],
)
def test_the_forms_that_json_tools_write_are_read_alike(text: str) -> None:
    rows = rows_of(text)
    assert [row.value for row in rows if isinstance(row, Row)] == [{"a": 1}, {"a": [2, "]"]}]
    assert rows == rows_of(b"\xef\xbb\xbf" + text.encode())


def test_an_array_that_is_longer_than_the_beginning_that_is_looked_at_is_read() -> None:
    items = ", ".join(f'{{"n": {number}}}' for number in range(50_000))
    assert len(rows_of(f"[{items}]")) == 50_000


def test_an_empty_input_has_no_rows() -> None:
    assert rows_of("") == rows_of(" \n") == rows_of("[]") == rows_of("[\n]\n") == []


def test_each_bad_item_of_an_array_is_reported_with_its_line() -> None:
    assert rows_of('[\n  {"a": 1},\n  {"a": NaN},\n  ,\n  {"a": 2 3}\n] 4') == [
        Row(2, {"a": 1}),
        BadRow(3, "not JSON: NaN is not a JSON number"),
        BadRow(4, "not JSON: Expecting value"),
        BadRow(5, "not JSON: Expecting ',' delimiter"),
        BadRow(6, "not JSON: text follows the end of the array"),
    ]
    assert rows_of('[\n{"a": 1},\n') == [
        Row(2, {"a": 1}),
        BadRow(2, "not JSON: what begins here is never closed"),
    ]


def test_quoted_lines_are_a_csv_if_their_first_is_a_column_that_is_needed() -> None:
    text = '"number"\n"INV-1"\n'
    with Table("stdin", io.BytesIO(text.encode()), columns=["number"]) as table:
        assert list(table.rows()) == [Row(2, {"number": "INV-1"})]
    assert rows_of('"message"\n"Process INV-1"\n') == [Row(2, {"message": "Process INV-1"})]
    with pytest.raises(ConfigError, match="a CSV with one column in quotes, or JSON lines of text"):
        rows_of(text)


def test_a_spreadsheet_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"a\.xlsx: this is a spreadsheet .* as CSV"):
        rows_of(b"PK\x03\x04...", "a.xlsx")


def test_a_row_that_could_not_be_written_again_is_bad() -> None:
    def nested(depth: int) -> str:
        return "[" * depth + "]" * depth

    # Python reads the second row; since 3.12 it can also write it.
    too_deep = 900 if sys.version_info < (3, 12) else 1200
    json.loads(nested(too_deep))
    good, bad = json_rows(f"{nested(190)}\n{nested(too_deep)}\n")
    assert isinstance(good, Row)
    assert bad == BadRow(2, "not JSON: nested too deeply")


def test_numbers_that_python_does_not_have_and_fields_given_twice_are_bad() -> None:
    assert json_rows('{"n": 1e400}\n[Infinity]\n{"a": {"b": 1, "b": 1}}\n') == [
        BadRow(1, "not JSON: the number 1e400 is too large"),
        BadRow(2, "not JSON: Infinity is not a JSON number"),
        BadRow(3, "not JSON: an object has the field 'b' twice"),
    ]

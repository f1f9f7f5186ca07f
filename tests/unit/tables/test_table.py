"""Tables that are read repeatedly, and the check of their rows."""

from __future__ import annotations

import io
import os
import pickle
import sys
import threading
from pathlib import Path

import pytest

from duvo import ConfigError
from duvo._tables.check import BadRows, check
from duvo._tables.start_message import Key, StartMessage
from duvo._tables.table import Table


def table_of(folder: Path, text: str) -> Table:
    file = folder / "rows.csv"
    file.write_text(text)
    return Table(str(file))


def test_the_format_of_a_file_follows_its_suffix_or_else_its_content(tmp_path: Path) -> None:
    for name, text, value in (
        ("a.csv", "3\n4\n", {"3": "4"}),
        ("b.JSONL", '"4"\n', "4"),
        ("c.txt", "n\n4\n", {"n": "4"}),
        ("d.txt", "\n[4]\n", [4]),
        ("e.json", "[4]", 4),
        ("f.jsonl", '[{"n": 4}]', [{"n": 4}]),
    ):
        (tmp_path / name).write_text(text)
        table = Table(str(tmp_path / name))
        assert table.file == tmp_path / name
        assert list(table.values()) == list(table.values()) == [value]


def test_a_pipe_is_read_once_and_its_rows_repeatedly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = "".join(f'{{"n": {number}}}\n' for number in range(30_000))
    writer = threading.Thread(target=pipe.write_text, args=(text,))
    writer.start()
    with Table(str(pipe)) as table:
        writer.join()
        assert table.file is None
        both = zip(table.values(), table.values(), strict=True)
        assert [one for one, other in both if one == other] == [{"n": n} for n in range(30_000)]


def test_a_stream_is_read_once_and_its_rows_repeatedly() -> None:
    with Table("stdin", io.BytesIO(b"n\n4\n")) as table:
        assert (table.name, table.file) == ("stdin", None)
        assert list(table.values()) == list(table.values()) == [{"n": "4"}]


def test_an_unreadable_input_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ConfigError, match="cannot read"):
            Table(str(path))


@pytest.mark.parametrize(
    ("text", "delimiter", "row"),
    [
        ("a#b,c\n1#2,3\n", "#", {"a": "1", "b,c": "2,3"}),
        ("a,b;c\n1,2;3\n", ";", {"a,b": "1,2", "c": "3"}),
        ("sep=,\na,b;c\n1,2;3\n", ";", {"a,b": "1,2", "c": "3"}),
        ('"a"\n"1"\n', ",", {"a": "1"}),
    ],
)
def test_a_given_delimiter_is_used_whatever_the_content(
    tmp_path: Path, text: str, delimiter: str, row: dict[str, str]
) -> None:
    for name in ("rows.csv", "rows.txt", "rows.dat"):
        (tmp_path / name).write_text(text)
        assert list(Table(str(tmp_path / name), delimiter=delimiter).values()) == [row]


def test_a_delimiter_for_a_json_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match="jsonl file has no delimiter"):
        Table(str(tmp_path / "rows.jsonl"), delimiter=";")


def test_a_row_that_turned_bad_after_the_check_is_an_error(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a\n1\n")
    assert list(table.values()) == [{"a": "1"}]
    table_of(tmp_path, "a,b\n1\n")
    with pytest.raises(ConfigError, match=r"rows.csv, line 2: 1 cell.* changed since"):
        list(table.values())


def test_a_checked_table_has_a_run_for_each_row(tmp_path: Path) -> None:
    assert check(table_of(tmp_path, "a\n1\n1\n"), StartMessage()) == (2, 2)


def test_rows_with_the_same_key_count_as_one_run(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a,b\n1,1\n1,2\n2,3\n")
    assert check(table, StartMessage(), Key("a")) == (3, 2)


def test_messages_that_no_server_accepts_are_bad(tmp_path: Path) -> None:
    table = table_of(tmp_path, f"a,b\n1,x\n2,A\0B\n3,{'ž' * 5_000_001}\n")
    with pytest.raises(BadRows) as raised:
        check(table, StartMessage("{b}"))
    # Before Python 3.11, csv reads no NUL.
    is_read = sys.version_info >= (3, 11)
    why = "the message would have a NUL character" if is_read else "not CSV: line contains NUL"
    assert raised.value.details == (
        f"{table.name}, line 3: {why}",
        f"{table.name}, line 4: the message would have 10,000,002 bytes, of 10,000,000 at most",
    )
    if is_read:
        assert check(table, StartMessage("{a}")) == (3, 3)


def test_a_single_bad_row_is_named_in_the_error(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a\n1\n")
    with pytest.raises(BadRows, match=r"rows.csv, line 2: no column 'b'") as raised:
        check(table, StartMessage("{b}"))
    assert raised.value.details == ()


def test_bad_rows_are_grouped_by_reason(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a,b\n1,2\n3\n4,5\n,\n6\n7\n")
    with pytest.raises(BadRows, match=r"4 rows of .*rows.csv cannot be used$") as raised:
        check(table, StartMessage())
    assert raised.value.details == (
        f"{table.name}, lines 3, 6 and 7: 1 cell, but the header has 2 columns",
        f"{table.name}, line 5: all cells are empty",
    )
    assert pickle.loads(pickle.dumps(raised.value)).details == raised.value.details


def test_no_more_than_twenty_bad_rows_are_listed(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a\n" + "1\n" * 30)
    with pytest.raises(BadRows, match=r"30 rows .* \(10 of them are not shown\)") as raised:
        check(table, StartMessage(), Key("b"))
    (detail,) = raised.value.details
    assert ", lines 2, 3, " in detail
    assert " and 21: no column 'b'" in detail

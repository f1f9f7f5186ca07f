"""The CSV of results, in the order of the inputs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from duvo import ConfigError
from duvo._tables.numbers import parse
from duvo._tables.results_csv import Outcome, check_csv, write_csv

DONE = Outcome("completed", "answer", "", "run-1")


def read(file: Path, delimiter: str = ",") -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines, delimiter=delimiter, strict=True))


def test_the_columns_are_those_of_all_inputs_then_those_of_the_results(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    values = [{"a": "1"}, {"b": None, "a": 2.50}, "text", {"c": [1, {"d": "é"}]}, 7]
    write_csv(file, ((value, DONE) for value in values))
    assert read(file) == [
        ["a", "b", "input", "c", "status", "answer", "failure", "run_id"],
        ["1", "", "", "", *DONE],
        ["2.5", "", "", "", *DONE],
        ["", "", "text", "", *DONE],
        ["", "", "", '[1, {"d": "é"}]', *DONE],
        ["", "", "7", "", *DONE],
    ]


def test_a_path_may_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_csv("~/results.csv", [({"a": "1"}, DONE)])
    assert read(tmp_path / "results.csv")[1] == ["1", *DONE]


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    write_csv(file, [(parse('{"a": 12.10, "b": [1e2], "c": true}'), DONE)])
    assert read(file)[1][:3] == ["12.10", "[1e2]", "true"]


def test_columns_of_inputs_keep_their_names_beside_those_of_results(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    write_csv(file, [({"status": "open", "run_id": "x", "duvo_run_id": "y"}, DONE)])
    assert read(file) == [
        ["status", "run_id", "duvo_run_id", "duvo_status", "answer", "failure", "duvo_duvo_run_id"],
        ["open", "x", "y", *DONE],
    ]
    check_csv(str(file))


TEXTS = some.text(some.sampled_from('a,;"\r\n\0\té#'), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    cells=some.lists(some.tuples(TEXTS, TEXTS), min_size=1), delimiter=some.sampled_from(",;\t#")
)
def test_any_text_is_read_back_as_it_was(
    cells: list[tuple[str, str]], delimiter: str, tmp_path: Path
) -> None:
    file = tmp_path / "results.csv"
    rows = [({"a": a.replace("\0", "0")}, Outcome("s", b.replace("\0", "0"))) for a, b in cells]
    write_csv(file, rows, delimiter)
    assert read(file, delimiter)[1:] == [[row["a"], *outcome] for row, outcome in rows]


def test_lines_end_in_a_newline_alone_and_half_characters_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    write_csv(file, [({"a": "é\ud800\0"}, Outcome("running"))])
    text = "a,status,answer,failure,run_id\né\\ud800\0,running,,,\n"
    assert file.read_bytes() == text.encode()


def broken() -> Iterator[tuple[Any, Outcome]]:
    yield {"a": "1"}, DONE
    raise KeyboardInterrupt


def test_a_file_is_unchanged_until_all_is_written(tmp_path: Path) -> None:
    file, link = tmp_path / "results.csv", tmp_path / "link.csv"
    write_csv(file, [({"a": "1"}, DONE)])
    file.chmod(0o640)
    link.symlink_to(file)
    before = file.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write_csv(file, broken())
    assert file.read_bytes() == before
    write_csv(link, [({"a": "2"}, DONE)])
    assert link.is_symlink()
    assert read(file)[1][0] == "2"
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [link, file]


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "notes", "status,answer\n", "\0", "{}\n"])
def test_a_file_with_other_content_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"notes.csv' is not a results file"):
        check_csv(str(file))
    assert file.read_text() == content


def test_a_missing_or_empty_file_or_earlier_results_may_be_written(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    check_csv(str(file))
    assert not file.exists()
    file.touch()
    check_csv(str(file))
    for delimiter in ",;\t#":
        write_csv(file, [({"a\nb": "1"}, DONE)], delimiter)
        check_csv(str(file))


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "results.csv"):
        with pytest.raises(ConfigError, match="cannot write"):
            check_csv(str(path))

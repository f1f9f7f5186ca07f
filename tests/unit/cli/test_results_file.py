"""A file of results, each written once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from duvo_cli.batch.results_file import ResultsFile
from duvo_cli.errors import CommandFailed


def result(number: int) -> dict[str, object]:
    return {"index": number, "key": None, "input": "ů\ud800", "run": {"id": f"run-{number}"}}


def write(file: Path, *numbers: int) -> None:
    with ResultsFile(str(file)) as results:
        for number in numbers:
            results.write(f"run-{number}", result(number))


def written(file: Path) -> list[int]:
    return [json.loads(line)["index"] for line in file.read_text(encoding="utf-8").splitlines()]


def test_results_are_appended_and_known_again(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    write(file, 0, 1)
    with ResultsFile(str(file)) as results:
        assert [results.has(f"run-{number}") for number in range(3)] == [True, True, False]
        results.write("run-2", result(2))
        assert results.has("run-2")
    assert written(file) == [0, 1, 2]
    assert "ů" in file.read_text(encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8").splitlines()[0]) == result(0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=some.integers(min_value=0))
def test_whatever_is_torn_is_mended(place: int, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.unlink(missing_ok=True)
    write(file, 0, 1)
    whole = file.read_bytes()
    file.write_bytes(whole[: place % (len(whole) + 1)])
    with ResultsFile(str(file)) as results:
        for number in range(3):
            if not results.has(f"run-{number}"):
                results.write(f"run-{number}", result(number))
    assert written(file) == [0, 1, 2]


def test_nothing_is_touched_before_there_is_something_to_write(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    write(file, 0, 1)
    torn = file.read_bytes()[:-5]
    file.write_bytes(torn)
    write(file)
    assert file.read_bytes() == torn


@pytest.mark.parametrize(
    "content", ["hello", "hello\n", '{"a": 1}\n', '{"run": {"id": 3}}\n', "[" * 100_000, "\0"]
)
def test_a_file_of_something_else_is_refused_and_stays(content: str, tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text(content)
    with pytest.raises(CommandFailed, match=r"no file of results \(line 1\)"):
        ResultsFile(str(file))
    assert file.read_text() == content


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    for name in (tmp_path, tmp_path / "none" / "results"):
        with pytest.raises(CommandFailed, match="cannot write"):
            ResultsFile(str(name))

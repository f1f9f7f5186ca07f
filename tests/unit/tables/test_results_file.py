"""The results file, in which each result is written once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from duvo import ConfigError
from duvo._tables.results_file import ResultsFile


def result(number: int) -> dict[str, object]:
    return {"index": number, "key": None, "input": "ů\ud800", "run": {"id": f"run-{number}"}}


def write(file: Path, *numbers: int) -> None:
    with ResultsFile(str(file)) as results:
        for number in numbers:
            results.write(result(number))


def written(file: Path) -> list[int]:
    return [json.loads(line)["index"] for line in file.read_text(encoding="utf-8").splitlines()]


def test_results_are_appended_and_recognised_when_the_file_is_reopened(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    write(file, 0, 1)
    with ResultsFile(str(file)) as results:
        assert [results.has(f"run-{number}") for number in range(3)] == [True, True, False]
        results.write(result(2))
        assert results.has("run-2")
    assert written(file) == [0, 1, 2]
    assert "ů" in file.read_text(encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8").splitlines()[0]) == result(0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=some.integers(min_value=0))
def test_a_file_cut_at_any_byte_is_repaired(place: int, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.unlink(missing_ok=True)
    write(file, 0, 1)
    whole = file.read_bytes()
    file.write_bytes(whole[: place % (len(whole) + 1)])
    with ResultsFile(str(file)) as results:
        for number in range(3):
            if not results.has(f"run-{number}"):
                results.write(result(number))
    assert written(file) == [0, 1, 2]


def test_opening_a_cut_file_does_not_change_it(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    write(file, 0, 1)
    cut = file.read_bytes()[:-5]
    file.write_bytes(cut)
    write(file)
    assert file.read_bytes() == cut


@pytest.mark.parametrize(
    "content", ["hello", "hello\n", '{"a": 1}\n', '{"run": {"id": 3}}\n', "[" * 100_000, "\0"]
)
def test_a_file_with_other_content_is_refused_and_unchanged(content: str, tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"notes' is not a results file \(line 1\)"):
        ResultsFile(str(file))
    assert file.read_text() == content


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "results"):
        with pytest.raises(ConfigError, match="cannot write"):
            ResultsFile(str(path))

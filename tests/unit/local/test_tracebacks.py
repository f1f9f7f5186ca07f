"""Tracebacks for authors: which exceptions, frames and lines they have."""

from __future__ import annotations

import json
import linecache
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from duvo.local import Option, Question, ToolFailed, load_agents
from duvo.local._log.tracebacks import format_error, place_of


def raised(function: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        function()
    return caught.value


def no_json() -> None:
    json.loads("{")


def chained() -> None:
    try:
        no_json()
    except ValueError as error:
        raise LookupError("outer") from error


def hidden() -> None:
    try:
        no_json()
    except ValueError:
        raise LookupError("outer") from None


def failing_tool() -> None:
    raise ToolFailed("parse", "text") from raised(no_json)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


def listed_question() -> None:
    Question(["a", "b"])  # type: ignore[arg-type]


def numbered_option() -> None:
    Option(5)  # type: ignore[arg-type]


def unprintable() -> None:
    raise Unprintable


def line_of(function: Callable[[], object], offset: int) -> str:
    return f"test_tracebacks.py:{function.__code__.co_firstlineno + offset}"


def test_frames_of_libraries_are_left_out() -> None:
    text = format_error(raised(no_json))
    assert '    json.loads("{")' in text
    assert "decoder.py" not in text
    assert text.splitlines()[-1].startswith("json.decoder.JSONDecodeError: Expecting")


def test_an_agent_file_among_installed_packages_is_its_authors(tmp_path: Path) -> None:
    file = tmp_path / "site-packages" / "installed_agents.py"
    file.parent.mkdir()
    file.write_text(
        "from duvo.local import agent\n@agent('Installed')\nasync def one(run):\n    {}['x']\n"
    )
    (agent,) = load_agents(file)
    error = raised(lambda: agent.function(None).send(None))  # type: ignore[attr-defined, arg-type]
    assert place_of(error) == "installed_agents.py:4"
    assert "    {}['x']\n" in format_error(error)


def test_lines_are_those_that_were_executed_when_the_file_has_changed_since(
    tmp_path: Path,
) -> None:
    file = tmp_path / "edited.py"
    file.write_text(
        "from duvo.local import agent\n@agent('Edited')\nasync def one(run):\n    {}['old']\n"
    )
    (agent,) = load_agents(file)
    file.write_text("\n\n\nanother line\n")
    error = raised(lambda: agent.function(None).send(None))  # type: ignore[attr-defined, arg-type]
    assert "    {}['old']\n" in format_error(error)
    assert "another line" not in format_error(error)


def test_lines_of_a_file_that_is_loaded_again_are_read_again(tmp_path: Path) -> None:
    file = tmp_path / "reloaded.py"
    agents = "from duvo.local import agent\n@agent('Reloaded')\nasync def one(run):\n"
    file.write_text(f"{agents}    old_line = 1\n")
    load_agents(file)
    # As a warning does.
    assert linecache.getline(str(file), 4) == "    old_line = 1\n"
    file.write_text(f"{agents}    newer_line = 1\n")
    load_agents(file)
    assert linecache.getline(str(file), 4) == "    newer_line = 1\n"


def test_every_exception_of_a_chain_is_shown() -> None:
    text = format_error(raised(chained))
    assert 'json.loads("{")' in text
    assert "LookupError: outer" in text
    assert "direct cause" in text
    assert "json" not in format_error(raised(hidden)).partition("def hidden")[2]
    assert "JSONDecodeError" not in format_error(raised(hidden))


def test_a_long_chain_is_shown_to_its_first_exception() -> None:
    error: BaseException = ValueError("first")
    for number in range(3000):
        later = ValueError(f"number {number}")
        later.__context__ = error
        error = later
    text = format_error(error)
    assert text.startswith("ValueError: first")
    assert text.endswith("ValueError: number 2999")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there are no groups before 3.11")
def test_every_exception_of_a_group_is_shown_with_its_frames() -> None:
    group = eval("ExceptionGroup")("many", [raised(no_json) for _ in range(30)])
    assert format_error(group).count('json.loads("{")') == 30


def test_an_exception_that_cannot_be_printed_is_shown() -> None:
    assert "Unprintable" in format_error(raised(unprintable))


def test_a_failure_is_placed_where_the_authors_code_raised() -> None:
    assert place_of(raised(no_json)) == line_of(no_json, 1)
    assert place_of(raised(chained)) == line_of(chained, 4)
    assert place_of(raised(failing_tool)) == line_of(no_json, 1)
    assert place_of(raised(listed_question)) == line_of(listed_question, 1)
    assert place_of(raised(numbered_option)) == line_of(numbered_option, 1)
    assert "<attrs generated" not in format_error(raised(listed_question))
    assert place_of(RuntimeError("of the engine")) is None


def test_a_syntax_error_is_placed_in_the_file_that_has_it() -> None:
    error = raised(lambda: compile("\n)", "neighbour.py", "exec"))
    assert place_of(error) == "neighbour.py:2"

"""Agents, and the files that define them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import pytest

from duvo.local import (
    Agent,
    AgentFileError,
    AgentFiles,
    EngineError,
    RunContext,
    Server,
    agent,
    load_agents,
)

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a file of agents and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "my_agents.py"
        path.write_text(textwrap.dedent(text))
        return path

    return write


def test_the_id_of_an_agent_depends_on_its_name_only() -> None:
    @agent("Invoice approver")
    async def one(run: RunContext) -> None: ...

    assert one.id == "acb49086-f4cb-5876-b29a-bb67418af699"


def test_a_description_takes_precedence_over_the_docstring() -> None:
    @agent("One")
    async def one(run: RunContext) -> None:
        """Does one thing."""

    @agent("Two", description="Does two things.")
    async def two(run: RunContext) -> None:
        """Does one thing."""

    assert (one.description, two.description) == ("Does one thing.", "Does two things.")


def test_a_sync_function_and_a_bad_name_are_refused_by_the_decorator() -> None:
    with pytest.raises(TypeError, match="must be an async function"):
        agent("Sync")(lambda run: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="needs a name"):
        agent(lambda run: None)  # type: ignore[arg-type]
    for name in ("", " ", "two\nlines", "nul \0"):
        with pytest.raises(ValueError, match="a line of printable text"):
            agent(name)


async def no_argument() -> None: ...
async def two_arguments(run: RunContext, x: int) -> None: ...
async def a_keyword(run: RunContext, *, x: int) -> None: ...
async def a_default(run: RunContext, x: int = 1, *, y: int = 2) -> None: ...
async def any_arguments(*args: Any, **kwargs: Any) -> None: ...


def with_database(function: Any) -> Any:
    @wraps(function)
    async def call(run: RunContext) -> Any:
        return await function(run, "database")

    return call


class Shop:
    async def buyer(self, run: RunContext) -> None: ...


@pytest.mark.parametrize("function", [no_argument, two_arguments, a_keyword, Shop.buyer])
def test_a_function_that_does_not_take_the_run_alone_is_refused(function: Any) -> None:
    with pytest.raises(TypeError, match="agent 'One' must take one argument, the run"):
        agent("One")(function)


@pytest.mark.parametrize(
    "function",
    [
        a_default,
        any_arguments,
        Shop().buyer,
        partial(two_arguments, x=1),
        with_database(two_arguments),
    ],
)
def test_a_function_that_takes_the_run_among_others_is_an_agent(function: Any) -> None:
    assert agent("One")(function).function is function


def test_a_path_of_agents_may_begin_with_a_tilde(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(
        """
        from duvo.local import agent

        @agent("One")
        async def one(run): ...
        """
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [one.name for one in load_agents(f"~/{Path(path).relative_to(tmp_path)}")] == ["One"]


def test_agent_files_may_be_a_single_path(write: Write) -> None:
    path = write("from duvo.local import agent\n@agent('One')\nasync def one(run): ...\n")
    for paths in (path, str(path), [path]):
        assert [found.name for found in AgentFiles(paths).load()] == ["One"]


def test_a_files_agents_are_loaded_in_order(write: Write) -> None:
    path = write(
        """
        from duvo.local import agent

        @agent("Second")
        async def b(run): ...

        @agent("First")
        async def a(run): ...

        also = a
        """
    )
    assert [found.name for found in load_agents(path)] == ["Second", "First"]
    assert [found.name for found in load_agents(str(path))] == ["Second", "First"]


def test_a_file_may_import_modules_beside_it_and_its_folder_is_last_on_sys_path(
    write: Write, tmp_path: Path
) -> None:
    (tmp_path / "neighbour_of_agents.py").write_text("NAME = 'From next door'\n")
    before = list(sys.path)
    path = write(
        """
        from dataclasses import dataclass
        from neighbour_of_agents import NAME
        from duvo.local import agent

        @dataclass
        class State:
            count: int = 0

        @agent(NAME)
        async def a(run): ...
        """
    )
    assert [found.name for found in load_agents(path)] == ["From next door"]
    assert sys.path == [*before, str(tmp_path)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n", "no agents; decorate an async function"),
        ("x = 1\ndef broken(:\n", r"my_agents\.py, line 2: SyntaxError: invalid syntax"),
        ("\nimport no_such_module_at_all\n", "line 2: ModuleNotFoundError: No module named"),
        ("def f():\n    raise OSError('two\\nlines')\nf()\n", "line 2: OSError: two lines"),
        ("import sys\nsys.exit(1)\n", "it exits when it is imported"),
        (
            "from duvo.local import agent\n"
            "@agent('One')\nasync def a(run): ...\n"
            "@agent('One')\nasync def b(run): ...\n",
            "two agents are named 'One'",
        ),
        (
            "from duvo.local import agent\n@agent('One')\ndef a(run): ...\n",
            r"line [23]: TypeError: agent 'One' must be an async function",
        ),
        (
            "from duvo.local import agent\n@agent('One')\nasync def a(): ...\n",
            r"line [23]: TypeError: agent 'One' must take one argument, the run",
        ),
    ],
)
def test_a_bad_file_is_refused_in_one_line(write: Write, text: str, expected: str) -> None:
    path = write(text)
    with pytest.raises(AgentFileError, match=expected) as caught:
        load_agents(path)
    assert "\n" not in str(caught.value)
    assert "my_agents.py" in str(caught.value)


def test_a_missing_file_and_a_file_without_py_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AgentFileError, match="there is no such file"):
        load_agents(tmp_path / "missing.py")
    with pytest.raises(AgentFileError, match=": a directory; give a Python file with agents"):
        load_agents(tmp_path)
    other = tmp_path / "agents.txt"
    other.write_text("")
    with pytest.raises(AgentFileError, match=r"must end in \.py"):
        load_agents(other)


def test_an_agent_of_a_file_that_is_loaded_and_imported_is_served_once(tmp_path: Path) -> None:
    one, two = tmp_path / "agents_alpha.py", tmp_path / "agents_beta.py"
    one.write_text("from duvo.local import agent\n@agent('Alpha')\nasync def alpha(run): ...\n")
    two.write_text(
        "from agents_alpha import alpha\nfrom duvo.local import agent\n"
        "@agent('Beta')\nasync def beta(run): ...\n"
    )
    for files in ((one, two), (two, one), (one, one, two)):
        agents = [found for file in files for found in load_agents(file)]
        names = {found.name for found in Server(agents, examples=False).agents}
        assert names == {"Alpha", "Beta"}


@pytest.mark.parametrize("agents", [None, "agents.py", 5])
def test_a_server_of_something_else_than_a_list_of_agents_is_refused(agents: Any) -> None:
    with pytest.raises(EngineError, match="give a list of agents, such as"):
        Server(agents)


def test_a_server_of_a_single_agent_is_refused() -> None:
    @agent("One")
    async def one(run: RunContext) -> None: ...

    with pytest.raises(EngineError, match=r"give a list of agents, .* not <Agent 'One'"):
        Server(one)  # type: ignore[arg-type]


def test_two_agents_of_the_same_name_are_refused_with_their_places(tmp_path: Path) -> None:
    text = "from duvo.local import agent\n@agent('Alpha')\nasync def alpha(run): ...\n"
    files = [tmp_path / "first.py", tmp_path / "second.py"]
    for file in files:
        file.write_text(text)
    with pytest.raises(EngineError, match="two agents are named 'Alpha'") as caught:
        Server([found for file in files for found in load_agents(file)])
    assert all(f"{file}, line " in str(caught.value) for file in files)


def test_two_agents_of_the_same_name_from_one_factory_are_refused() -> None:
    def make() -> Agent:
        @agent("Twin")
        async def twin(run: RunContext) -> None: ...

        return twin

    with pytest.raises(EngineError, match="two agents are named 'Twin'"):
        Server([make(), make()])

"""Modules of agent files: which names they have, and what their imports find."""

from __future__ import annotations

import asyncio
import pickle
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from duvo.local import Agent, AgentFileError, AgentFiles, load_agents

WriteAll = Callable[..., Path]

AGENT = """
from duvo.local import agent

@agent("One")
async def one(run):
"""


@pytest.fixture(autouse=True)
def unchanged_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The modules and the path of this process, restored afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    yield
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> WriteAll:
    """A function that writes files by their paths, and returns the path of the first."""

    def write(**files: str) -> Path:
        paths = [tmp_path / f"{name.replace('__', '/')}.py" for name in files]
        for path, text in zip(paths, files.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            for folder in path.parents:
                if folder == tmp_path or "package" not in folder.name:
                    break
                (folder / "__init__.py").touch()
            path.write_text(textwrap.dedent(text))
        return paths[0]

    return write


def call(agent: Agent) -> Any:
    """Return what the agent's function returns."""

    async def awaited() -> Any:
        return await agent.function(None)  # type: ignore[arg-type]

    return asyncio.run(awaited())


def names(path: Path) -> list[str]:
    return [agent.name for agent in load_agents(path)]


@pytest.mark.parametrize(
    "statement",
    [
        "import helper; return helper.NAME",
        "from helper import NAME; return NAME",
        "import folder.inner; return folder.inner.NAME",
        "from folder import inner; return inner.NAME",
        "import folder.inner as inner; return inner.NAME",
        "import importlib; return importlib.import_module('helper').NAME",
    ],
)
def test_a_neighbour_is_imported_while_an_agent_runs(write: WriteAll, statement: str) -> None:
    path = write(
        agents=f"{AGENT}    {statement}\n",
        helper="NAME = 'neighbour'",
        folder__inner="NAME = 'neighbour'",
    )
    (agent,) = load_agents(path)
    assert call(agent) == "neighbour"


def test_a_neighbour_is_imported_in_a_thread_and_by_another_neighbour(write: WriteAll) -> None:
    path = write(
        agents=f"{AGENT}    from helper import later; return later()\n",
        helper="def later():\n    from other import NAME\n    return NAME",
        other="NAME = 'neighbour'",
    )
    (agent,) = load_agents(path)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(call(agent)))
    thread.start()
    thread.join()
    assert found == ["neighbour"]


def test_neighbours_of_one_name_in_two_folders_are_kept_apart(write: WriteAll) -> None:
    file = f"{AGENT}    from helper import NAME; return NAME\n"
    write(
        first__agents=file,
        first__helper="NAME = 'first'",
        second__agents=file,
        second__helper="NAME = 'second'",
    )
    root = write(first__agents=file).parent.parent
    (first,), (second,) = (load_agents(root / name / "agents.py") for name in ("first", "second"))
    assert (call(second), call(first)) == ("second", "first")
    assert sys.modules["agents"].one is first


@pytest.mark.parametrize("name", ["queue", "calendar", "requests", "time", "email"])
def test_a_file_named_like_a_library_replaces_it_for_no_other_code(
    write: WriteAll, name: str
) -> None:
    before = sys.modules.get(name)
    path = write(**{name: f"{AGENT}    return __name__\n"})
    (agent,) = load_agents(path)
    assert call(agent) == name
    assert sys.modules.get(name) is before


def test_a_neighbour_precedes_an_installed_package_of_its_name(write: WriteAll) -> None:
    path = write(agents=f"{AGENT}    import attrs; return attrs.NAME\n", attrs="NAME = 'mine'")
    (agent,) = load_agents(path)
    assert call(agent) == "mine"
    import attrs

    assert hasattr(attrs, "frozen")


def test_a_folder_without_code_hides_no_installed_package(write: WriteAll, tmp_path: Path) -> None:
    (tmp_path / "yaml").mkdir()
    path = write(agents=f"{AGENT}    import yaml; return yaml.safe_load('1')\n")
    (agent,) = load_agents(path)
    assert call(agent) == 1


def test_a_package_of_several_folders_is_imported_whole(
    write: WriteAll, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(installed__shared__theirs="NAME = 'theirs'")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    path = write(
        agents=f"import shared.mine\n{AGENT}    from shared import theirs\n"
        "    return shared.mine.NAME, theirs.NAME\n",
        shared__mine="NAME = 'mine'",
    )
    (agent,) = load_agents(path)
    assert call(agent) == ("mine", "theirs")


def test_a_folder_of_modules_that_was_imported_by_name_is_reloaded(write: WriteAll) -> None:
    path = write(
        agents=f"import importlib\n{AGENT}    importlib.import_module('folder.inner')\n"
        "    import folder.inner; return folder.inner.NAME\n",
        folder__inner="NAME = 1",
    )
    (old,) = load_agents(path)
    assert call(old) == 1
    write(folder__inner="NAME = 2")
    (new,) = load_agents(path)
    assert (call(new), call(old)) == (2, 1)


def test_a_file_in_a_package_imports_relatively_and_absolutely(write: WriteAll) -> None:
    path = write(
        package__sub_package__agents=f"""
            from . import near
            from .. import far
            from ..far import NAME
            import package.far
            import near as beside
            {textwrap.indent(AGENT, " " * 12).strip()}
                from .near import LATER
                return __name__, near.NAME, far.NAME, NAME, beside.NAME, LATER
            """,
        package__sub_package__near="NAME = 'near'\nLATER = 'later'",
        package__far="NAME = 'far'",
    )
    (agent,) = load_agents(path)
    found = ("package.sub_package.agents", "near", "far", "far", "near", "later")
    assert call(agent) == found


def test_a_package_that_imports_the_file_and_defines_agents_is_executed_once(
    write: WriteAll, tmp_path: Path
) -> None:
    path = write(package__agents=AGENT + "    return __name__\n")
    package = tmp_path / "package" / "__init__.py"
    package.write_text(
        "from duvo.local import agent\nfrom .agents import one\n"
        "@agent('Two')\nasync def two(run): return one\n"
    )
    first, second = load_agents(path)
    assert (first.name, call(first)) == ("One", "package.agents")
    assert call(second) is first


def test_a_module_that_is_missing_is_named(write: WriteAll) -> None:
    for statement in ("import helper.nothing", "from folder import nothing", "from . import x"):
        path = write(agents=f"{statement}\n", helper="", folder__inner="")
        with pytest.raises(AgentFileError, match=r"line 1: .*(nothing|known parent)"):
            load_agents(path)


def test_an_error_in_a_neighbour_is_placed_there(write: WriteAll) -> None:
    path = write(agents="\nimport helper\n", helper="NAME = 1\n(")
    with pytest.raises(AgentFileError, match=r"line 2: SyntaxError: .* \(helper\.py:2\)"):
        load_agents(path)
    write(helper="NAME = 1\n1 / 0")
    with pytest.raises(AgentFileError, match=r"line 2: Zero.* zero \(helper\.py:2\)"):
        load_agents(path)
    write(agents="\n1 / 0")
    with pytest.raises(AgentFileError, match=r"line 2: Zero.* zero$"):
        load_agents(path)


def test_circular_imports_of_a_file_and_its_neighbour_work(write: WriteAll) -> None:
    path = write(
        agents=f"NAME = 'mine'\nimport helper\n{AGENT}    return helper.name()\n",
        helper="import agents\ndef name():\n    return agents.NAME",
    )
    (agent,) = load_agents(path)
    assert call(agent) == "mine"


def test_definitions_of_an_agent_file_can_be_pickled_and_described(write: WriteAll) -> None:
    path = write(
        agents=f"""
            from __future__ import annotations
            from dataclasses import dataclass
            from typing import ClassVar, get_type_hints
            {textwrap.indent(AGENT, " " * 12).strip()}
                return State(1)

            @dataclass
            class State:
                count: int
                kind: ClassVar[str] = "state"
            assert get_type_hints(State) == {{"count": int, "kind": ClassVar[str]}}
            """
    )
    (agent,) = load_agents(path)
    state = call(agent)
    assert pickle.loads(pickle.dumps(state)) == state


def test_no_decorated_function_is_lost(write: WriteAll) -> None:
    path = write(
        agents="""
            import parts
            from duvo.local import agent

            @agent("First")
            async def main(run): ...

            @agent("Second")
            async def main(run): ...

            for country in ("DE", "FR"):
                @agent(f"Invoices {country}")
                async def invoices(run): ...

            def make(name):
                @agent(name)
                async def made(run): ...

            make("Made")
            """,
        parts="from duvo.local import agent\n@agent('Part')\nasync def part(run): ...",
    )
    expected = ["Part", "First", "Second", "Invoices DE", "Invoices FR", "Made"]
    assert names(path) == expected
    assert names(path.parent / "parts.py") == ["Part"]
    assert names(path) == expected


@pytest.mark.parametrize(
    "text",
    [
        "@agent('One')\nasync def a(run): ...\n@agent('One')\nasync def a(run): ...\n",
        "for _ in range(2):\n    @agent('One')\n    async def a(run): ...\n",
        "import parts\n@agent('One')\nasync def a(run): ...\n",
        "for n in '12':\n    exec(f'@agent(\"One\")\\nasync def a(run): return {n}')\n",
    ],
)
def test_two_agents_of_one_name_are_refused_with_both_places(write: WriteAll, text: str) -> None:
    path = write(
        agents=f"from duvo.local import agent\n{text}",
        parts="from duvo.local import agent\n@agent('One')\nasync def a(run): ...",
    )
    with pytest.raises(AgentFileError, match=r"two agents are named 'One'") as caught:
        load_agents(path)
    assert str(caught.value).count(", line ") == 2


def test_a_file_that_is_loaded_again_is_loaded_with_its_neighbours(write: WriteAll) -> None:
    path = write(
        agents=f"import helper\nimport folder.inner\ndef plain(): ...\n{AGENT}"
        "    import importlib\n    name = importlib.import_module('other').NAME\n"
        "    return helper.NAME, folder.inner.NAME, name\n",
        helper="NAME = 1",
        folder__inner="NAME = 1",
        other="NAME = 1",
    )
    (old,) = load_agents(path)
    assert call(old) == (1, 1, 1)
    # Of the same size, and in the same second.
    write(helper="NAME = 2", folder__inner="NAME = 2", other="NAME = 2")
    (new,) = load_agents(path)
    assert call(new) == (2, 2, 2)
    assert call(old)[:2] == (1, 1)
    plain = new.function.__globals__["plain"]
    assert pickle.loads(pickle.dumps(plain)) is plain


def test_a_file_that_fails_leaves_the_modules_of_its_folder_as_they_were(write: WriteAll) -> None:
    path = write(agents=f"import helper\n{AGENT}    return helper.NAME\n", helper="NAME = 1")
    (old,) = load_agents(path)
    before = dict(sys.modules)
    write(agents="import helper, added\nraise ValueError", helper="NAME = 2", added="")
    with pytest.raises(AgentFileError, match="line 2: ValueError"):
        load_agents(path)
    assert call(old) == 1
    assert sys.modules == before
    write(agents=f"import helper\n{AGENT}    return helper.NAME\n")
    (new,) = load_agents(path)
    assert call(new) == 2


def test_a_neighbour_that_the_program_imported_is_shared_with_it(write: WriteAll) -> None:
    path = write(agents=f"import helper\n{AGENT}    return helper\n", helper="NAME = 1")
    sys.path.append(str(path.parent))
    import helper  # type: ignore[import-not-found]

    for _ in range(2):
        (agent,) = load_agents(path)
        assert call(agent) is helper


@pytest.mark.parametrize("error", ["GeneratorExit", "BaseException", "SystemExit"])
def test_whatever_a_file_raises_is_an_agent_file_error(write: WriteAll, error: str) -> None:
    path = write(agents=f"raise {error}('odd')\n")
    with pytest.raises(AgentFileError, match=r"agents\.py"):
        load_agents(path)


def test_a_folder_that_is_called_duvo_beside_a_file_is_not_what_agents_import(
    write: WriteAll, tmp_path: Path
) -> None:
    path = write(package__agents=f"{AGENT}    pass\n")
    (tmp_path / "duvo").mkdir()
    (tmp_path / "duvo" / "__init__.py").touch()
    assert [agent.name for agent in load_agents(path)] == ["One"]


def test_a_file_or_neighbour_that_changed_is_named_until_it_is_loaded(write: WriteAll) -> None:
    path = write(agents=f"import helper\n{AGENT}    ...\n", helper="", unrelated="")
    files = AgentFiles([path])
    files.load()
    assert (files.folders, files.changed()) == ({path.parent}, [])
    helper = write(helper="NAME = 1")
    write(unrelated="NAME = 1", new="")
    assert files.changed() == [helper]
    files.load()
    assert files.changed() == []
    helper.unlink()
    assert files.changed() == [helper]


def test_files_that_failed_to_load_are_named_when_they_or_files_beside_them_change(
    write: WriteAll,
) -> None:
    path = write(agents=AGENT + "    ...\n")
    files = AgentFiles([path])
    files.load()
    for text, kind in (
        ("import later\n", "ModuleNotFound"),
        ("(", "SyntaxError"),
        ("", "no agents"),
    ):
        write(agents=text)
        assert files.changed() == [path]
        with pytest.raises(AgentFileError, match=kind):
            files.load()
        assert files.changed() == []
    later = write(later="")
    assert files.changed() == [later]
    path.unlink()
    assert set(files.changed()) == {path, later}
    with pytest.raises(AgentFileError, match="no such file"):
        files.load()
    assert files.changed() == []
    write(agents=AGENT + "    ...\n")
    assert files.changed() == [path]


def test_one_of_several_files_that_fails_leaves_the_modules_of_all(write: WriteAll) -> None:
    agent = "from duvo.local import agent\n@agent('{0}')\nasync def f(run): return {1}\n"
    write(first__agents=agent.format("First", 1), second__agents=agent.format("Second", 1))
    root = write(first__agents=agent.format("First", 1)).parent.parent
    files = AgentFiles([root / "first/agents.py", root / "second/agents.py"])
    old, _ = files.load()
    before = dict(sys.modules)
    write(first__agents=agent.format("First", 2), second__agents="raise ValueError")
    with pytest.raises(AgentFileError, match=r"second/agents\.py, line 1: ValueError"):
        files.load()
    assert (sys.modules, call(old)) == (before, 1)
    write(second__agents=agent.format("First", 2))
    with pytest.raises(AgentFileError, match="two agents are named 'First'"):
        files.load()
    write(second__agents=agent.format("Second", 2))
    assert [call(new) for new in files.load()] == [2, 2]


def test_a_neighbour_that_fails_while_an_agent_runs_is_imported_again(write: WriteAll) -> None:
    path = write(
        agents=f"{AGENT}    import helper; return helper.NAME\n", helper="raise ValueError"
    )
    (agent,) = load_agents(path)
    with pytest.raises(ValueError):
        call(agent)
    assert "helper" not in sys.modules
    write(helper="NAME = 1")
    assert call(agent) == 1

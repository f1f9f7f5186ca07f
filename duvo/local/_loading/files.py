"""Loading agents from Python files, and combining them by name."""

from __future__ import annotations

import inspect
import os
import threading
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from .._log.tracebacks import format_error, place_of
from .._text import describe
from ..agents import Agent
from ..errors import AgentFileError, EngineError
from . import modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType


_MAIN = threading.main_thread()


def load_agents(path: str | os.PathLike[str]) -> list[Agent]:
    """Return the agents that a Python file and the modules beside it define, in order.

    The file is executed as the module of its name, and may import modules
    beside it at any time. Its folder is added to the end of `sys.path`, for
    processes that it spawns. A file that was loaded before is loaded again,
    with the modules beside it.

    Args:
        path: the file.

    Raises:
        AgentFileError: the file is missing, fails, defines no agents, or
            defines two of the same name.
    """
    return AgentFiles(path).load()


class AgentFiles:
    """Files of agents that can be loaded again when they have changed.

    Args:
        paths: the files, or a single one.
    """

    def __init__(self, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]):
        if isinstance(paths, (str, os.PathLike)):
            paths = [paths]
        # A path may begin with `~`. Without a home directory, it stays as it is.
        self._paths = [os.path.expanduser(path) for path in paths]  # noqa: PTH111
        self._files = [Path(path).absolute() for path in self._paths]
        # After a load that failed: the versions that it read, and the Python files that existed.
        self._versions: dict[Path, modules.Version | None] | None = None
        self._beside: set[Path] = set()

    def load(self) -> list[Agent]:
        """Load the files again, with the modules beside them, and return their agents.

        Raises:
            AgentFileError: see `load_agents`. The modules stay as they were.
        """
        versions = {file: modules.version_of(file) for file in {*self._files, *self._read()}}
        with modules.restored_on_failure():
            try:
                agents = _load_all(self._paths)
            except BaseException:
                self._versions = modules.files_read(self._files) | versions
                self._beside = self._python_files()
                raise
        self._versions = None
        return agents

    @property
    def folders(self) -> set[Path]:
        """The folders of the files, and of the modules that they import from beside them."""
        files = {*self._files, *self._read()}
        return {folder for file in files for folder in (file.parent, file.resolve().parent)}

    def changed(self) -> list[Path]:
        """Return the files that have changed since they were loaded.

        After a load that failed, new files count too: an import may have missed them.
        """
        read = self._read().items()
        changed = [file for file, version in read if modules.version_of(file) != version]
        if self._versions is not None:
            changed += sorted(self._python_files() - self._beside - set(changed))
        return changed

    def _read(self) -> dict[Path, modules.Version | None]:
        return modules.files_read(self._files) if self._versions is None else self._versions

    def _python_files(self) -> set[Path]:
        return {file for folder in self.folders for file in folder.glob("*.py")}


def _load_all(paths: Iterable[str | os.PathLike[str]]) -> list[Agent]:
    agents = [agent for path in paths for agent in _load(path)]
    try:
        return list(_by_name(agents).values())
    except EngineError as error:
        raise AgentFileError(str(error)) from None


def _load(path: str | os.PathLike[str]) -> list[Agent]:
    file = Path(path).absolute()
    if file.is_dir():
        raise AgentFileError(f"{path}: a directory; give a Python file with agents")
    if not file.is_file():
        raise AgentFileError(f"{path}: there is no such file; give a Python file with agents")
    if file.suffix != ".py":
        raise AgentFileError(f"{path}: not a Python file; its name must end in .py")
    module, decorated = _execute(file, str(path))
    imported = [value for value in vars(module).values() if isinstance(value, Agent)]
    try:
        agents = _by_name([*decorated, *imported])
    except EngineError as error:
        raise AgentFileError(f"{path}: {error}") from None
    if not agents:
        raise AgentFileError(
            f'{path}: no agents; decorate an async function with @agent("its name")'
        )
    return list(agents.values())


def combine(agents: Iterable[Agent], examples: bool) -> tuple[Agent, ...]:
    """Return the agents, each once, and the examples whose names are free if `examples` is set."""
    if isinstance(agents, (Agent, ModuleType, str)) or not isinstance(agents, Iterable):
        raise EngineError(f"give a list of agents, such as [invoice_approver], not {agents!r}")
    agents = list(agents)
    for item in agents:
        if isinstance(item, ModuleType):
            names = [key for key, value in vars(item).items() if isinstance(value, Agent)]
            name = f"{item.__name__}.{names[0] if names else 'NAME'}"
            raise EngineError(f"{item.__name__} is a module; give its agents, such as {name}")
        if not isinstance(item, Agent):
            raise EngineError(
                f"{item!r} is not an agent; decorate an async function with @agent(name)"
            )
    by_name = _by_name(agents)
    if examples:
        from ..examples import EXAMPLES

        for example in EXAMPLES:
            by_name.setdefault(example.name, example)
    return tuple(by_name.values())


def _execute(file: Path, shown: str) -> tuple[ModuleType, list[Agent]]:
    try:
        return modules.load(file)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is _MAIN:
            raise
        reason = f"{shown}{_line(error, file)}: {_reason(error, file)}"
        if isinstance(error, SystemExit):
            reason = f"{shown}: it exits when it is imported"
        raise AgentFileError(reason, format_error(error)) from error


def _line(error: BaseException, file: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f", line {error.lineno}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(file)
    ]
    return f", line {lines[-1]}" if lines else ""


def _reason(error: BaseException, file: Path) -> str:
    text = error.msg if isinstance(error, SyntaxError) else describe(error).partition(": ")[2]
    reason = ": ".join(filter(None, (type(error).__name__, " ".join(text.split()))))
    place = place_of(error)
    # A place is added if it is in a module that the file imports.
    return reason if place is None or place.startswith(f"{file.name}:") else f"{reason} ({place})"


def _by_name(agents: Iterable[Agent]) -> dict[str, Agent]:
    by_name: dict[str, Agent] = {}
    for agent in agents:
        first = by_name.setdefault(agent.name, agent)
        if first is not agent and not _is_same(first, agent):
            raise EngineError(
                f"two agents are named {agent.name!r}"
                f" ({_place(first)}; {_place(agent)}); give each its own name"
            )
    return by_name


def _is_same(first: Agent, second: Agent) -> bool:
    # A file that is both loaded and imported is compiled and executed twice: the code objects
    # differ, their lines do not. Agents of a factory share a code object, and are different agents.
    code, other = _code(first), _code(second)
    return (
        code is not None
        and other is not None
        and code is not other
        # Two functions of one execution are two agents, wherever their code comes from.
        and _function(first).__globals__ is not _function(second).__globals__
        and code.co_firstlineno == other.co_firstlineno
        and os.path.realpath(code.co_filename) == os.path.realpath(other.co_filename)
    )


def _function(agent: Agent) -> Any:
    return inspect.unwrap(agent.function)


def _code(agent: Agent) -> CodeType | None:
    return getattr(_function(agent), "__code__", None)


def _place(agent: Agent) -> str:
    code = _code(agent)
    return f"{code.co_filename}, line {code.co_firstlineno}" if code else repr(agent.function)

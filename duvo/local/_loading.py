"""Loading the agents of a Python file."""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
import uuid
from pathlib import Path

from ._same_agent import by_name
from .agents import Agent
from .errors import AgentFileError, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def load_agents(path: str | os.PathLike[str]) -> list[Agent]:
    """The agents that a Python file defines, in its order.

    The file is run once. Its folder is on the import path while it runs, so
    that it may import its neighbours.

    Args:
        path: the file.

    Raises:
        AgentFileError: the file is missing, cannot be run, or defines no
            agents or two of one name.
    """
    file = Path(path).absolute()
    if not file.is_file():
        raise AgentFileError(f"{path}: there is no such file; give a Python file with agents")
    if file.suffix != ".py":
        raise AgentFileError(f"{path}: not a Python file; its name must end in .py")
    module = _run(file, str(path))
    try:
        agents = by_name(value for value in vars(module).values() if isinstance(value, Agent))
    except EngineError as error:
        raise AgentFileError(f"{path}: {error}") from None
    if not agents:
        raise AgentFileError(
            f'{path}: no agents; decorate an async function with @agent("its name")'
        )
    return list(agents.values())


def _run(file: Path, shown: str) -> ModuleType:
    name = f"duvo_agents_{uuid.uuid5(uuid.NAMESPACE_URL, str(file)).hex}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise AgentFileError(f"{shown}: Python cannot load it")
    module = importlib.util.module_from_spec(spec)
    folder = str(file.parent)
    sys.path.insert(0, folder)
    # Dataclasses and pickle look a module up by its name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise AgentFileError(f"{shown}{_place(error, file)}: {_reason(error)}") from error
    except SystemExit as error:
        del sys.modules[name]
        raise AgentFileError(f"{shown}: it exits when it is imported") from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
    return module


def _place(error: Exception, file: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f", line {error.lineno}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(file)
    ]
    return f", line {lines[-1]}" if lines else ""


def _reason(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

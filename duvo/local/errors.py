"""What can go wrong with the engine itself, each told in one clear line.

EngineError
├── PortInUse
├── DatabaseLocked
├── DatabaseDamaged
├── AgentFileError
└── MissingExtra
"""

from __future__ import annotations


class EngineError(Exception):
    """The engine cannot start, or cannot be used so."""


class PortInUse(EngineError):
    """The port that was asked for belongs to another program."""


class DatabaseLocked(EngineError):
    """Another engine, or another program, holds the database."""


class DatabaseDamaged(EngineError):
    """The database cannot be opened, is no database of ours, or is of a newer version."""


class AgentFileError(EngineError):
    """A file of agents cannot be used: missing, broken, or without agents."""


class MissingExtra(EngineError):
    """The packages that the engine runs on are not installed."""


class ToolFailed(Exception):
    """A function called by `run.tool` raised an exception.

    Attributes:
        tool: the name that was given to the tool.
        error: the exception's type and message, the same again when the run
            is recovered and the function is not called a second time.
    """

    def __init__(self, tool: str, error: str):
        super().__init__(f"tool {tool!r} failed: {error}")
        self.tool = tool
        self.error = error

    def __reduce__(self) -> tuple[type[ToolFailed], tuple[str, str]]:
        return ToolFailed, (self.tool, self.error)


class CallOrderError(RuntimeError):
    """Two calls of one `run` were open at the same time."""

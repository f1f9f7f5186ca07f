"""Errors of the engine and of agents' calls.

EngineError
├── PortInUse
├── DatabaseLocked
├── DatabaseDamaged
├── DatabaseReplaced
├── AgentFileError
└── MissingExtra
ToolFailed
CallOrderError
"""

from __future__ import annotations


class EngineError(Exception):
    """The engine cannot start, or cannot be used this way."""


class PortInUse(EngineError):
    """Another program is listening on the port."""


class DatabaseLocked(EngineError):
    """Another engine or program holds the database."""


class DatabaseDamaged(EngineError):
    """The database cannot be opened, is not the engine's, or is of a newer version."""


class DatabaseReplaced(EngineError):
    """The database was removed or replaced while the engine was running."""


class AgentFileError(EngineError):
    """A file of agents is missing, broken, or defines no agents.

    Attributes:
        traceback: of an exception that the file raised: its text, and the lines of
            the author's code that it passed; otherwise empty.
    """

    def __init__(self, message: str, traceback: str = ""):
        super().__init__(message)
        self.traceback = traceback

    def __reduce__(self) -> tuple[type[AgentFileError], tuple[str, str]]:
        return AgentFileError, (str(self), self.traceback)


class MissingExtra(EngineError):
    """The packages that the engine needs are not installed."""


class ToolFailed(Exception):
    """A function called by `run.tool` raised an exception.

    Attributes:
        tool: the tool's name.
        error: the exception's type and message; the same when the run is
            recovered and the function is not called again.
    """

    def __init__(self, tool: str, error: str):
        super().__init__(f"tool {tool!r} failed: {error}")
        self.tool = tool
        self.error = error

    def __reduce__(self) -> tuple[type[ToolFailed], tuple[str, str]]:
        return ToolFailed, (self.tool, self.error)


class CallOrderError(RuntimeError):
    """Two calls of the same `run` were open at once, or a call was not awaited to its end."""

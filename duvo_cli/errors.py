"""Exit codes, and the errors that end a command with one line on stderr."""

from __future__ import annotations

from collections.abc import Iterable

ERROR = 1
NO_ACCESS = 2
NOT_FOUND = 3
RUN_FAILED = 4
RUN_STOPPED = 5
REQUEST_PENDING = 6
TIMED_OUT = 124

EXIT_CODES = (
    ("HumanRequestPending", REQUEST_PENDING),
    ("RunFailed", RUN_FAILED),
    ("RunStopped", RUN_STOPPED),
    ("WaitTimeout", TIMED_OUT),
    ("AuthenticationError", NO_ACCESS),
    ("MissingCredential", NO_ACCESS),
    ("UnknownProfile", NO_ACCESS),
    ("NotFound", NOT_FOUND),
    ("DuvoError", ERROR),
)
"""Exit codes by the SDK's errors; the first match counts."""


def worst(codes: Iterable[int]) -> int:
    """The exit code for several runs: the first in this order that applies to any of them."""
    found = set(codes)
    order = (RUN_FAILED, ERROR, REQUEST_PENDING, RUN_STOPPED, NOT_FOUND)
    return next((code for code in order if code in found), 0)


class CommandFailed(Exception):
    """The command cannot continue; the text says why and what to do.

    `commands` are lines of their own below the text, to be copied.
    """

    def __init__(self, text: str, code: int = ERROR, *, commands: Iterable[str] = ()):
        super().__init__(text)
        self.code = code
        self.commands = tuple(commands)


class UsageError(CommandFailed):
    """The command line is wrong; the help of `command`, without `duvo`, explains it."""

    def __init__(self, text: str, command: str = ""):
        name = f"duvo {command}".strip()
        super().__init__(f"{text}; see `{name} --help`")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a text that says what is still running, and commands below it."""

    def __init__(self, text: str, commands: Iterable[str] = ()):
        super().__init__(text)
        self.commands = tuple(commands)

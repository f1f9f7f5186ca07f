"""What ends a command early with one line on stderr."""

from __future__ import annotations


class CommandFailed(Exception):
    """A command cannot go on; its text is the one line that says why and what to do.

    Args:
        text: the line.
        code: the exit code.
    """

    def __init__(self, text: str, code: int = 1):
        super().__init__(text)
        self.code = code


class UsageError(CommandFailed):
    """The command line makes no sense.

    Args:
        text: what is wrong with it.
        command: the command whose help explains it, without `duvo`.
    """

    def __init__(self, text: str, command: str = ""):
        name = f"duvo {command}".strip()
        super().__init__(f"{text}; see `{name} --help`")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C where there is something to say about what goes on; its text says it."""

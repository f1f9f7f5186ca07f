"""Text for a message: from the command line, from stdin, or from a file."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import CommandFailed

HELP = "the text; - reads stdin, @FILE a file (and @@… is text that begins with @)"


def text_of(argument: str) -> str:
    """The text that an argument `TEXT`, `-` or `@FILE` means.

    Raises:
        CommandFailed: stdin or the file cannot be read, or is no UTF-8.
    """
    if argument == "-":
        return _decoded(read_stdin(), "stdin")
    if argument.startswith("@@"):
        return argument[1:]
    if argument.startswith("@"):
        return _decoded(read_file(argument[1:]), argument[1:])
    return argument


def read_file(name: str) -> bytes:
    """The bytes of a file.

    Raises:
        CommandFailed: it cannot be read.
    """
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CommandFailed(
            f"cannot read {name!r}: {error.strerror}; text that begins with @ is written @@…"
        ) from None


def read_stdin() -> bytes:
    """All of stdin, as bytes.

    Raises:
        CommandFailed: stdin is closed.
    """
    if sys.stdin is None:
        raise CommandFailed("cannot read stdin: it is closed")
    return sys.stdin.buffer.read()


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CommandFailed(f"{source} is not UTF-8 text") from None

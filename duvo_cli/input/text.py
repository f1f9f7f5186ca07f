"""Text that is given on the command line, on stdin or in a file."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

HELP = "the text; - reads stdin, @FILE reads a file, @@… is text that begins with @"


def text_of(argument: str) -> str:
    """The text of an argument `TEXT`, `-` or `@FILE`."""
    if argument == "-":
        return _decoded(stdin().read(), "stdin")
    if argument.startswith("@@"):
        return argument[1:]
    if argument.startswith("@"):
        return _decoded(read_file(argument[1:]), argument[1:])
    return argument


def read_file(name: str) -> bytes:
    """Read a file."""
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CommandFailed(
            f"cannot read {name!r}: {error.strerror}; text that begins with @ is written @@…"
        ) from None


def stdin() -> BinaryIO:
    """The binary stream of stdin, if it is open."""
    if sys.stdin is None:
        raise CommandFailed("cannot read stdin: it is closed")
    return sys.stdin.buffer


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CommandFailed(f"{source} is not UTF-8 text") from None

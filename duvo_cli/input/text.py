"""Text that is given on the command line, on stdin or in a file."""

from __future__ import annotations

import codecs
import os
import sys
from pathlib import Path

from ..errors import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

HELP = "the text; - reads stdin, @FILE reads a file, @@… is text that begins with @"
ALSO = "TEXT may be -, @FILE or @@… as in --message"

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_read: BinaryIO | None = None


def text_of(argument: str) -> str:
    """The text of an argument `TEXT`, `-` or `@FILE`."""
    if argument == "-":
        return _decoded(stdin().read(), "stdin")
    if argument.startswith("@@"):
        return argument[1:]
    if argument.startswith("@"):
        return _decoded(read_argument(argument), argument[1:])
    return argument


def read_argument(argument: str) -> bytes:
    """Read the file of an argument `@FILE`, which may have been meant as text."""
    hint = "text that begins with @ is written @@…"
    if argument == "@":
        raise CommandFailed(f"give the name of a file after @; {hint}")
    return read_file(argument[1:], f"; {hint}")


def read_file(name: str, hint: str = "") -> bytes:
    """Read a file. Its `~` is expanded here: in `@~/FILE`, a shell leaves it."""
    try:
        return Path(os.path.expanduser(name)).read_bytes()  # noqa: PTH111
    except OSError as error:
        raise CommandFailed(f"cannot read {name!r}: {error.strerror}{hint}") from None


def stdin() -> BinaryIO:
    """The binary stream of stdin, if it is open and was not taken before."""
    global _read
    if sys.stdin is None:
        raise CommandFailed("cannot read stdin: it is closed")
    if sys.stdin.buffer is _read:
        raise CommandFailed("stdin is read only once: only one argument may be -")
    _read = sys.stdin.buffer
    return _read


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError:
        raise CommandFailed(f"{source} is not UTF-8 text") from None

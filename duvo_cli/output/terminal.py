"""The terminal: whether there is one, its width and colours, and what must not reach it."""

from __future__ import annotations

import contextlib
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import TextIO, TypeAlias

    from .live import Live

    Paint: TypeAlias = Callable[[str, str], str]

shown: Live | None = None
"""What stands on the screen and is drawn again and again, if anything."""

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}

# C0 as their pictures; DEL, C1, and what changes the direction of text, by number,
# as JSON may write them too.
_HARMLESS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
_HARMLESS.update(
    {
        code: f"\\u{code:04x}"
        for code in (
            *range(0x7F, 0xA0),
            0x061C,
            0x200E,
            0x200F,
            *range(0x2028, 0x202F),
            *range(0x2066, 0x206A),
        )
    }
)


def harmless(text: str) -> str:
    """The text without control characters, which are shown instead of obeyed."""
    return text.replace("\r\n", "\n").translate(_HARMLESS)


def in_one_line(text: str) -> str:
    """The text on one line, harmless."""
    return harmless(" ".join(text.split()))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody sees what is written there as it is written."""
    return stream is not None and stream.isatty()


def width(stream: TextIO) -> int | None:
    """Columns of the terminal, or None where it is none and lines may be of any length."""
    if not is_terminal(stream):
        return None
    from shutil import get_terminal_size

    return get_terminal_size().columns


def paint_for(stream: TextIO) -> Paint:
    """What colours text for that stream: a function of text and colour."""
    coloured = (
        is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )
    return _painted if coloured else _plain


def _painted(text: str, colour: str) -> str:
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if colour and text else text


def _plain(text: str, colour: str) -> str:
    return text


def hidden() -> AbstractContextManager[None]:
    """Take what is drawn again and again away while something else is written."""
    return shown.hidden() if shown is not None else contextlib.nullcontext()


def write(text: str) -> None:
    """Write a line or more to stdout, at once."""
    with hidden():
        print(text, flush=True)


def say(text: str) -> None:
    """Write one line to stderr, with the command's name before it."""
    write_aside([f"duvo: {in_one_line(text)}"])


def write_aside(lines: list[str]) -> None:
    """Write lines to stderr. Nothing there, or nobody who reads it, is no error."""
    with hidden(), _ignoring_a_lost_reader():
        print("\n".join(lines), file=sys.stderr, flush=True)


@contextlib.contextmanager
def _ignoring_a_lost_reader() -> Iterator[None]:
    try:
        yield
    except OSError:
        return

"""The terminal: its width and colours, writing to it, and characters it must not receive."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, TextIO

    class Redrawn(Protocol):
        """Lines on the screen that are redrawn in place."""

        detail: str

        def hidden(self) -> AbstractContextManager[None]: ...


Paint = Callable[[str, str], str]
"""A function of text and a colour that returns coloured text."""

_LONGEST_WORD = 400
_LONGEST_LINE = 8000

shown: Redrawn | None = None
"""The lines being redrawn in place, if any."""

own_stdout: TextIO | None = None
"""The stdout of a command whose other code prints to stderr."""

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}

# C0 as their pictures; DEL, C1 and characters that change the direction of
# text as escapes, which are valid in JSON too.
_DIRECTIONAL = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_HARMLESS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
_HARMLESS.update({code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), *_DIRECTIONAL)})


def harmless(text: str) -> str:
    """The text with control characters made visible, so that no terminal obeys them."""
    return text.replace("\r\n", "\n").translate(_HARMLESS)


def in_one_line(text: str) -> str:
    """The text on one line, without control characters."""
    return harmless(" ".join(text.split()))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether the stream is open and a terminal."""
    return stream is not None and stream.isatty()


def is_utf8(stream: TextIO | None) -> bool:
    """Whether the stream is open and encodes text as UTF-8."""
    return stream is not None and (stream.encoding or "").lower().replace("-", "") == "utf8"


def can_prompt() -> bool:
    """Whether a person can be asked: stdin and stderr are terminals, not used by another job."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return False
    if sys.platform == "win32" or not hasattr(os, "tcgetpgrp"):
        return True
    try:
        # A job in the background would be stopped when it reads from the terminal.
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return True


def can_redraw(stream: TextIO | None) -> bool:
    """Whether the stream is a terminal that obeys escape sequences."""
    if stream is None or not is_terminal(stream):
        return False
    if os.environ.get("TERM") in ("dumb", "unknown"):
        return False
    if sys.platform == "win32":
        from ..windows import make_obey_escapes

        return make_obey_escapes(stream)
    return True


def size(stream: TextIO) -> os.terminal_size:
    """Columns and lines of the terminal that this stream writes to."""
    with contextlib.suppress(OSError, ValueError):
        found = os.get_terminal_size(stream.fileno())
        if found.columns and found.lines:
            return found
    from shutil import get_terminal_size

    return get_terminal_size()


def width(stream: TextIO) -> int | None:
    """Columns of the terminal, or None for other streams, whose lines may have any length."""
    return size(stream).columns if is_terminal(stream) else None


def paint_for(stream: TextIO) -> Paint:
    """A function that colours text, if the stream shows colours."""
    coloured = can_redraw(stream) and not os.environ.get("NO_COLOR")
    return _painted if coloured else lambda text, colour: text


def _painted(text: str, colour: str) -> str:
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if colour and text else text


def hidden() -> AbstractContextManager[None]:
    """Hide the lines that are redrawn in place while something else is written."""
    return shown.hidden() if shown is not None else contextlib.nullcontext()


def stdout() -> TextIO | None:
    """The stream of the command's output; None if stdout is closed."""
    return own_stdout or sys.stdout


def write(text: str) -> None:
    """Write text and a newline to stdout, unbuffered."""
    with hidden():
        print(text, file=stdout(), flush=True)


def say(text: str, *more: str) -> None:
    """Write one line to stderr, prefixed with the command's name, and more lines as they are.

    Words and lines of any length lose their middle.
    """
    words = [_without_middle(word, _LONGEST_WORD) for word in in_one_line(text).split(" ")]
    lines = [" ".join(words), *map(harmless, more)]
    first, *rest = [_without_middle(line, _LONGEST_LINE) for line in lines]
    write_aside([f"duvo: {first}", *rest])


def _without_middle(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    part = longest // 2
    return f"{text[:part]} …({len(text) - 2 * part:,} characters)… {text[-part:]}"


def write_aside(lines: list[str]) -> None:
    """Write lines to stderr. A closed stderr is not an error."""
    with hidden(), contextlib.suppress(OSError):
        print("\n".join(lines), file=sys.stderr, flush=True)

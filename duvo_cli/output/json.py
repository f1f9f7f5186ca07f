"""JSON on stdout: one document, or one on each line."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import CommandFailed
from . import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_filter: Any = None
"""The compiled expression of --jq."""


def filter_by(expression: str) -> None:
    """Print what this jq expression makes of each document instead."""
    global _filter
    try:
        import jq  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise CommandFailed(
            "--jq needs the package jq; install it: pip install 'duvo[jq]'"
        ) from None
    try:
        _filter = jq.compile(expression)
    except ValueError as error:
        raise CommandFailed(f"--jq: not a jq expression: {error}") from None


def print_document(data: object) -> None:
    """Print one indented document."""
    _print(lambda indent: _encoded(data, indent), indent=2)


def print_unfiltered(data: object) -> None:
    """Print one indented document as it is, also with --jq."""
    terminal.write(_encoded(data, 2))


def print_line(data: object) -> None:
    """Print one document on a line of its own, unbuffered."""
    _print(lambda indent: _encoded(data, indent), indent=None)


def print_row(data: object) -> None:
    """Print a document like `print_line`, the numbers of a row as they are in its file."""
    from duvo._tables import numbers

    def encode(indent: int | None) -> str:
        return _printable(lambda is_ascii: numbers.as_json(data, ensure_ascii=is_ascii))

    _print(encode, indent=None)


def _print(encode: Callable[[int | None], str], indent: int | None) -> None:
    if _filter is None:
        terminal.write(encode(indent))
        return
    try:
        for value in _filter.input_text(encode(None)):
            if isinstance(value, str):
                is_terminal = terminal.is_terminal(terminal.stdout())
                terminal.write(terminal.harmless(value) if is_terminal else value)
            else:
                terminal.write(_encoded(value, None))
    except ValueError as error:
        # This is all that jq says of an input that is missing.
        no_input = "each document is filtered by itself: `input` has no other to read"
        text = no_input if str(error) == "break" else str(error)
        raise CommandFailed(f"--jq: {text}") from None


def _encoded(data: object, indent: int | None) -> str:
    import json

    return _printable(lambda is_ascii: json.dumps(data, indent=indent, ensure_ascii=is_ascii))


def _printable(encode: Callable[[bool], str]) -> str:
    stdout = terminal.stdout()
    if not terminal.is_utf8(stdout):
        return encode(True)
    # Lone surrogates leave a UTF-8 stdout as \\udXXX, their escape in JSON.
    text = encode(False)
    # JSON leaves C1 and bidi characters unescaped, and a terminal would obey them.
    return terminal.harmless(text) if terminal.is_terminal(stdout) else text

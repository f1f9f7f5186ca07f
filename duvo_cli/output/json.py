"""JSON on stdout: one document, or one on each line."""

from __future__ import annotations

from collections.abc import Callable

from . import terminal


def print_document(data: object) -> None:
    """Print one indented document."""
    terminal.write(_encoded(data, indent=2))


def print_line(data: object) -> None:
    """Print one document on a line of its own, unbuffered."""
    terminal.write(_encoded(data, indent=None))


def print_row(data: object) -> None:
    """Print a document like `print_line`, the numbers of a row as they are in its file."""
    from duvo._tables import numbers

    terminal.write(_printable(lambda is_ascii: numbers.as_json(data, ensure_ascii=is_ascii)))


def _encoded(data: object, indent: int | None) -> str:
    import json

    return _printable(lambda is_ascii: json.dumps(data, indent=indent, ensure_ascii=is_ascii))


def _printable(encode: Callable[[bool], str]) -> str:
    stdout = terminal.stdout()
    if stdout is None or (stdout.encoding or "").lower().replace("-", "") != "utf8":
        return encode(True)
    # Lone surrogates leave a UTF-8 stdout as \\udXXX, their escape in JSON.
    text = encode(False)
    # JSON leaves C1 and bidi characters unescaped, and a terminal would obey them.
    return terminal.harmless(text) if terminal.is_terminal(stdout) else text

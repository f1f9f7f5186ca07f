"""JSON on stdout: one document, or one on each line."""

from __future__ import annotations

from . import terminal


def print_document(data: object) -> None:
    """Print one indented document."""
    terminal.write(_encoded(data, indent=2))


def print_line(data: object) -> None:
    """Print one document on a line of its own, unbuffered."""
    terminal.write(_encoded(data, indent=None))


def _encoded(data: object, indent: int | None) -> str:
    import json

    stdout = terminal.stdout()
    if stdout is None or (stdout.encoding or "").lower().replace("-", "") != "utf8":
        return json.dumps(data, indent=indent)
    # Lone surrogates leave a UTF-8 stdout as \\udXXX, their escape in JSON.
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    # JSON leaves C1 and bidi characters unescaped, and a terminal would obey them.
    return terminal.harmless(text) if terminal.is_terminal(stdout) else text

"""One thing on stdout: its JSON document with --json, otherwise lines of text."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence

from . import json, terminal


def show_each(
    args: Namespace, count: int, document: object, lines: Callable[[], Sequence[str]]
) -> None:
    """Print one of several things: with --json a document on one line, if there are several."""
    if args.json and count > 1:
        json.print_line(document)
    else:
        show(args, document, lines)


def show(args: Namespace, document: object, lines: Callable[[], Sequence[str]]) -> None:
    """Print the document with --json, which needs no models, and otherwise the lines."""
    if args.json:
        json.print_document(document)
    else:
        terminal.write("\n".join(lines()))

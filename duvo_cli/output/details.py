"""One thing on stdout: its JSON document with --json, otherwise lines of text."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence

from . import json, terminal


def show(args: Namespace, document: object, lines: Callable[[], Sequence[str]]) -> None:
    """Print the document with --json, which needs no models, and otherwise the lines."""
    if args.json:
        json.print_document(document)
    else:
        terminal.write("\n".join(lines()))

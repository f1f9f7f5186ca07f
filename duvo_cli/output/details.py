"""One thing on stdout: its JSON document with --json, otherwise lines of text."""

from __future__ import annotations

from . import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence


def show(args: argparse.Namespace, document: object, lines: Callable[[], Sequence[str]]) -> None:
    """Print a thing as the command line asks for it.

    Args:
        args: the command line.
        document: its JSON.
        lines: makes its text; not called with --json, which needs no models.
    """
    if args.json:
        from . import json

        json.print_document(document)
    else:
        terminal.write("\n".join(lines()))

"""A list on stdout: its JSON document with --json, otherwise a table."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence

from ..parser import Parser
from . import details, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")


def add_quiet(parser: Parser) -> None:
    """Add the option that prints ids alone."""
    parser.add_argument(
        "-q", "--quiet", action="store_true", dest="ids_only", help="print ids alone"
    )


def show(
    args: Namespace,
    items: Sequence[T],
    columns: Mapping[str, Callable[[T], str]],
    document: object,
    *,
    empty: str | None,
    in_terminal: Callable[[Sequence[T]], list[str]] | None = None,
) -> None:
    """Print the document, a table in a terminal, or otherwise lines separated by tabs.

    Args:
        columns: make the cells of the items, by their names.
        document: not used without --json.
        empty: the text for an empty list; None: something else is said about it.
        in_terminal: makes the lines of another table for a terminal.
    """
    ids_only = getattr(args, "ids_only", False)
    is_terminal = terminal.is_terminal(sys.stdout)

    def lines() -> list[str]:
        from .table import tab_separated, table

        if ids_only:
            return [cell(item) for item in items for cell in list(columns.values())[:1]]
        if in_terminal is not None and is_terminal:
            return in_terminal(items)
        rows = [[cell(item) for cell in columns.values()] for item in items]
        if not is_terminal:
            return tab_separated(rows)
        return table(list(columns), rows, terminal.width(sys.stdout))

    if args.json or items:
        details.show(args, document, lines)
    elif empty is not None and not ids_only:
        terminal.say(empty)


def say_more(args: Namespace, shown: int, total: int | None, hint: str) -> None:
    """Say that a limit has cut the list, and by which flags more are shown; not with -q."""
    if args.ids_only:
        return
    of = f" of {total}" if total is not None else ""
    terminal.say(f"showing {shown}{of}; use {hint} for more")

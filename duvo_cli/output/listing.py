"""A list on stdout: its JSON document with --json, otherwise a table."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence

from . import details, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")


def show(
    args: Namespace,
    items: Sequence[T],
    columns: Mapping[str, Callable[[T], str]],
    document: object,
    *,
    empty: str,
) -> None:
    """Print the document, or a table whose columns make the cells of the items.

    Args:
        document: not used without --json.
        empty: the text for an empty list.
    """

    def lines() -> list[str]:
        from .table import table

        if not items:
            return [empty]
        rows = [[cell(item) for cell in columns.values()] for item in items]
        return table(list(columns), rows, terminal.width(sys.stdout))

    details.show(args, document, lines)


def say_more(shown: int, total: int | None, hint: str) -> None:
    """Say that a limit has cut the list, and by which flags more are shown."""
    of = f" of {total}" if total is not None else ""
    terminal.say(f"showing {shown}{of}; use {hint} for more")

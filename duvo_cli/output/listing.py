"""A list on stdout: its JSON document with --json, otherwise a table."""

from __future__ import annotations

import sys

from . import details, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Protocol, TypeVar

    T = TypeVar("T")
    Item = TypeVar("Item", covariant=True)

    class Pages(Protocol[Item]):
        """A list that the SDK reads page by page, such as `duvo.RunList`."""

        @property
        def total(self) -> int | None: ...

        @property
        def more(self) -> bool: ...

        def __iter__(self) -> Iterator[Item]: ...


def show(
    args: argparse.Namespace,
    items: Pages[T] | list[T],
    columns: Mapping[str, Callable[[T], str]],
    document: Callable[[list[T]], Any],
    *,
    empty: str,
    hint: str = "",
) -> None:
    """Print a list as the command line asks for it.

    Args:
        args: the command line.
        items: the list.
        columns: by their heading, functions that make the cell of an item.
        document: makes the JSON of all items.
        empty: the text for an empty list.
        hint: the flags that show more, when a limit has cut the list.
    """
    found = list(items)
    details.show(
        args,
        document(found) if args.json else None,
        lambda: _table(found, columns) if found else [empty],
    )
    if not isinstance(items, list) and items.more:
        of = f" of {items.total}" if items.total is not None else ""
        terminal.say(f"showing {len(found)}{of}; use {hint} for more")


def _table(found: list[T], columns: Mapping[str, Callable[[T], str]]) -> list[str]:
    from .table import table

    rows = [[cell(item) for cell in columns.values()] for item in found]
    return table(list(columns), rows, terminal.width(sys.stdout))

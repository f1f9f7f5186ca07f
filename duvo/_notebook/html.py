"""HTML for notebooks. Text is escaped; colours and fonts are those of the notebook."""

from __future__ import annotations

from datetime import datetime
from html import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LONGEST_CELL = 300
"""Maximum number of characters in a cell of a table of many things."""

LONGEST_TEXT = 10_000
"""Maximum number of characters in a field of a single thing."""

_LEFT = "text-align: left; vertical-align: top"
_TEXT = f"{_LEFT}; white-space: pre-wrap; overflow-wrap: break-word"


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    caption: str = "",
    longest: int = LONGEST_CELL,
) -> str:
    """Return a table with a head; a cell that is None is empty.

    Args:
        caption: a line above the table.
        longest: maximum number of characters in a cell.
    """
    head = "".join(f'<th style="{_LEFT}">{escape(name)}</th>' for name in columns)
    body = "".join(f"<tr>{_cells(row, longest)}</tr>" for row in rows)
    return f"<table>{_caption(caption)}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def fields(caption: str, pairs: Iterable[tuple[str, object]]) -> str:
    """Return a table of names and values, without those that are None."""
    rows = "".join(
        f'<tr><th style="{_LEFT}">{escape(name)}</th>{_cells([value], LONGEST_TEXT)}</tr>'
        for name, value in pairs
        if value is not None
    )
    return f"<table>{_caption(caption)}<tbody>{rows}</tbody></table>"


def _caption(text: str) -> str:
    return f'<caption style="{_LEFT}; caption-side: top">{escape(text)}</caption>' if text else ""


def _cells(values: Iterable[object], longest: int) -> str:
    return "".join(f'<td style="{_TEXT}">{escape(_text(value, longest))}</td>' for value in values)


def _text(value: object, longest: int) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    return cut(str(value), longest)


def cut(text: str, longest: int) -> str:
    """Return the text, shortened if it is longer than this number of characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

"""Text in columns. Pure."""

from __future__ import annotations

from unicodedata import combining, east_asian_width

from .terminal import in_one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], columns: int | None = None
) -> list[str]:
    """Lines of aligned columns under a head.

    Args:
        head: the columns' names.
        rows: the cells.
        columns: width of the terminal; what is longer is cut. None: nothing is.
    """
    cells = [list(head), *([in_one_line(cell) for cell in row] for row in rows)]
    widths = [max(displayed(row[at]) for row in cells) for at in range(len(head) - 1)]
    lines = []
    for row in cells:
        padded = [cell + " " * (widths[at] - displayed(cell)) for at, cell in enumerate(row[:-1])]
        line = "  ".join([*padded, row[-1]]).rstrip()
        lines.append(line if columns is None else cut(line, columns))
    return lines


def fields(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Lines of names and values; those without a value are left out."""
    given = [(name, in_one_line(value)) for name, value in pairs if value]
    widest = max((len(name) for name, _ in given), default=0)
    return [f"{name:{widest}}  {value}" for name, value in given]


def displayed(text: str) -> int:
    """Columns that the text takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(character) for character in text)


def cut(text: str, columns: int) -> str:
    """The text, ended by `…` when it takes more columns than there are."""
    if displayed(text) <= columns:
        return text
    taken = 0
    for at, character in enumerate(text):
        taken += _columns_of(character)
        if taken > columns - 1:
            return text[:at] + "…"
    return text


def _columns_of(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1

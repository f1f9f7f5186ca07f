"""Text in aligned columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import combining, east_asian_width

from .terminal import in_one_line


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], columns: int | None = None
) -> list[str]:
    """Align rows under a head, in lines of at most `columns`, or of any length."""
    cells = [list(head), *([in_one_line(cell) for cell in row] for row in rows)]
    widths = [max(displayed(row[at]) for row in cells) for at in range(len(head) - 1)]
    lines = []
    for row in cells:
        padded = [cell + " " * (widths[at] - displayed(cell)) for at, cell in enumerate(row[:-1])]
        line = "  ".join([*padded, row[-1]]).rstrip()
        lines.append(line if columns is None else cut(line, columns))
    return lines


def fields(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Align names and values; names without a value are omitted."""
    known = [(name, in_one_line(value)) for name, value in pairs if value]
    widest = max((len(name) for name, _ in known), default=0)
    return [f"{name:{widest}}  {value}" for name, value in known]


def displayed(text: str) -> int:
    """Columns that the text takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(character) for character in text)


def cut(text: str, columns: int) -> str:
    """Shorten text that is too wide, ending it with `…`."""
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

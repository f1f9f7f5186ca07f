"""Text in the columns of a terminal: aligned, measured, cut and wrapped. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .terminal import in_one_line

_NARROWEST = 8
"""Columns that a cell keeps, however narrow the terminal is."""


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    columns: int | None = None,
    *,
    flexible: Sequence[int] = (),
) -> list[str]:
    """Align rows under a head, in lines of at most `columns`, or of any length.

    If lines are too long, the columns `flexible` are cut: first the later ones to a third
    of a line, then all in this order.
    """
    cells = [list(head), *([in_one_line(cell) for cell in row] for row in rows)]
    widths = [max(displayed(row[at]) for row in cells) for at in range(len(head))]
    if columns is not None:
        too_wide = sum(widths) + 2 * (len(widths) - 1) - columns
        steps = [(at, max(columns // 3, _NARROWEST)) for at in flexible[1:]]
        for at, least in [*steps, *((at, _NARROWEST) for at in flexible)]:
            less = max(0, min(too_wide, widths[at] - least))
            widths[at] -= less
            too_wide -= less
        for row in cells:
            for at in flexible:
                row[at] = cut(row[at], widths[at])
    lines = []
    for row in cells:
        padded = [cell + " " * (widths[at] - displayed(cell)) for at, cell in enumerate(row[:-1])]
        line = "  ".join([*padded, row[-1]]).rstrip()
        lines.append(line if columns is None else cut(line, columns))
    return lines


def tab_separated(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows for other programs: cells in one line each, separated by tabs."""
    return ["\t".join(map(in_one_line, row)) for row in rows]


def fields(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Align names and values; names without a value are omitted."""
    known = [(name, in_one_line(value)) for name, value in pairs if value]
    widest = max((len(name) for name, _ in known), default=0)
    return [f"{name:{widest}}  {value}" for name, value in known]


def displayed(text: str) -> int:
    """Columns that the text takes in a terminal."""
    if _is_narrow(text):
        return len(text)
    import wcwidth

    columns = wcwidth.wcswidth(text)
    # Control characters have no width (-1).
    return columns if columns >= 0 else sum(width for _, width in _characters(text))


def cut(text: str, columns: int) -> str:
    """Shorten text that is too wide, ending it with `…`."""
    if len(text) <= columns and _is_narrow(text):
        return text
    end = at = taken = 0
    for character, width in _characters(text):
        taken += width
        if taken > columns:
            return text[:end] + "…"
        at += len(character)
        if taken < columns:
            end = at
    return text


def wrapped(line: str, columns: int, margin: str = "") -> list[str]:
    """Wrap a line at its spaces, and inside words that are too wide for one line.

    Args:
        margin: begins each line but the first.
    """
    lines = [""]
    room = columns
    for piece in re.findall(r"\s+|\S+", line.expandtabs()):
        width = displayed(piece)
        if width <= room:
            lines[-1] += piece
            room -= width
        elif piece.isspace():
            room = 0
        elif width <= columns - len(margin):
            lines.append(margin + piece)
            room = columns - len(margin) - width
        else:
            for character, width in _characters(piece):
                if width > room:
                    lines.append(margin)
                    room = columns - len(margin)
                lines[-1] += character
                room -= width
    return [line.rstrip() for line in lines]


def _is_narrow(text: str) -> bool:
    # Latin letters, accents and signs. Combining marks and wide scripts come later.
    return text.isascii() or max(text) < "\u0300"


def _characters(text: str) -> Iterator[tuple[str, int]]:
    """Yield the characters as people see them, and the columns of each."""
    if _is_narrow(text):
        yield from ((character, 1) for character in text)
        return
    import wcwidth

    for character in wcwidth.iter_graphemes(text):
        yield character, max(0, wcwidth.wcswidth(character))

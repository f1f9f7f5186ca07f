"""Rows of a table, each with its line number, and lines that are not text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

# What undecodable bytes become: surrogates in UTF-8 (`surrogateescape`), U+FFFD in UTF-16.
_UNDECODABLE = re.compile("[\udc80-\udcff\ufffd]")


class Row(NamedTuple):
    """A row: the line it begins on, counted from 1, and its JSON value."""

    line: int
    value: Any


class BadRow(NamedTuple):
    """A row that cannot be used: the line it begins on, and the reason."""

    line: int
    why: str

    @property
    def is_undecodable(self) -> bool:
        """Whether it is not text in the table's encoding."""
        return self.why.startswith("not UTF-")


def decoded(lines: Iterable[str], encoding: str, bad: list[BadRow]) -> Iterator[str]:
    """Yield the lines; before one that was not in this encoding, add it to `bad`."""
    for number, line in enumerate(lines, 1):
        found = None if line.isascii() else _UNDECODABLE.search(line)
        if found is not None and encoding == "UTF-16":
            bad.append(BadRow(number, "not UTF-16; save the text as UTF-8"))
        elif found is not None and found[0] != "\ufffd":
            byte = ord(found[0]) - 0xDC00
            bad.append(BadRow(number, f"not UTF-8 (byte 0x{byte:02x}); save the text as UTF-8"))
        yield line

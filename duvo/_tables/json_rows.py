"""Rows of JSON: one value on each line, values over several lines, or one array of rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from . import numbers
from .rows import BadRow, Row, decoded

WHITE_SPACE = " \t\r\n\x1e"
"""White space around values; each value of a JSON text sequence begins with RS."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},"]|[^"\[\]{},]+')


def read_json_lines(lines: Iterable[str], encoding: str = "UTF-8") -> Iterator[Row | BadRow]:
    """Parse JSON lines. Blank lines are skipped."""
    bad: list[BadRow] = []
    for number, line in enumerate(decoded(lines, encoding, bad), 1):
        if bad:
            yield bad.pop()
        elif line.strip(WHITE_SPACE):
            yield _row(number, line.rstrip("\r\n").replace("\x1e", " "), on_one_line=True)


def read_values(
    lines: Iterable[str], encoding: str = "UTF-8", *, is_array: bool = False
) -> Iterator[Row | BadRow]:
    """Parse values that may each take several lines, or the items of one array."""
    bad: list[BadRow] = []
    split = _Array() if is_array else _Values()
    number = 0
    for number, line in enumerate(decoded(lines, encoding, bad), 1):
        if bad:
            yield bad.pop()
            return
        for token in _TOKEN.findall(line):
            problem = "a text does not end on its line" if token == '"' else None
            problem = problem or split.add(number, token)
            yield from split.rows()
            if problem:
                yield BadRow(number, f"not JSON: {problem}")
                return
    if split.is_open:
        yield BadRow(split.began or number, "not JSON: what begins here is never closed")


class _Values:
    """Splits tokens into values, at the end of which no bracket is open."""

    def __init__(self) -> None:
        self.began = 0
        """The line on which the last value begins."""
        self._depth = 0
        self._tokens: list[str] = []
        self._rows: list[Row | BadRow] = []

    @property
    def is_open(self) -> bool:
        return bool(self._tokens)

    def rows(self) -> list[Row | BadRow]:
        """The rows that are complete since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def add(self, line: int, token: str) -> str | None:
        """Add a token; return why it cannot follow."""
        self._count(token)
        self._keep(line, token)
        if self._depth <= 0 and self._tokens:
            self._end(line)
        return None

    def _count(self, token: str) -> None:
        self._depth += (token in ("[", "{")) - (token in ("]", "}"))

    def _keep(self, line: int, token: str) -> None:
        if not self._tokens:
            if not token.strip(WHITE_SPACE):
                return
            self.began = line
        self._tokens.append(token)

    def _end(self, line: int) -> None:
        text = "".join(self._tokens).replace("\x1e", " ")
        self._rows.append(_row(self.began if self._tokens else line, text))
        self._tokens.clear()


class _Array(_Values):
    """Splits the tokens of an array into its items."""

    def __init__(self) -> None:
        super().__init__()
        self._is_closed = False
        self._follows_comma = False

    @property
    def is_open(self) -> bool:
        return not self._is_closed

    def add(self, line: int, token: str) -> str | None:
        if self._is_closed:
            return "text follows the end of the array" if token.strip(WHITE_SPACE) else None
        begins = self._depth == 0
        self._count(token)
        if self._depth == 0 and not begins:
            self._is_closed = True
            if self._tokens or self._follows_comma:
                self._end(line)
            return None if token == "]" else f"unexpected {token}"
        if self._depth == 1 and token == ",":
            self._end(line)
            self._follows_comma = True
        elif not begins:
            self._keep(line, token)
        return None


def _row(line: int, text: str, *, on_one_line: bool = False) -> Row | BadRow:
    try:
        return Row(line, numbers.parse(text))
    except (ValueError, RecursionError) as error:
        why = str(error)
        if isinstance(error, json.JSONDecodeError):
            why = f"{error.msg} at column {error.colno}" if on_one_line else error.msg
        elif isinstance(error, UnicodeEncodeError):
            why = "half a character (a lone surrogate)"
        elif isinstance(error, RecursionError):
            why = "nested too deeply"
        return BadRow(line, f"not JSON: {why}")

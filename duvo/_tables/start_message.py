"""The message that a run is started with, and its key, made from a row. Pure."""

from __future__ import annotations

import re
from typing import Any

from .._errors import ConfigError
from .numbers import as_json

# Columns are looked up by their exact names: rows and templates are never evaluated.
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


_LARGEST = 10_000_000
"""Bytes of a message, which is sent in one request."""


class UnusableRow(ConfigError):
    """A row that no run can be started with; the text says why."""


class StartMessage:
    """Makes the message of a row.

    The template is text such as `Process {number} of {supplier}`, where `{{` and
    `}}` are braces. Without it the message is the column `message`, or else the
    whole row as JSON.
    """

    def __init__(self, template: str | None = None):
        self._pieces = None if template is None else _pieces_of(template)

    def __call__(self, row: Any) -> str:
        """Return the message, unless a column is missing or no server would accept it."""
        try:
            message = _default_message(row) if self._pieces is None else _filled(self._pieces, row)
        except RecursionError:
            raise UnusableRow("nested too deeply") from None
        if not message.strip():
            raise UnusableRow("the message would be empty")
        if "\0" in message:
            raise UnusableRow("the message would have a NUL character")
        try:
            size = len(message.encode())
        except UnicodeEncodeError:
            raise UnusableRow("the message would have half a character") from None
        if size > _LARGEST:
            raise UnusableRow(f"the message would have {size:,} bytes, of {_LARGEST:,} at most")
        return message

    @property
    def columns(self) -> list[str]:
        """The columns that the template names."""
        return [piece for piece, is_column in self._pieces or () if is_column]


class Key:
    """Takes the key of a row from a column. Rows with the same key share a run."""

    def __init__(self, column: str):
        self.column = column

    def __call__(self, row: Any) -> str:
        """Return the key, unless the column is missing or empty."""
        if not isinstance(row, dict):
            raise UnusableRow(f"not an object, so there is no column {self.column!r} for the key")
        key = _text_of_column(row, self.column)
        if not key.strip() or row[self.column] is None:
            raise UnusableRow(f"the key column {self.column!r} is empty")
        return key


def _pieces_of(template: str) -> list[tuple[str, bool]]:
    """The template as literal text and column names; True marks a name."""
    pieces = []
    for found in _PIECE.finditer(template):
        piece, column = found[0], found[1]
        if column is not None:
            if not column:
                raise ConfigError("{} does not name a column")
            pieces.append((column, True))
        elif piece in "{}":
            raise ConfigError(f"unmatched {piece}: a column is {{column}}, a brace is {piece * 2}")
        else:
            pieces.append((piece[0] if piece in ("{{", "}}") else piece, False))
    return pieces


def _filled(pieces: list[tuple[str, bool]], row: Any) -> str:
    if not isinstance(row, dict) and any(is_column for _, is_column in pieces):
        raise UnusableRow("not an object, so there are no columns for the template")
    return "".join(
        _text_of_column(row, piece) if is_column else piece for piece, is_column in pieces
    )


def _default_message(row: Any) -> str:
    if isinstance(row, str):
        return row
    if isinstance(row, dict) and isinstance(row.get("message"), str):
        return str(row["message"])
    return as_json(row)


def _text_of_column(row: dict[str, Any], column: str) -> str:
    try:
        value = row[column]
    except KeyError:
        names = ", ".join(repr(name) for name in list(row)[:20])
        raise UnusableRow(f"no column {column!r}; the row has {names or 'none'}") from None
    return value if isinstance(value, str) else as_json(value)

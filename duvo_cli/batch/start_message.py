"""The message that a run is started with, and the key, from a row. Pure."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Unfit(Exception):
    """A row that no run can be started with; the text says why."""


class StartMessage:
    """What makes a row's message.

    Args:
        template: fills the message from the row; None takes the column
            `message`, or else the whole row as JSON.
    """

    def __init__(self, template: Callable[[Any], str] | None):
        self._template = template

    def __call__(self, row: Any) -> str:
        """The message.

        Raises:
            Unfit: the row has not what it takes, or the message would be empty.
        """
        message = _message_in(row) if self._template is None else self._template(row)
        if not message.strip():
            raise Unfit("its message would be empty")
        return message


class Key:
    """What makes a row's key.

    Args:
        column: the column that says what makes two rows the same.
    """

    def __init__(self, column: str):
        self._column = column

    def __call__(self, row: Any) -> str:
        """The key.

        Raises:
            Unfit: the row has no such column, or it is empty.
        """
        if not isinstance(row, dict):
            raise Unfit(f"it is no object, and so has no column {self._column!r} for --key")
        key = text_of_column(row, self._column)
        if not key.strip() or row[self._column] is None:
            raise Unfit(f"its {self._column!r}, the key, is empty")
        return key


def text_of_column(row: dict[str, Any], column: str) -> str:
    """The text in a column; what is no text as JSON.

    Raises:
        Unfit: there is no such column.
    """
    try:
        value = row[column]
    except KeyError:
        there = ", ".join(repr(name) for name in list(row)[:20])
        raise Unfit(f"it has no column {column!r}; it has {there or 'none'}") from None
    return value if isinstance(value, str) else _as_json(value)


def _message_in(row: Any) -> str:
    if isinstance(row, str):
        return row
    if isinstance(row, dict) and isinstance(row.get("message"), str):
        return str(row["message"])
    return _as_json(row)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

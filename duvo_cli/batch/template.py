"""A message with the names of columns in it, filled from a row. Pure."""

from __future__ import annotations

import re

from .start_message import Unfit, text_of_column

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What a row or a template holds is never code: a column's exact name is all that is looked up.
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


class MessageTemplate:
    """A template such as `Process {number} of {supplier}`; `{{` and `}}` are braces.

    Args:
        text: the template.

    Raises:
        ValueError: it is none; the text says why.
    """

    def __init__(self, text: str):
        self._pieces: list[tuple[str, bool]] = []
        for found in _PIECE.finditer(text):
            piece, column = found[0], found[1]
            if column is not None:
                if not column:
                    raise ValueError("{} names no column")
                self._pieces.append((column, True))
            elif piece in "{}":
                raise ValueError(
                    f"a {piece} stands alone; a column is {{column}}, and a brace is {piece * 2}"
                )
            else:
                literal = piece[0] if piece in ("{{", "}}") else piece
                self._pieces.append((literal, False))

    def __call__(self, row: Any) -> str:
        """The message for a row.

        Raises:
            Unfit: the row has not all the columns.
        """
        if not isinstance(row, dict) and any(is_column for _, is_column in self._pieces):
            raise Unfit("it is no object, and so has no columns for the template")
        return "".join(
            text_of_column(row, piece) if is_column else piece for piece, is_column in self._pieces
        )

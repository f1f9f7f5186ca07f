"""What an agent asks a human."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from ._text import storable


@attrs.frozen
class Option:
    """A ready-made answer to a question."""

    label: str = attrs.field(converter=storable)
    description: str | None = attrs.field(
        default=None, converter=attrs.converters.optional(storable)
    )


def _options(given: Sequence[str | Option] | None) -> tuple[Option, ...]:
    if isinstance(given, str):
        raise TypeError("options is a list of texts, not one text")
    return tuple(Option(one) if isinstance(one, str) else one for one in given or ())


@attrs.frozen
class Question:
    """One question of a request.

    Attributes:
        text: the question; its answer is found under this text.
        options: ready-made answers, as texts or `Option`s; any text may be
            answered all the same.
        header: a word or two that stand for the question.
        multi_select: whether several options may be chosen; the answer has
            them joined by commas.
    """

    text: str = attrs.field(converter=storable)
    options: tuple[Option, ...] = attrs.field(default=(), converter=_options, kw_only=True)
    header: str | None = attrs.field(
        default=None, kw_only=True, converter=attrs.converters.optional(storable)
    )
    multi_select: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("a question needs a text")

    def to_dict(self) -> dict[str, Any]:
        """The question in the API's shape."""
        shape: dict[str, Any] = {"question": self.text}
        if self.header is not None:
            shape["header"] = self.header
        if self.options:
            shape["options"] = [
                {"label": one.label}
                | ({} if one.description is None else {"description": one.description})
                for one in self.options
            ]
        if self.multi_select:
            shape["multi_select"] = True
        return shape

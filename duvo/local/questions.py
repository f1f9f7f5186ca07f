"""The questions that an agent asks a human."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import NoneType
from typing import Any

import attrs

from ._text import storable


@attrs.frozen
class Option:
    """A suggested answer to a question.

    Args:
        label: the text of the answer.
        description: more about it, or None.
    """

    label: str = attrs.field(converter=storable)
    description: str | None = attrs.field(
        default=None, converter=attrs.converters.optional(storable)
    )


def _to_options(options: Sequence[str | Option] | None) -> tuple[Option, ...]:
    if isinstance(options, str) or not isinstance(options, (Iterable, NoneType)):
        raise TypeError(f"options is a list of texts, not {options!r:.80}")
    made = tuple(Option(item) if isinstance(item, str) else item for item in options or ())
    for option in made:
        if not isinstance(option, Option):
            raise TypeError(f"an option is text, or an Option; not {option!r:.80}")
    return made


@attrs.frozen
class Question:
    """One question of a human request.

    Args:
        text: the question, and the key of its answer.
        options: suggested answers, as texts or as `Option` objects; any other text is
            accepted too.
        header: one or two words that label the question.
        multi_select: whether several options may be chosen; the answer joins
            them with commas.
    """

    text: str = attrs.field(converter=storable)
    options: tuple[Option, ...] = attrs.field(default=(), converter=_to_options, kw_only=True)
    header: str | None = attrs.field(
        default=None, kw_only=True, converter=attrs.converters.optional(storable)
    )
    multi_select: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("a question needs a text")

    def to_dict(self) -> dict[str, Any]:
        """Return the question in the API's shape."""
        shape: dict[str, Any] = {"question": self.text}
        if self.header is not None:
            shape["header"] = self.header
        if self.options:
            shape["options"] = [
                {"label": option.label}
                | ({} if option.description is None else {"description": option.description})
                for option in self.options
            ]
        if self.multi_select:
            shape["multi_select"] = True
        return shape

"""From the server's JSON to frozen objects; the only file that knows cattrs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, get_origin

import cattrs
from cattrs import Converter

from .._errors import UnexpectedAnswer
from .times import timestamp

T = TypeVar("T")


def _converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)

    def text(value: object, _: object) -> str:
        if not isinstance(value, str):
            raise ValueError("text was due")
        return value

    def truth(value: object, _: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("true or false was due")
        return value

    def number(value: object, _: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError("a number was due")
        return int(value)

    def as_it_is(value: object, _: object) -> Any:
        if not isinstance(value, dict):
            raise ValueError("an object was due")
        return value

    def is_object(kind: Any) -> bool:
        return get_origin(kind) in (dict, Mapping)

    converter.register_structure_hook(str, text)
    converter.register_structure_hook(bool, truth)
    converter.register_structure_hook(int, number)
    converter.register_structure_hook_func(
        lambda kind: kind == datetime | None, lambda value, _: timestamp(value)
    )
    converter.register_structure_hook_func(is_object, as_it_is)
    return converter


_fast = _converter(detailed=False)


def build(kind: type[T], ours: dict[str, Any], raw: dict[str, Any]) -> T:
    """The data of that kind.

    Args:
        kind: one of the classes here.
        ours: fields with our names.
        raw: what `.raw` will be.

    Raises:
        UnexpectedAnswer: a field is missing or of another type; the text names
            its place.
    """
    given = {**ours, "raw": raw}
    try:
        return _fast.structure(given, kind)
    except Exception as fault:
        raise UnexpectedAnswer(
            f"the answer has no valid {kind.__name__.removesuffix('Data').lower()}: "
            f"{_where(kind, given)}"
        ) from fault


def _where(kind: type[Any], given: dict[str, Any]) -> str:
    # Checking in detail costs twice the time and is wanted only to say where a fault is.
    try:
        _converter(detailed=True).structure(given, kind)
    except Exception as error:
        return "; ".join(cattrs.transform_error(error)[:3])
    return "it could not be read"

"""Building frozen objects from the server's JSON with cattrs."""

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
            raise ValueError("expected text")
        return value

    def truth(value: object, _: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("expected true or false")
        return value

    def number(value: object, _: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError("expected a number")
        return int(value)

    def unchanged(value: object, _: object) -> Any:
        if not isinstance(value, dict):
            raise ValueError("expected an object")
        return value

    def is_object(kind: Any) -> bool:
        return get_origin(kind) in (dict, Mapping)

    converter.register_structure_hook(str, text)
    converter.register_structure_hook(bool, truth)
    converter.register_structure_hook(int, number)
    converter.register_structure_hook_func(
        lambda kind: kind == datetime | None, lambda value, _: timestamp(value)
    )
    converter.register_structure_hook_func(is_object, unchanged)
    return converter


_fast = _converter(detailed=False)


def build(kind: type[T], ours: dict[str, Any], raw: dict[str, Any]) -> T:
    """Build an object of a class that has a `raw` field; `ours` has fields with our names.

    Raises `UnexpectedAnswer`, which names the fields that are missing or of the wrong type.
    """
    fields = {**ours, "raw": raw}
    try:
        return _fast.structure(fields, kind)
    except Exception as fault:
        raise UnexpectedAnswer(
            f"the response has no valid {kind.__name__.removesuffix('Data').lower()}: "
            f"{_where(kind, fields)}"
        ) from fault


def _where(kind: type[Any], fields: dict[str, Any]) -> str:
    # Detailed validation takes twice as long: it is used only to find an error's place.
    try:
        _converter(detailed=True).structure(fields, kind)
    except Exception as error:
        return "; ".join(cattrs.transform_error(error)[:3])
    return "it could not be read"

"""Building frozen objects from the server's JSON with cattrs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

import attrs
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


def build(
    kind: type[T],
    ours: dict[str, Any],
    raw: dict[str, Any],
    warn: Callable[[str], None] | None = None,
) -> T:
    """Build an object of a class that has `id` and `raw`; `ours` has fields with our names.

    Where fields are missing or of the wrong type, it has what can be read of them, and
    `warn` is called. Raises `UnexpectedAnswer` if the id is missing.
    """
    fields = {**ours, "raw": raw}
    try:
        return _fast.structure(fields, kind)
    except Exception:
        name = kind.__name__.removesuffix("Data").lower()
        where = _where(kind, fields)
        if not isinstance(fields.get("id"), str):
            raise UnexpectedAnswer(f"the response has no valid {name}: {where}") from None
    if warn is not None:
        warn(
            f"{name} {fields['id']} does not match the API, and was read as far as can be: {where}"
        )
    salvaged: T = _salvage(kind, fields)
    return salvaged


def _salvage(kind: Any, fields: dict[str, Any]) -> Any:
    readable = {}
    for field in attrs.fields(attrs.resolve_types(kind)):
        value = _read(field.type, fields.get(field.name))
        if value is None and field.default is attrs.NOTHING:
            value = ""  # all that is required is text
        if value is not None:
            readable[field.name] = value
    return kind(**readable)


def _read(kind: Any, value: object) -> Any:
    """Return what can be read of a value, or None."""
    with contextlib.suppress(Exception):
        return _fast.structure(value, kind)
    if value is None:
        return None
    if get_origin(kind) is UnionType:
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        items = value if isinstance(value, list) else []
        return tuple(_salvage(get_args(kind)[0], item) for item in items if isinstance(item, dict))
    if attrs.has(kind) and isinstance(value, dict):
        return _salvage(kind, value)
    if kind is str:
        with contextlib.suppress(RecursionError):
            return json.dumps(value, ensure_ascii=False)
    return None


def _where(kind: type[Any], fields: dict[str, Any]) -> str:
    # Detailed validation takes twice as long: it is used only to find an error's place.
    try:
        _converter(detailed=True).structure(fields, kind)
    except Exception as error:
        return "; ".join(cattrs.transform_error(error)[:3])
    return "it could not be read"

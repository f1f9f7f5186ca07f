"""JSON in which numbers keep the digits that they were written with."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any, NoReturn

_DEEP = 200
"""Brackets below which nothing is nested too deeply to be written."""


class Number(float):
    """A number whose digits Python would write differently, such as 12.10."""

    text: str

    def __new__(cls, text: str) -> Number:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.text,)


def parse(text: str) -> Any:
    """Parse JSON; any failure is a ValueError or a RecursionError.

    Refused are numbers that JSON or Python do not have, half characters, and
    objects that have a field twice.
    """
    value = _decode(text)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    if text.count("[") + text.count("{") > _DEEP:
        # What is parsed at the limit of recursion could not be written in a result later.
        as_json([[[[[[[[[[value]]]]]]]]]])
    return value


def as_json(value: Any, *, ensure_ascii: bool = False) -> str:
    """Return a parsed value as JSON, on one line, its numbers as they were written."""
    return _written(value, _ASCII if ensure_ascii else _UNICODE)


def _written(value: Any, encode: Callable[[Any], str]) -> str:
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        fields = [f"{encode(name)}: {_written(field, encode)}" for name, field in value.items()]
        return f"{{{', '.join(fields)}}}"
    if isinstance(value, list):
        return f"[{', '.join([_written(item, encode) for item in value])}]"
    return encode(value)


def _float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"the number {_cut(text)} is too large")
    return number if repr(number) == text else Number(text)


def _int(text: str) -> int | float:
    try:
        return Number(text) if text == "-0" else int(text)
    except ValueError:
        raise ValueError(f"the number {_cut(text)} is too large") from None


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise ValueError(f"an object has the field {_cut(twice)!r} twice")
    return fields


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


_decode = json.JSONDecoder(
    parse_float=_float, parse_int=_int, parse_constant=_refuse, object_pairs_hook=_object
).decode
_ASCII = json.JSONEncoder().encode
_UNICODE = json.JSONEncoder(ensure_ascii=False).encode

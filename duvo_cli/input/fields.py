"""`KEY=VALUE` fields as a query or as a JSON document."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Sequence

from . import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORDS = {"true": True, "false": False, "null": None}


def text_field(argument: str) -> tuple[str, str]:
    """An argument type: key and text, which may be `-` or `@FILE`."""
    key, value = _split(argument)
    return key, text.text_of(value)


def typed_field(argument: str) -> tuple[str, object]:
    """An argument type: key and a word, a number, stdin or a file with JSON, or else text."""
    key, value = _split(argument)
    if value in _WORDS:
        return key, _WORDS[value]
    if value == "-":
        return key, _json(text.stdin().read(), "stdin")
    if value.startswith("@@"):
        return key, value[1:]
    if value.startswith("@"):
        return key, _json(text.read_argument(value), repr(value[1:]))
    return key, _number(value)


def check(fields: Sequence[tuple[str, object]]) -> None:
    """Raise a ValueError for a field that is given twice; `KEY[]` adds to an array."""
    given: dict[str, str] = {}
    for key, _ in fields:
        name = key.removesuffix("[]")
        if name in given and (key == name or given[name] == name):
            raise ValueError(f"the field {name!r} is given twice; {name}[] collects an array")
        given[name] = key


def document(fields: Sequence[tuple[str, object]]) -> bytes:
    """The fields as a JSON object; `KEY[]` collects an array."""
    from duvo._tables import numbers

    data: dict[str, Any] = {}
    for key, value in fields:
        if key.endswith("[]"):
            data.setdefault(key[:-2], []).append(value)
        else:
            data[key] = value
    return numbers.as_json(data).encode()


def query(fields: Sequence[tuple[str, object]]) -> list[tuple[str, str]]:
    """The fields as a query; arrays repeat their key."""
    from duvo._tables import numbers

    return [
        (
            key.removesuffix("[]"),
            value if isinstance(value, str) else numbers.as_json(value, ensure_ascii=True),
        )
        for key, value in fields
    ]


def checked_json(data: bytes) -> bytes:
    """JSON as UTF-8, otherwise unchanged; raises as `_json_of` does."""
    _json_of(data)
    return data.decode(json.detect_encoding(data)).encode()


def _json_of(data: bytes) -> object:
    """Parse JSON; any failure is a ValueError, also a field that is given twice."""
    from duvo._tables import numbers

    try:
        return numbers.parse(data.decode(json.detect_encoding(data)))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(word: str) -> object:
    try:
        value = _json_of(word.encode())
    except ValueError:
        return word
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number else word


def _split(argument: str) -> tuple[str, str]:
    key, found, value = argument.partition("=")
    if not found or not key.removesuffix("[]"):
        raise ArgumentTypeError(f"{argument!r} is not KEY=VALUE")
    return key, value


def _json(data: bytes, source: str) -> object:
    try:
        return _json_of(data)
    except ValueError as error:
        raise ArgumentTypeError(f"{source} is not JSON: {error}") from None

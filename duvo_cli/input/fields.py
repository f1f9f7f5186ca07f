"""`KEY=VALUE` fields as a query or as a JSON document."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

_WORDS = {"true": True, "false": False, "null": None}


def text_field(argument: str) -> tuple[str, str]:
    """An argument type: key and text."""
    key, found, value = argument.partition("=")
    if not found or not key:
        raise ArgumentTypeError(f"{argument!r} is not KEY=VALUE")
    return key, value


def typed_field(argument: str) -> tuple[str, object]:
    """An argument type: key and a word, a number, a file with JSON, or else text."""
    key, value = text_field(argument)
    if value in _WORDS:
        return key, _WORDS[value]
    if value.startswith("@"):
        return key, _json_file(value[1:])
    return key, _number(value)


def document(fields: Sequence[tuple[str, object]]) -> dict[str, object]:
    """The fields as a JSON object; `KEY[]` collects an array."""
    data: dict[str, object] = {}
    for key, value in fields:
        if not key.endswith("[]"):
            data[key] = value
            continue
        values = data.setdefault(key[:-2], [])
        if isinstance(values, list):
            values.append(value)
    return data


def query(fields: Sequence[tuple[str, object]]) -> list[tuple[str, str]]:
    """The fields as a query; arrays repeat their key."""
    return [
        (key.removesuffix("[]"), value if isinstance(value, str) else json.dumps(value))
        for key, value in fields
    ]


def json_of(data: bytes) -> object:
    """Parse JSON; any failure is a ValueError."""
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(text: str) -> object:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    # Python also parses "NaN" and "1e999", which JSON does not have.
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and isfinite(value) else text


def _json_file(name: str) -> object:
    try:
        return json_of(Path(name).read_bytes())
    except OSError as error:
        raise ArgumentTypeError(f"cannot read {name!r}: {error.strerror}") from None
    except ValueError as error:
        raise ArgumentTypeError(f"{name!r} is not JSON: {error}") from None

"""Texts that every database can store. Pure."""

from __future__ import annotations

from typing import Any


def storable(value: str) -> str:
    """The text without NULs and halves of surrogate pairs.

    Raises:
        TypeError: it is no text.
    """
    if not isinstance(value, str):
        raise TypeError(f"text was expected, not {type(value).__name__}")
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def storable_json(value: Any) -> Any:
    """The JSON value with every text in it made storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): storable_json(one) for key, one in value.items()}
    return [storable_json(one) for one in value] if isinstance(value, list) else value


def said_by(error: BaseException) -> str:
    """An exception in a line: its type and text."""
    kind = type(error).__name__
    try:
        text = storable(str(error))
    except Exception:
        return kind
    return f"{kind}: {text}" if text else kind

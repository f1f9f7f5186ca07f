"""Text for databases, logs and error messages."""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger("duvo.local")


def storable(value: str) -> str:
    """Return the text with NULs and lone surrogates replaced."""
    if not isinstance(value, str):
        raise TypeError(f"text was expected, not {type(value).__name__}")
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def storable_json(value: Any) -> Any:
    """Return the JSON value with every string in it made storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): storable_json(item) for key, item in value.items()}
    return [storable_json(item) for item in value] if isinstance(value, list) else value


def one_line(error: BaseException) -> str:
    """Return the error's message in one line."""
    # Of a database error the driver's message alone: the rest shows the statement and its values.
    return " ".join(str(getattr(error, "orig", None) or error).split())


def describe(error: BaseException) -> str:
    """Return the exception's type and message, storable."""
    kind = type(error).__name__
    try:
        text = storable(str(error))
    except BaseException:
        return kind
    return f"{kind}: {text}" if text else kind


def os_reason(error: Exception) -> str:
    """Return why a file or an address cannot be used, without the error's number and path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)

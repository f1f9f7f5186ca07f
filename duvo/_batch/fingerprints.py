"""The names of inputs in a journal: inputs with the same name are the same input."""

from __future__ import annotations

import hashlib
import json

from .._errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONTENT, _KEY = "c:", "k:"

# json.dumps would make an encoder for each call.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def fingerprint(value: Any) -> str:
    """Return the name of an input without a key, made from its content.

    Args:
        value: the input, any JSON value; the order of an object's fields does not matter.

    Raises:
        ConfigError: it is not a JSON value.
    """
    try:
        canonical = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"an input is not JSON ({error}): {_cut(value)}") from None
    return _CONTENT + hashlib.sha256(canonical.encode("ascii")).hexdigest()


def of_key(key: object) -> str:
    """Return the name of an input with a key.

    Raises:
        ConfigError: the key is not valid text.
    """
    if not isinstance(key, str):
        raise ConfigError(f"the key of an input must be text, not {_cut(key)}")
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigError(f"the key of an input is not valid text: {_cut(key)}") from None
    return _KEY + key


def is_key(name: str) -> bool:
    """Whether the name was made from a key."""
    return name.startswith(_KEY)


def _cut(value: object) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."

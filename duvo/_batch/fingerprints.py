"""The names of inputs in a journal: inputs with the same name are the same input."""

from __future__ import annotations

import hashlib
import json

from .._errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONTENT, _KEY = "c:", "k:"

BY_CONTENT, BY_FUNCTION, _BY_FIELD = "content", "function", "field:"

# json.dumps would make an encoder for each call.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def fingerprint(value: Any) -> str:
    """Return the name of an input without a key, made from its content as JSON.

    The order of an object's fields does not matter.
    """
    try:
        canonical = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"an input is not JSON ({error}): {_cut(value)}") from None
    return _CONTENT + hashlib.sha256(canonical.encode("ascii")).hexdigest()


def of_key(key: object) -> str:
    """Return the name of an input with a key."""
    if not isinstance(key, str):
        raise ConfigError(f"the key of an input must be text, not {_cut(key)}")
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigError(f"the key of an input is not valid text: {_cut(key)}") from None
    return _KEY + key


def of_message(text: str) -> str:
    """Return the fingerprint of a start message."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def by_field(name: str) -> str:
    """Return the rule that the key of an input is the text of this field."""
    return _BY_FIELD + name


def rule(named_by: str) -> str:
    """Return in words what names inputs by this rule."""
    words = {BY_CONTENT: "their content", BY_FUNCTION: "a function"}
    return words.get(named_by) or f"the field {named_by.removeprefix(_BY_FIELD)!r}"


def is_key(name: str) -> bool:
    """Whether the name was made from a key."""
    return name.startswith(_KEY)


def _cut(value: object) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."

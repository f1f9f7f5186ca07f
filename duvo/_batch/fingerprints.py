"""What an input is called in a journal: what makes two inputs the same one. Pure."""

from __future__ import annotations

import hashlib
import json

from .._errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONTENT, _KEY = "c:", "k:"

# Made once: json.dumps makes one for each call that has options.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def fingerprint(value: Any) -> str:
    """The name of an input without a key: one for each content.

    Args:
        value: the input, any JSON; the order of an object's fields is no part of it.

    Raises:
        ConfigError: it is no JSON.
    """
    try:
        canonical = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"an input is no JSON ({error}): {_cut(value)}") from None
    return _CONTENT + hashlib.sha256(canonical.encode("ascii")).hexdigest()


def of_key(key: object) -> str:
    """The name of an input with a key of the caller's.

    Raises:
        ConfigError: the key is no text, or none that can be written.
    """
    if not isinstance(key, str):
        raise ConfigError(f"the key of an input must be text, not {_cut(key)}")
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigError(f"the key of an input is no valid text: {_cut(key)}") from None
    return _KEY + key


def is_key(name: str) -> bool:
    """Whether the caller says what makes this input the same."""
    return name.startswith(_KEY)


def _cut(value: object) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."

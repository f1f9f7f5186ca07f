"""Checks of the numbers and texts that callers give, before anything is sent."""

from __future__ import annotations

import operator

from .._advice import words
from .._errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def checked_text(value: Any, name: str) -> str:
    """Return the text. The error does not quote what was given instead: it may be a secret."""
    if isinstance(value, str):
        return value
    if value is None:
        raise ConfigError(f"{name} must be text, not None: is the variable set?")
    raise ConfigError(f"{name} must be text, not of the type {type(value).__name__}")


def checked_count(value: Any, name: str, least: int = 0) -> int:
    """Return a whole number, such as one of numpy, as an int."""
    try:
        count = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = -1
    if count < least:
        raise ConfigError(
            f"{words().argument(name)} must be a whole number, {least} or more, not {value!r:.80}"
        )
    return count


def checked_timeout(value: Any, *, may_be_zero: bool = False, most: float | None = None) -> float:
    """Return seconds, such as a Decimal or a number of numpy, as a float."""
    seconds = _number(value)
    is_enough = seconds >= 0 if may_be_zero else seconds > 0
    if not is_enough or (most is not None and seconds > most):
        expected = "0 or more" if may_be_zero else "above 0"
        if most is not None:
            expected += f" and at most {most:g}"
        raise ConfigError(
            f"{words().argument('timeout')} must be a number of seconds, {expected}, "
            f"not {value!r:.80}"
        )
    return seconds


def _number(value: Any) -> float:
    """Return the number; NaN for what is not a number."""
    if isinstance(value, bool) or not hasattr(type(value), "__float__"):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")

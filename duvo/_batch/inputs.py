"""The inputs of a batch: taken as they are wanted, each with its name and its start message."""

from __future__ import annotations

import json
import time
from itertools import count
from typing import Any

from attrs import frozen

from .._errors import ConfigError
from . import fingerprints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SLOW = 0.05
"""Seconds beyond which inputs come too slowly to be gathered."""


@frozen
class Input:
    """One input that was taken.

    Attributes:
        index: its place among the inputs, from 0 on.
        given: the input itself.
        name: what the journal calls it.
        message: that its run is started with.
        key: the caller's word for it, or None.
    """

    index: int
    given: Any
    name: str
    message: str
    key: str | None


class Inputs:
    """Takes inputs, and makes out what they are called.

    Args:
        given: the inputs.
        message: as in `Runs.map`.
        key: as in `Runs.map`.
        are_kept: whether a file keeps what became of them.

    Attributes:
        are_taken: whether all were taken.
        fault: what ended the taking before its time, or None.
    """

    def __init__(
        self,
        given: Iterable[Any],
        *,
        message: Callable[[Any], str] | None,
        key: str | Callable[[Any], str] | None,
        are_kept: bool,
    ):
        if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
            what = "one text" if isinstance(given, (str, bytes)) else repr(given)
            raise ConfigError(f"inputs are a list or another iterable, not {what:.80}")
        self.are_taken = False
        self.fault: Exception | None = None
        self._lot = 1
        self._given = zip(count(), given, strict=False)
        self._message = message
        self._key = key
        self._are_kept = are_kept

    def take(self, most: int) -> list[Input]:
        """The next ones; fewer than asked for when they come slowly, or are at their end."""
        taken: list[Input] = []
        began = time.monotonic()
        try:
            for index, given in self._given:
                taken.append(self._taken(index, given))
                is_slow = time.monotonic() - began > _SLOW
                if is_slow or len(taken) in (most, self._lot):
                    # What is taken must not wait for long until more is.
                    self._lot = 1 if is_slow else 2 * len(taken)
                    return taken
        except Exception as error:
            # What is at work is to be carried to its end before this is told.
            self.fault = error
        self.are_taken = True
        return taken

    def name(self, index: int, given: Any) -> str:
        """What the journal calls this input.

        Raises:
            ConfigError: it is no JSON, or has no key.
        """
        return self._named(index, given, self._key_of(index, given))

    def _named(self, index: int, given: Any, key: str | None) -> str:
        if self._key is not None:
            return fingerprints.of_key(key)
        # Where nothing is kept, nothing need tell two inputs apart but their places.
        return (
            fingerprints.fingerprint(given) if self._are_kept else fingerprints.of_key(str(index))
        )

    def _taken(self, index: int, given: Any) -> Input:
        key = self._key_of(index, given)
        name = self._named(index, given, key)
        return Input(index, given, name, self._text(index, given), key)

    def _text(self, index: int, given: Any) -> str:
        if self._message is not None:
            text = self._message(given)
        elif isinstance(given, str):
            text = given
        else:
            text = _as_json(index, given)
        if not isinstance(text, str):
            raise ConfigError(f"the message of input {index} must be text, not {text!r:.80}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigError(
                f"the message of input {index} is no valid text: {text!r:.80}"
            ) from None
        return text

    def _key_of(self, index: int, given: Any) -> str | None:
        if self._key is None:
            return None
        if callable(self._key):
            return self._key(given)
        if not isinstance(given, dict) or self._key not in given:
            raise ConfigError(f"input {index} has no field {self._key!r}: {given!r:.80}")
        value = given[self._key]
        return value if isinstance(value, str) else _as_json(index, value)


def _as_json(index: int, value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"input {index} is no JSON ({error}): {value!r:.80}") from None

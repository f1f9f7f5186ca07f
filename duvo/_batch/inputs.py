"""The inputs of a batch, taken as they are wanted, each with its name and its start message."""

from __future__ import annotations

import json
import time
from typing import Any

from attrs import frozen

from .._errors import ConfigError
from . import fingerprints

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterable, Callable, Iterable

_SLOW = 0.05
"""Seconds after which inputs that were taken so far are used without more."""


@frozen
class Input:
    """One input that was taken.

    Attributes:
        index: its place among the inputs, counted from 0.
        given: the input itself.
        name: its name in the journal.
        message: the start message of its run.
        key: its key, or None.
    """

    index: int
    given: Any
    name: str
    message: str
    key: str | None


class Inputs:
    """Takes inputs one after the other.

    Args:
        given: the inputs.
        message: as in `Runs.map`.
        key: as in `Runs.map`.
        has_journal: whether a file records the state of each input.
        may_await: whether the inputs may be an async iterable.

    Attributes:
        are_taken: whether all were taken.
        error: the error that ended the taking early, or None.

    Raises:
        ConfigError: the inputs cannot be iterated over.
    """

    def __init__(
        self,
        given: Iterable[Any] | AsyncIterable[Any],
        *,
        message: Callable[[Any], str] | None,
        key: str | Callable[[Any], str] | None,
        has_journal: bool,
        may_await: bool = False,
    ):
        is_iterable = hasattr(given, "__iter__") or (may_await and hasattr(given, "__aiter__"))
        if isinstance(given, (str, bytes)) or not is_iterable:
            what = "one text" if isinstance(given, (str, bytes)) else repr(given)
            raise ConfigError(f"inputs are a list or another iterable, not {what:.80}")
        self.are_taken = False
        self.error: BaseException | None = None
        self._group = 1
        self._count = 0
        self._given: Any = given
        self._iterator: Any = None
        self._next: asyncio.Future[Any] | None = None
        # Inputs that were taken when an exception from outside came.
        self._taken: list[Input] = []
        self._message = message
        self._key = key
        self._has_journal = has_journal

    def take(self, most: int) -> list[Input]:
        """Return the next inputs; fewer than `most` when they come slowly, or are at their end."""
        began = time.monotonic()
        try:
            if self._iterator is None:
                self._iterator = iter(self._given)
            for given in self._iterator:
                if self._add(given, most, began):
                    break
            else:
                self.are_taken = True
        except BaseException as error:
            self._record(error)
        return self._hand_over()

    async def take_async(self, most: int) -> list[Input]:
        """Return the next inputs, which may be an async iterable; see `take`."""
        if not hasattr(self._given, "__aiter__"):
            return self.take(most)
        began = time.monotonic()
        try:
            if self._iterator is None:
                self._iterator = self._given.__aiter__()
            while not self._add(await self._next_async(), most, began):
                pass
        except StopAsyncIteration:
            self.are_taken = True
        except Exception as error:
            self._record(error)
        return self._hand_over()

    async def _next_async(self) -> Any:
        import asyncio

        from .._flow.asyncio_tasks import in_task

        # A task of its own: when the calling task is cancelled, the input is taken later.
        if self._next is None or self._next.cancelled():
            self._next = in_task(self._iterator.__anext__())
        given = await asyncio.shield(self._next)
        self._next = None
        return given

    def drop(self) -> None:
        """End the wait for the next input of an async iterable."""
        if self._next is not None:
            self._next.cancel()

    def _add(self, given: Any, most: int, began: float) -> bool:
        """Add an input; return whether those so far are to be used without more."""
        self._taken.append(self._input(self._count, given))
        self._count += 1
        is_slow = time.monotonic() - began > _SLOW
        if not is_slow and len(self._taken) < min(most, self._group):
            return False
        # An input must not wait long for the next ones.
        self._group = 1 if is_slow else 2 * len(self._taken)
        return True

    def _record(self, error: BaseException) -> None:
        # Raised once the runs of earlier inputs have ended. Ctrl-C ends the taking
        # too: it may have ended the generator that the inputs come from.
        self.error, self.are_taken = error, True
        if not isinstance(error, Exception):
            raise error

    def _hand_over(self) -> list[Input]:
        taken, self._taken = self._taken, []
        return taken

    def name(self, index: int, given: Any) -> str:
        """Return the input's name in the journal.

        Raises:
            ConfigError: it is not a JSON value, or has no key.
        """
        return self._named(index, given, self._key_of(index, given))

    def _named(self, index: int, given: Any, key: str | None) -> str:
        if self._key is not None:
            return fingerprints.of_key(key)
        # Without a journal, the place of an input is name enough.
        if self._has_journal:
            return fingerprints.fingerprint(given)
        return fingerprints.of_key(str(index))

    def _input(self, index: int, given: Any) -> Input:
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
                f"the message of input {index} is not valid text: {text!r:.80}"
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
        raise ConfigError(f"input {index} is not JSON ({error}): {value!r:.80}") from None

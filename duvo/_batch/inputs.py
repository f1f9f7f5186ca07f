"""The inputs of a batch, taken as needed, each with its name and start message."""

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
"""Seconds after which the inputs taken so far are used."""


@frozen
class Input:
    """An input that was taken.

    Attributes:
        index: the place among the inputs, counted from 0.
        name: the name in the journal.
        message: the start message of the run.
    """

    index: int
    value: Any
    name: str
    message: str
    key: str | None


class Inputs:
    """Takes inputs one after the other; `Runs.map` explains its arguments.

    Attributes:
        are_taken: whether all inputs were taken.
        error: the error that made taking them end early, or None.
        named_by: the rule by which the journal names them.
    """

    def __init__(
        self,
        values: Iterable[Any] | AsyncIterable[Any],
        *,
        message: Callable[[Any], str] | None,
        key: str | Callable[[Any], str] | None,
        has_journal: bool,
        may_await: bool = False,
    ):
        is_iterable = hasattr(values, "__iter__") or (may_await and hasattr(values, "__aiter__"))
        if isinstance(values, (str, bytes)) or not is_iterable:
            what = "text" if isinstance(values, (str, bytes)) else repr(values)
            raise ConfigError(f"inputs must be a list or another iterable, not {what:.80}")
        if message is not None and not callable(message):
            raise ConfigError(
                "message must be a function that makes the start message of an input, such as "
                f"lambda row: f\"Process {{row['id']}}\", not {message!r:.80}"
            )
        if key is not None and not isinstance(key, str) and not callable(key):
            raise ConfigError(f"key must be a field's name or a function, not {key!r:.80}")
        self.are_taken = False
        self.error: BaseException | None = None
        self.named_by = _rule(key)
        # How many are taken together, if they come fast.
        self._group = 1
        self._count = 0
        self._values: Any = values
        self._iterator: Any = None
        self._next: asyncio.Future[Any] | None = None
        # They outlive an exception from outside.
        self._taken: list[Input] = []
        self._message = message
        self._key = key
        self._has_journal = has_journal

    def take(self, most: int) -> list[Input]:
        """Return the next inputs; fewer than `most` if they come slowly or run out."""
        began = time.monotonic()
        try:
            if self._iterator is None:
                self._iterator = iter(self._values)
            for value in self._iterator:
                if self._add(value, most, began):
                    break
            else:
                self.are_taken = True
        except BaseException as error:
            self._record(error)
        return self._all_taken()

    async def take_async(self, most: int) -> list[Input]:
        """Return the next inputs, which may come from an async iterable; see `take`."""
        if not hasattr(self._values, "__aiter__"):
            return self.take(most)
        began = time.monotonic()
        try:
            if self._iterator is None:
                self._iterator = self._values.__aiter__()
            while not self._add(await self._next_async(), most, began):
                pass
        except StopAsyncIteration:
            self.are_taken = True
        except Exception as error:
            self._record(error)
        return self._all_taken()

    async def _next_async(self) -> Any:
        import asyncio

        from .._flow.asyncio_tasks import in_task

        # A task of its own: when the calling task is cancelled, the input is taken later.
        if self._next is None or self._next.cancelled():
            self._next = in_task(self._iterator.__anext__())
        value = await asyncio.shield(self._next)
        self._next = None
        return value

    def drop(self) -> None:
        """End the wait for the next input of an async iterable."""
        if self._next is not None:
            self._next.cancel()

    def _add(self, value: Any, most: int, began: float) -> bool:
        """Add an input; return whether to use the inputs so far."""
        self._taken.append(self._input(self._count, value))
        self._count += 1
        is_slow = time.monotonic() - began > _SLOW
        if not is_slow and len(self._taken) < min(most, self._group):
            return False
        # An input must not wait long for further ones.
        self._group = 1 if is_slow else 2 * len(self._taken)
        return True

    def _record(self, error: BaseException) -> None:
        # Raised again once the runs of earlier inputs have ended. Ctrl-C counts too:
        # it may have ended the generator that makes the inputs.
        self.error, self.are_taken = error, True
        if not isinstance(error, Exception):
            raise error

    def _all_taken(self) -> list[Input]:
        taken, self._taken = self._taken, []
        return taken

    def name(self, index: int, value: Any) -> str:
        """Return an input's name in the journal."""
        return self._named(index, value, self._key_of(index, value))

    def for_journal(self, index: int, value: Any) -> tuple[str, str]:
        """Return an input's name, and the fingerprint of its message."""
        return self.name(index, value), fingerprints.of_message(self._text(index, value))

    def _named(self, index: int, value: Any, key: str | None) -> str:
        if self._key is not None:
            return fingerprints.of_key(key)
        # Without a journal, the place of an input identifies it.
        if self._has_journal:
            return fingerprints.fingerprint(value)
        return fingerprints.of_key(str(index))

    def _input(self, index: int, value: Any) -> Input:
        key = self._key_of(index, value)
        name = self._named(index, value, key)
        return Input(index, value, name, self._text(index, value), key)

    def _text(self, index: int, value: Any) -> str:
        if self._message is not None:
            text = self._message(value)
        elif isinstance(value, str):
            text = value
        else:
            text = _as_json(index, value)
        if not isinstance(text, str):
            raise ConfigError(f"the message of input {index} must be text, not {text!r:.80}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigError(
                f"the message of input {index} is not valid text: {text!r:.80}"
            ) from None
        return text

    def _key_of(self, index: int, value: Any) -> str | None:
        if self._key is None:
            return None
        if callable(self._key):
            return self._key(value)
        if not isinstance(value, dict) or self._key not in value:
            raise ConfigError(f"input {index} has no field {self._key!r}: {value!r:.80}")
        key = value[self._key]
        return key if isinstance(key, str) else _as_json(index, key)


def _rule(key: str | Callable[[Any], str] | None) -> str:
    if key is None:
        return fingerprints.BY_CONTENT
    # That of a table takes the text of a column.
    field = key if isinstance(key, str) else getattr(key, "column", None)
    return fingerprints.BY_FUNCTION if field is None else fingerprints.by_field(field)


def _as_json(index: int, value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"input {index} is not JSON ({error}): {value!r:.80}") from None

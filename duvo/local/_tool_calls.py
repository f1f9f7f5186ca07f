"""Calling an agent's tools, and making what goes in and out JSON."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from ._text import said_by, storable_json
from ._threads import in_thread


def json_object(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a tool as JSON gives them back.

    Raises:
        TypeError: they are no JSON object.
    """
    try:
        made = storable_json(json.loads(json.dumps(dict(arguments), allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise TypeError(f"the arguments of a tool must be a JSON object: {error}") from error
    if not isinstance(made, dict):
        raise TypeError("the arguments of a tool must be a JSON object")
    return made


class NotNow(Exception):
    """A tool must not be called now, since another server may call it; it was not."""


async def outcome(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    key: str,
    may_begin: Callable[[], bool],
) -> dict[str, Any]:
    """Call a tool and return `{"result": …}` or `{"error": text}`.

    Args:
        function: the tool.
        arguments: the keywords that it is called with.
        key: given to one that takes an `idempotency_key`.
        may_begin: asked in the instant before, in whatever thread that is.

    Raises:
        NotNow: it must not be called now.
    """
    keywords = dict(arguments)

    def begin() -> Any:
        # A process may have been frozen since it last asked.
        if not may_begin():
            raise NotNow
        return function(**keywords)

    try:
        if _takes_key(function):
            keywords["idempotency_key"] = key
        if inspect.iscoroutinefunction(function):
            result = await begin()
        else:
            result = await in_thread(begin)
            if inspect.iscoroutine(result) and not may_begin():
                result.close()
                raise NotNow
            if inspect.isawaitable(result):
                result = await result
        return {"result": storable_json(json.loads(json.dumps(result, allow_nan=False)))}
    except (asyncio.CancelledError, NotNow):
        raise
    except BaseException as error:
        return {"error": said_by(error)}


def random_number() -> float:
    """A random number from 0 to 1, unaffected by `random.seed`."""
    return random.SystemRandom().random()


def _takes_key(function: Callable[..., Any]) -> bool:
    try:
        return "idempotency_key" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False

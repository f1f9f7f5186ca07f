"""An `AsyncClient` with the methods of a `Client`, so that one test serves both."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs

import duvo
from duvo._flow.iterators import AsyncClosableIterator

_END = object()


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        # Functions of tests may block; each gets a thread.
        self.loop.set_default_executor(ThreadPoolExecutor(40))
        self._thread = threading.Thread(target=self.loop.run_forever, name="loop", daemon=True)
        self._thread.start()
        self.facades: weakref.WeakValueDictionary[int, Facade] = weakref.WeakValueDictionary()

    def run(self, coroutine: Any) -> Any:
        """Return the coroutine's result; an exception from outside, such as Ctrl-C, cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the loop and its threads."""
        self.run(self.loop.shutdown_asyncgens())
        self.run(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Facade:
    """An object of the async client with the methods of the blocking one.

    Its coroutines are run to their results; what is returned, raised or
    iterated over is wrapped, and arguments are unwrapped.
    """

    def __init__(self, target: Any, loop: LoopThread):
        vars(self).update(_target=target, _loop=loop)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, "aclose" if name == "close" else name)
        if not (callable(value) and hasattr(value, "__self__")):
            return self._wrap(value)

        def call(*arguments: Any, **named: Any) -> Any:
            given = [_unwrap(argument) for argument in arguments]
            options = {name: _unwrap_option(name, option) for name, option in named.items()}
            if name == "map" and len(given) > 1 and hasattr(given[1], "__next__"):
                given[1] = _taken(given[1])
            return self._outcome(value(*given, **options))

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._target, name, value)

    def _outcome(self, result: Any) -> Any:
        return self._wrap(self._run(result) if asyncio.iscoroutine(result) else result)

    def _run(self, coroutine: Any) -> Any:
        try:
            return self._loop.run(coroutine)
        except duvo.DuvoError as error:
            self._wrap_runs_of(error)
            raise

    def _wrap(self, value: Any) -> Any:
        if isinstance(value, duvo.Event):
            return attrs.evolve(value, run=self._wrap(value.run))
        if isinstance(value, duvo.Result):
            places = {"index": value.index, "key": value.key, "delivered": value.delivered}
            return duvo.Result.of(value.input, self._wrap(value.run), **places)
        if isinstance(value, list):
            return [self._wrap(item) for item in value]
        kind = type(value)
        if not (kind.__name__.startswith("Async") and kind.__module__.startswith("duvo.")):
            return value
        # One object, one facade: `run.wait() is run`.
        facade = self._loop.facades.get(id(value))
        if facade is None:
            is_iterator = isinstance(value, AsyncClosableIterator)
            facade = (FacadeIterator if is_iterator else Facade)(value, self._loop)
            self._loop.facades[id(value)] = facade
        return facade

    def _wrap_runs_of(self, error: duvo.DuvoError) -> None:
        if isinstance(error, duvo.RunError):
            error.run = self._wrap(error.run)
        if isinstance(error, duvo.MapIncomplete):
            for _, _, failure in error.failures:
                self._wrap_runs_of(failure)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._target).replace("<Async", "<")

    def __eq__(self, other: object) -> bool:
        return bool(self._target == _unwrap(other))

    def __hash__(self) -> int:
        return hash(self._target)


class FacadeIterator(Facade):
    """An async iterator as an iterator."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        item = self._run(_next(self._target))
        if item is _END:
            raise StopIteration
        return self._wrap(item)


class FacadeClient(Facade):
    """An async client as a client."""

    def __init__(self, loop: LoopThread, *arguments: Any, **named: Any):
        super().__init__(duvo.AsyncClient(*arguments, **named), loop)

    @property
    def team_id(self) -> str:
        return str(self.find_team_id())


async def _next(iterator: Any) -> Any:
    try:
        return await anext(iterator)
    except StopAsyncIteration:
        return _END


def _unwrap(value: Any) -> Any:
    if isinstance(value, list) and any(isinstance(item, Facade) for item in value):
        return [_unwrap(item) for item in value]
    return value._target if isinstance(value, Facade) else value


def _unwrap_option(name: str, value: Any) -> Any:
    if name == "on_request" and callable(value):
        return _in_thread(value)
    return _unwrap(value)


def _in_thread(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that may block, as a coroutine function."""

    async def call(argument: Any) -> Any:
        return await asyncio.to_thread(function, argument)

    return call


async def _taken(items: Iterator[Any]) -> AsyncIterator[Any]:
    """An iterator that may block, as an async iterator."""
    while (item := await asyncio.to_thread(next, items, _END)) is not _END:
        yield item

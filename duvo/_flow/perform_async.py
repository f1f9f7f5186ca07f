"""The async driver: performs the steps of flows in an event loop."""

from __future__ import annotations

import asyncio
import inspect

from .._errors import ConfigError, DuvoError
from .asyncio_tasks import has_failed, in_thread, until
from .drivers import run_async
from .perform import begin, time_left
from .steps import Block, Call, Closed, Send, Sleep
from .surface import shorten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from .asyncio_tasks import Closing
    from .steps import Flow

    T = TypeVar("T")


_DELIVERY = 4
"""Iterations of the event loop between the arrival of a response and its delivery."""


class AsyncDriver:
    """Runs flows in the event loop that uses it first.

    `connect` completes the API's settings and returns the transport. It is called
    in a thread, before the first step.
    """

    may_await = True

    def __init__(self, api: Any, connect: Callable[[], Any]):
        self.api = api
        self._connect = connect
        self._transport: Any = None
        self._connecting: asyncio.Future[Any] | None = None
        self._turn = asyncio.Lock()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow and return its result."""
        try:
            await self.prepare()
            return await run_async(flow, self.perform)
        except DuvoError as error:
            raise shorten(error)  # noqa: B904  # it is the same error

    async def perform(self, step: Any, closed: Closing | None = None) -> Any:
        """Perform one step. It ends early with `Closed` when `closed` is set."""
        if closed is not None and closed.is_set():
            raise Closed
        kind = type(step)
        if kind is Send:
            begin(step, self.api)
            send = self._send_in_turn if step.request.is_poll else self._transport.send
            sending = send(step.request)
            # A change that was sent is read to its end.
            return await until(sending, None if step.request.is_change else closed)
        if kind is Sleep:
            await self.api.clock.sleep_async(time_left(step, self.api.clock), closed)
            if closed is not None and closed.is_set():
                raise Closed
            return None
        if kind is Call:
            result = step.function(step.argument)
            return await until(result, closed) if inspect.isawaitable(result) else result
        assert kind is Block
        if step.task is None:
            step.task = in_thread(step.function, *step.arguments)
        # A cancellation leaves it running.
        return await asyncio.shield(step.task)

    async def _send_in_turn(self, request: Any) -> Any:
        # Sending many polls in a row would delay messages that have arrived. So polls are
        # sent one at a time, and each lets those messages be delivered first.
        async with self._turn:
            for _ in range(_DELIVERY):
                await asyncio.sleep(0)
        return await self._transport.send(request)

    async def prepare(self) -> None:
        """Complete the API's settings before a flow is begun; refuse another event loop."""
        self._check_loop()
        if self._transport is None:
            if self._connecting is None or has_failed(self._connecting):
                self._connecting = in_thread(self._connect)
            self._transport = await asyncio.shield(self._connecting)

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self.loop is None:
            self.loop = loop
        if self.loop is not loop:
            raise ConfigError(
                "this AsyncClient belongs to another event loop; create one in each loop"
            )

    def interrupt(self) -> None:
        """Do nothing: a pending step sees that the iterator was closed."""

    async def finish(self) -> None:
        """Do nothing: there is nothing to clean up."""

    def __reduce__(self) -> str:
        raise TypeError("an AsyncClient cannot be copied or pickled; create one in each process")

    async def aclose(self) -> None:
        """Close the connections; later requests open new ones."""
        if self._transport is not None:
            self._check_loop()
            await self._transport.aclose()

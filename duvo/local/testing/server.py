"""A server shared by all tests of a session."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError
from typing import Any

from .._clock import clock
from .._server import Server
from ..errors import EngineError
from .clock import EngineClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from .._api.long_poll import LongPolls
    from .._execution.engine import Engine

__tracebackhide__ = True  # pytest shows the author's code alone

_TIMEOUT = 10.0
"""Seconds that an agent's function may run without an `await`."""


class ReusableServer(Server):
    """A server on a temporary database. Emptying it is faster than starting another server.

    Attributes:
        clock: the engine's time.
    """

    def __init__(self) -> None:
        super().__init__(port=0, examples=False)
        self.clock = EngineClock(self._perform, self._count_requests)
        self._open_requests = 0
        self._long_polls: LongPolls

    def reset(self) -> None:
        """End all turns, delete all runs, serve no agents, and return to the real time."""
        self._perform(lambda engine: engine.delete_runs())
        clock.reset()
        self.replace_agents([])

    def _perform(self, work: Callable[[Engine], Coroutine[Any, Any, None]]) -> None:
        async def answer(engine: Engine) -> None: ...

        try:
            self._with_engine(answer, _TIMEOUT)
        except TimeoutError:
            raise EngineError(
                "an agent's function blocks the event loop of all agents; "
                "put what blocks into a sync function and call that with run.tool"
            ) from None
        self._with_engine(work)

    def _count_requests(self) -> int:
        # Held requests wait for news, as a client does between two requests.
        return self._open_requests - self._long_polls.held

    def _wrapped(self, app: ASGIApp, long_polls: LongPolls) -> ASGIApp:
        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            self._open_requests += 1
            try:
                await app(scope, receive, send)
            finally:
                self._open_requests -= 1

        self._long_polls = long_polls
        return counted

"""A server that a whole test session uses."""

from __future__ import annotations

from concurrent.futures import TimeoutError

from .._server import Server
from ..errors import EngineError

_TIMEOUT = 10.0
"""Seconds that turns have to end, each at its current `await`."""


class ReusableServer(Server):
    """A server on a temporary database that can be emptied, which is faster than a new one."""

    def __init__(self) -> None:
        super().__init__(port=0, examples=False)

    def reset(self) -> None:
        """End all turns, delete all runs, and serve no agents."""
        try:
            self._with_engine(lambda engine: engine.delete_runs(), _TIMEOUT)
        except TimeoutError:
            raise EngineError(
                "an agent's function does not end: it blocks the event loop of all agents; "
                "put what blocks into a sync function and call that with run.tool"
            ) from None
        self.replace_agents([])

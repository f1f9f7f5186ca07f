"""The type of the fixture `duvo_engine`."""

from __future__ import annotations

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._server import Server
    from ..agents import Agent


class ServeAgents(Protocol):
    """Serves agents in place of those before, and returns the server: the fixture `duvo_engine`."""

    def __call__(self, *agents: Agent) -> Server: ...

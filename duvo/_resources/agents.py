"""The collection of agents."""

from __future__ import annotations

import re

from .. import _errors
from .._http import paths
from .._models import wire
from .._models.checks import understanding
from .._pages import Pages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._client import Client
    from .._http.clock import Deadline
    from .._models.messages import Agent

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Agents:
    """The agents of the client's team."""

    def __init__(self, client: Client):
        self._client = client
        self._ids: dict[str, str] = {}

    def list(self, limit: int | None = None) -> AgentList:
        """The agents, read a page at a time from `GET /v2/teams/{team}/agents`.

        Args:
            limit: at most that many.
        """
        return AgentList(self._client, limit)

    def get(self, agent: str) -> Agent:
        """One agent. Sends `GET /v2/agents/{id}`.

        Args:
            agent: its id, or its exact name.

        Raises:
            NotFound: there is none.
            AmbiguousAgent: several share the name; the error lists them.
        """
        from .._models import messages
        from .._models.build import build

        agent_id = self.id_of(agent)
        path = paths.agent(agent_id)
        answer = self._client._transport.send("GET", path)
        with understanding("GET", path):
            raw = wire.expect_dict(wire.expect_dict(answer.data, "the top").get("agent"), "agent")
            return build(messages.Agent, raw, raw)

    def id_of(self, agent: str, deadline: Deadline | None = None) -> str:
        """The id of an agent that is given by id or by its exact name.

        A name is looked up once for each client, in `GET /v2/teams/{team}/agents`.

        Args:
            agent: its id, or its exact name.
            deadline: no request goes beyond it.

        Raises:
            NotFound: no agent has that name.
            AmbiguousAgent: several have it; the error lists them.
        """
        if _UUID.fullmatch(agent):
            return agent
        if agent not in self._ids:
            self._ids[agent] = self._named(agent, deadline).id
        return self._ids[agent]

    def _named(self, name: str, deadline: Deadline | None) -> Agent:
        found = [
            agent
            for agent in AgentList(self._client, None, deadline)
            if name in (agent.name, agent.id)
        ]
        if not found:
            raise _errors.NotFound(
                f"no agent is called {name!r}; `duvo agents list` shows those that there are",
                status=404,
            )
        if len(found) > 1:
            ids = ", ".join(agent.id for agent in found)
            raise _errors.AmbiguousAgent(
                f"{len(found)} agents are called {name!r}: give the id instead, one of {ids}",
                agents=found,
            )
        return found[0]


class AgentList:
    """Agents, read a page at a time as they are wanted.

    Attributes:
        total: how many there are in all, once a page was read, or None.
        more: whether a limit cut the list.
    """

    def __init__(self, client: Client, limit: int | None, deadline: Deadline | None = None):
        self._client = client
        self._limit = limit
        self._deadline = deadline
        self._pages: Pages | None = None
        self._agents = self._read()

    @property
    def total(self) -> int | None:
        """How many agents there are in all, once a page was read, or None."""
        return self._pages.total if self._pages else None

    @property
    def more(self) -> bool:
        """Whether a limit cut the list."""
        return self._pages.more if self._pages else False

    def __iter__(self) -> Iterator[Agent]:
        return self._agents

    def __next__(self) -> Agent:
        return next(self._agents)

    def _read(self) -> Iterator[Agent]:
        from .._models import messages
        from .._models.build import build

        path = paths.agents(self._client._team_id(self._deadline))
        self._pages = Pages(
            self._client._transport, path, "agents", limit=self._limit, deadline=self._deadline
        )
        for raw in self._pages:
            yield build(messages.Agent, raw, raw)

"""Made from _resources/agents.py by docs/async_classes.py; change that file instead."""

from __future__ import annotations

from .._flow.drivers import convert
from .._flow.iterators import AsyncClosableIterator
from .._lists.read_items import ReadItems
from .._resources.agents import (
    Agent,
    AgentQuery,
    find_agent_id,
    get_agent,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._flow.perform_async import AsyncDriver


class AsyncAgents:
    """The agents of the client's team."""

    def __init__(self, driver: AsyncDriver):
        self._driver = driver

    def list(self, limit: int | None = None) -> AsyncAgentList:
        """Return the agents, read a page at a time from `GET /v2/teams/{team}/agents`.

        Args:
            limit: maximum number of agents.
        """
        return AsyncAgentList(self._driver, limit)

    async def get(self, agent: str) -> Agent:
        """Return an agent. Sends `GET /v2/agents/{id}`.

        Args:
            agent: the agent's id, or its name.

        Raises:
            NotFound: no agent has this id or name.
            AmbiguousAgent: several agents have this name; the error lists them.
        """
        return await self._driver.run(get_agent(self._driver.api, agent))

    async def id_of(self, agent: str) -> str:
        """Return the id of an agent.

        Looks a name up in `GET /v2/teams/{team}/agents`, and keeps its id for a minute.

        Args:
            agent: the agent's id, or its name.

        Raises:
            NotFound: no agent has this name.
            AmbiguousAgent: several agents have this name; the error lists them.
        """
        return await self._driver.run(find_agent_id(self._driver.api, agent))

    def __repr__(self) -> str:
        return f"<AsyncAgents {self._driver.api.place}>"


class AsyncAgentList(AsyncClosableIterator[Agent]):
    """Agents, read a page at a time as needed."""

    def __init__(self, driver: AsyncDriver, limit: int | None):
        self._query = AgentQuery(driver.api, limit)
        read = self._read = ReadItems("agent")
        agents = convert(self._query.give(), lambda page: [read.add(agent) for agent in page])
        super().__init__(agents, driver)

    @property
    def total(self) -> int | None:
        """Number of agents in all, once a page was read, or None."""
        return self._query.pages.total if self._query.pages else None

    @property
    def more(self) -> bool:
        """Whether a limit cut the list."""
        return self._query.pages.more if self._query.pages else False

    def __repr__(self) -> str:
        return f"<AsyncAgentList {self._read.describe(self.total)}>"

    def _repr_html_(self) -> str:
        from .._resources.html import of_agents

        return of_agents(self._read, self.total)

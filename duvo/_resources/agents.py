"""Agents."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import field, frozen

from .. import _errors
from .._advice import words
from .._flow.drivers import convert
from .._flow.iterators import ClosableIterator
from .._flow.steps import Give
from .._http import paths
from .._http.sender import get
from .._lists.pages import Pages
from .._lists.read_items import ReadItems
from .._models.build import build
from .._models.checks import expect_field, request_context
from .._settings.arguments import checked_count
from .._settings.credentials import checked_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .._flow.perform import Driver
    from .._flow.steps import Flow, T
    from .._http.api import Api
    from .._time.clock import Deadline

_KEPT = 60.0
"""Seconds for which the id of an agent that was looked up is kept."""


@frozen(kw_only=True)
class Agent:
    """An agent.

    Attributes:
        id: the agent's id.
        name: the agent's name.
        team_id: the agent's team.
        created_at: when it was created.
        updated_at: when it last changed.
        last_run_at: when it last ran; only set in lists.
        raw: as the API sent it.
    """

    id: str
    name: str
    team_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_run_at: datetime | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)


class Agents:
    """The agents of the client's team."""

    def __init__(self, driver: Driver):
        self._driver = driver

    def list(self, limit: int | None = None) -> AgentList:
        """Return the agents, read a page at a time from `GET /v2/teams/{team}/agents`.

        Args:
            limit: maximum number of agents.
        """
        return AgentList(self._driver, limit)

    def get(self, agent: str) -> Agent:
        """Return an agent. Sends `GET /v2/agents/{id}`.

        Args:
            agent: the agent's id, or its name.

        Raises:
            NotFound: no agent has this id or name.
            AmbiguousAgent: several agents have this name; the error lists them.
        """
        return self._driver.run(get_agent(self._driver.api, agent))

    def id_of(self, agent: str) -> str:
        """Return the id of an agent.

        Looks a name up in `GET /v2/teams/{team}/agents`, and keeps its id for a minute.

        Args:
            agent: the agent's id, or its name.

        Raises:
            NotFound: no agent has this name.
            AmbiguousAgent: several agents have this name; the error lists them.
        """
        return self._driver.run(find_agent_id(self._driver.api, agent))

    def __repr__(self) -> str:
        return f"<Agents {self._driver.api.place}>"


class AgentList(ClosableIterator[Agent]):
    """Agents, read a page at a time as needed."""

    def __init__(self, driver: Driver, limit: int | None):
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
        return f"<AgentList {self._read.describe(self.total)}>"

    def _repr_html_(self) -> str:
        from .html import of_agents

        return of_agents(self._read, self.total)


class AgentQuery:
    """A query for agents, and how much of it was read."""

    def __init__(self, api: Api, limit: int | None = None, deadline: Deadline | None = None):
        self.pages: Pages | None = None
        self._api = api
        self._limit = None if limit is None else checked_count(limit, "limit")
        self._deadline = deadline

    def next_page(self) -> Flow[list[Agent] | None]:
        """Read a page; return its agents, or None at the end of the list."""
        if self.pages is None:
            path = paths.agents((yield from self._api.team_id(self._deadline)))
            self.pages = Pages(
                self._api, path, "agents", limit=self._limit, deadline=self._deadline
            )
        items = yield from self.pages.next_page()
        return (
            None
            if items is None
            else [build(Agent, raw, raw, self._api.warn_once) for raw in items]
        )

    def give(self) -> Flow[None]:
        """Give the agents."""
        while (agents := (yield from self.next_page())) is not None:
            yield Give(agents)


def get_agent(api: Api, agent: str) -> Flow[Agent]:
    """Read an agent by its id or name."""

    def read(agent_id: str) -> Flow[Agent]:
        path = paths.agent(agent_id)
        response = yield from get(api, path)
        with request_context("GET", path):
            raw = expect_field(response.data, "agent")
            return build(Agent, raw, raw, api.warn_once)

    return (yield from with_agent_id(api, agent, read))


def find_agent_id(
    api: Api, agent: str, deadline: Deadline | None = None, gone: str | None = None
) -> Flow[str]:
    """Find the id of an agent by its id or name; `gone` is an id that was not found."""
    if paths.is_id(checked_id(agent, "agent")):
        return agent
    agent_id, looked_up_at = api.agent_ids.get(agent, ("", 0.0))
    if agent_id in ("", gone) or api.clock.now() - looked_up_at > _KEPT:
        agent_id = (yield from _find_by_name(api, agent, deadline)).id
        api.agent_ids[agent] = (agent_id, api.clock.now())
    return agent_id


def with_agent_id(
    api: Api, agent: str, use: Callable[[str], Flow[T]], deadline: Deadline | None = None
) -> Flow[T]:
    """Use the id of an agent, which is given by its id or name.

    A name may have moved to another agent since it was looked up: if its id is not found,
    it is looked up again, and another id is used in a call of its own.
    """
    before = api.agent_ids.get(checked_id(agent, "agent"))
    agent_id = yield from find_agent_id(api, agent, deadline)
    was_kept = before is not None and api.agent_ids.get(agent) is before
    try:
        return (yield from use(agent_id))
    except _errors.NotFound:
        if not was_kept:
            raise
        found = yield from find_agent_id(api, agent, deadline, gone=agent_id)
        if found == agent_id:
            raise
    return (yield from use(found))


def _find_by_name(api: Api, name: str, deadline: Deadline | None) -> Flow[Agent]:
    query = AgentQuery(api, deadline=deadline)
    known: list[Agent] = []
    while (agents := (yield from query.next_page())) is not None:
        known += agents
    found = [agent for agent in known if name in (agent.name, agent.id)]
    if not found:
        found = [agent for agent in known if agent.name.casefold() == name.casefold()]
    if not found:
        from difflib import get_close_matches

        close = get_close_matches(name, [agent.name for agent in known], 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise _errors.NotFound(
            f"no agent is called {name!r}; {hint}{words().list_agents()}",
            status=404,
        )
    if len(found) > 1:
        ids = ", ".join(agent.id for agent in found)
        raise _errors.AmbiguousAgent(
            f"{len(found)} agents are called {name!r}: give the id instead, one of {ids}",
            agents=found,
        )
    return found[0]

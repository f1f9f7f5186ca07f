"""The team, the user and the agents."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..._execution.engine import Engine
from ..._store import queries, shapes
from ..._store.api_errors import ApiError
from ...agents import Agent
from .. import parameters


class AgentRoutes:
    def __init__(self, engine: Engine):
        self._engine = engine

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/v2/teams", self.teams),
            Route("/v2/profile", self.profile),
            Route("/v2/teams/{team_id}/agents", self.agents),
            Route("/v2/agents/{agent_id}", self.agent),
        ]

    async def teams(self, request: Request) -> Response:
        return JSONResponse({"teams": [shapes.team()]})

    async def profile(self, request: Request) -> Response:
        return JSONResponse({"profile": shapes.profile()})

    async def agents(self, request: Request) -> Response:
        parameters.check_team(request)
        offset, limit = parameters.page(request, max_limit=100)
        parameters.parameter(request, "include_schedules", "true", "false")
        automation = parameters.uuid_parameter(request, "automation_id")
        last_runs = await self._engine.transact(queries.last_runs)
        agents = [] if automation else list(self._engine.agents.values())
        return JSONResponse(
            {
                "agents": [
                    shapes.agent_item(agent, last_runs.get(agent.id))
                    for agent in agents[offset : offset + limit]
                ],
                "total": len(agents),
                "limit": limit,
                "offset": offset,
            }
        )

    async def agent(self, request: Request) -> Response:
        agent = find_agent(self._engine, request.path_params["agent_id"])
        return JSONResponse({"agent": shapes.agent(agent), "user_context": {"pinned_at": None}})


def find_agent(engine: Engine, agent_id: str) -> Agent:
    agent = engine.agents.get(parameters.checked_uuid(agent_id, "agent_id"))
    if agent is None:
        raise ApiError(404, "there is no such agent, or its file was not given to this server")
    return agent

"""Made from _resources/teams.py by docs/async_classes.py; change that file instead."""

from __future__ import annotations

import builtins

from .._resources.teams import (
    Team,
    list_teams,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._flow.perform_async import AsyncDriver


class AsyncTeams:
    """The teams that the key sees."""

    def __init__(self, driver: AsyncDriver):
        self._driver = driver

    async def list(self) -> builtins.list[Team]:
        """Return the teams. Sends `GET /v2/teams`.

        Raises:
            DuvoError: the request failed.
        """
        return await self._driver.run(list_teams(self._driver.api))

    def __repr__(self) -> str:
        return f"<AsyncTeams of the key at {self._driver.api.base_url}>"

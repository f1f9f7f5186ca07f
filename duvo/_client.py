"""The client."""

from __future__ import annotations

from ._resources.connection import Connection
from ._settings.settings import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import requests

    from ._http.response import Response
    from ._resources.agents import Agents
    from ._resources.runs import Runs
    from ._resources.teams import Teams, WhoAmI
    from ._settings.settings import Settings


class Client:
    """A client of the API. Threads may share it; it can be pickled, with its key.

    Settings come from the arguments, then the environment (`DUVO_API_KEY`,
    `DUVO_API_BASE_URL`, `DUVO_TEAM_ID`, `DUVO_PROFILE`), then the profile file.

    Args:
        api_key: the key.
        base_url: the API's origin, without a path.
        team_id: the team; by default it is found by the key, once.
        profile: a profile in the profile file; its key, base URL and team
            override the environment.
        timeout: seconds for each socket operation of a request: connecting,
            and each wait for data. Host name lookups are not covered, and each
            address of a host has its own.
        max_retries: maximum number of retries of a call, where retrying is safe.
        session: your own `requests.Session` (proxies, client certificates,
            adapters). Used unchanged, one request at a time; never closed by
            the client.
        user_agent: a prefix for the `User-Agent` header.

    Raises:
        MissingCredential: no API key was found.
        ConfigError: a setting is invalid.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        team_id: str | None = None,
        profile: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        max_retries: int = DEFAULT_MAX_RETRIES,
        session: requests.Session | None = None,
        user_agent: str | None = None,
    ):
        self._connection = Connection(
            api_key, base_url, team_id, profile, timeout, max_retries, session, user_agent
        )
        self._driver = self._connection.driver

    @property
    def settings(self) -> Settings:
        """The settings that are used."""
        return self._connection.settings

    @property
    def base_url(self) -> str:
        """The API's origin."""
        return self.settings.base_url

    @property
    def team_id(self) -> str:
        """The team; the first time this may send `GET /v2/teams`.

        Raises:
            ConfigError: the key sees no team, or several, and none was given.
            DuvoError: the request failed.
        """
        team_id: str = self._driver.run(self._driver.api.team_id())
        return team_id

    @property
    def runs(self) -> Runs:
        """The calls for runs."""
        from ._resources.runs import Runs

        return Runs(self._driver)

    @property
    def agents(self) -> Agents:
        """The calls for agents."""
        from ._resources.agents import Agents

        return Agents(self._driver)

    @property
    def teams(self) -> Teams:
        """The calls for teams."""
        from ._resources.teams import Teams

        return Teams(self._driver)

    def whoami(self) -> WhoAmI:
        """Return the owner of the key. Sends `GET /v2/profile` and `GET /v2/teams`.

        Raises:
            DuvoError: a request failed.
        """
        from ._resources.teams import read_owner

        return self._driver.run(read_owner(self._driver.api))

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: Any = None,
    ) -> Response:
        """Send any request of the API, with the client's key, retries and errors.

        Args:
            method: the HTTP method.
            path: the path, such as `/v2/teams`; `{teamId}` is replaced by the
                client's team.
            params: the query.
            body: any JSON value, or JSON as bytes, sent unchanged; None for no body.

        Raises:
            DuvoError: the request failed.
        """
        from ._resources import calls

        return self._driver.run(calls.request(self._driver.api, method, path, params, body))

    def paginate(
        self, path: str, *, params: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    ) -> Any:
        """Return all pages of a list call as one document of the same shape.

        Sends a `GET` for each page, of 50 items unless `params` has a limit.

        Raises:
            DuvoError: a request failed.
        """
        from ._resources import calls

        return self._driver.run(calls.paginate(self._driver.api, path, params))

    def close(self) -> None:
        """Close the client's connections. Later requests open new ones."""
        self._driver.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {self._driver.api.place}>"

"""The client: settings, transport, and the collections."""

from __future__ import annotations

import threading

from . import _config, _errors
from ._http.clock import Clock
from ._http.transport import Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Any

    import requests

    from ._http.clock import Deadline
    from ._http.transport import Answer
    from ._resources.agents import Agents
    from ._resources.runs import Runs
    from ._resources.teams import Teams, WhoAmI

DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_RETRIES = 3

_LONGEST_TIMEOUT = 86_400.0


class Client:
    """The way into the API. Threads may share one; it can be pickled, with its key.

    Settings come from the arguments, then the environment (`DUVO_API_KEY`,
    `DUVO_API_BASE_URL`, `DUVO_TEAM_ID`, `DUVO_PROFILE`), then the profile file.

    Args:
        api_key: the key.
        base_url: the API's origin, without a path.
        team_id: the team; derived from the key, once, when not given.
        profile: a profile of the profile file: its key, base URL and team
            beat the environment.
        timeout: seconds for each socket operation of a request: connecting,
            and each wait for data. Looking up a host name is not covered, and
            each address of a name has its own.
        max_retries: how often a single call is sent again at most, where that is safe.
        session: your own `requests.Session` (proxies, client certificates,
            adapters). It is used as it is, one request at a time, and is
            neither changed nor closed.
        user_agent: put before ours in `User-Agent`.

    Attributes:
        runs: the runs.
        agents: the agents.
        teams: the teams.

    Raises:
        MissingCredential: there is no key anywhere.
        ConfigError: a setting that cannot work.
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
        if not 0 < timeout <= _LONGEST_TIMEOUT:
            raise _errors.ConfigError(
                f"timeout must be seconds above 0 and at most {_LONGEST_TIMEOUT:g}, not {timeout}"
            )
        if max_retries < 0:
            raise _errors.ConfigError(f"max_retries must not be negative, but is {max_retries}")
        if user_agent is not None and not (user_agent.isascii() and user_agent.isprintable()):
            raise _errors.ConfigError("user_agent must be printable ASCII")
        self.settings = _config.resolve(api_key, base_url, team_id, profile)
        self._session = session
        self._user_agent = user_agent
        self._timeout = timeout
        self._max_retries = max_retries
        self._is_copy = False
        self._set_up()

    def _set_up(self) -> None:
        self._transport = Transport(
            self.settings,
            timeout=self._timeout,
            max_retries=self._max_retries,
            session=self._session,
            user_agent=self._user_agent,
            clock=Clock(),
        )
        self._deriving = threading.Lock()
        self._agents: Agents | None = None

    @property
    def base_url(self) -> str:
        """The API's origin."""
        return self.settings.base_url

    @property
    def team_id(self) -> str:
        """The team; the first time it may send `GET /v2/teams`.

        Raises:
            ConfigError: the key sees no team, or several, and none was named.
            DuvoError: the request failed.
        """
        return self._team_id(None)

    def _team_id(self, deadline: Deadline | None) -> str:
        if self.settings.team_id is None:
            with self._deriving:
                if self.settings.team_id is None:
                    self.settings.team_id = self._find_team(deadline)
        return self.settings.team_id

    def _find_team(self, deadline: Deadline | None) -> str:
        from ._resources import teams

        if self.settings.team_may_be_in_profile and (team_id := _config.team_of_profile()):
            return team_id
        return teams.derive(self, deadline)

    @property
    def runs(self) -> Runs:
        """The runs: start, get, list, follow."""
        from ._resources.runs import Runs

        return Runs(self)

    @property
    def agents(self) -> Agents:
        """The agents: list, get."""
        if self._agents is None:
            from ._resources.agents import Agents

            self._agents = Agents(self)
        return self._agents

    @property
    def teams(self) -> Teams:
        """The teams: list."""
        from ._resources.teams import Teams

        return Teams(self)

    def whoami(self) -> WhoAmI:
        """Whose key it is. Sends `GET /v2/profile` and `GET /v2/teams`.

        Raises:
            DuvoError: a request failed.
        """
        from ._resources import teams

        return teams.whoami(self)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: Any = None,
    ) -> Answer:
        """Any request of the API, with the client's key, retries and errors.

        Args:
            method: HTTP method.
            path: from `/v2/` on; `{teamId}` in it becomes the client's team.
            params: query.
            body: anything JSON, or None for no body.

        Raises:
            DuvoError: the request failed.
        """
        if not (method.isascii() and method.isalpha()):
            raise _errors.ConfigError(f"{method!r} is no HTTP method")
        return self._transport.send(
            method.upper(), self._whole_path(path), params=_pairs(params), body=body
        )

    def paginate(
        self, path: str, *, params: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    ) -> Any:
        """All pages of a list call as one document of the same shape.

        Sends `GET` to the path as often as there are pages. Asks for 50 items
        a page, unless params has a limit.

        Raises:
            DuvoError: a request failed.
        """
        from . import _pages

        whole = self._whole_path(path)
        return _pages.joined(
            lambda query: self._transport.send("GET", whole, params=query).data, _pairs(params), 50
        )

    def _whole_path(self, path: str) -> str:
        if "://" in path:
            raise _errors.ConfigError(
                f"{path!r} is a whole URL; give the path alone, such as /v2/teams"
            )
        path = "/" + path.lstrip("/")
        for name in ("{teamId}", "{team_id}"):
            if name in path:
                path = path.replace(name, self.team_id)
        return path

    @property
    def _identity(self) -> tuple[object, ...]:
        """What makes two clients send alike."""
        ours = (self.settings.api_key, self.base_url, self.settings.team_id, self._user_agent)
        return (*ours, self._timeout, self._max_retries, id(self._session) if self._session else 0)

    def close(self) -> None:
        """Close the client's connections. It can be used again, which opens new ones."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        left_behind = ("_transport", "_deriving", "_agents")
        return {name: value for name, value in self.__dict__.items() if name not in left_behind}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # It came from elsewhere, and its connections are its own.
        self._is_copy = True
        self._set_up()

    def __repr__(self) -> str:
        return f"<Client {self.base_url} team {self.settings.team_id or 'not known yet'}>"


def _pairs(
    params: Mapping[str, str] | Sequence[tuple[str, str]],
) -> list[tuple[str, str]]:
    return list(params.items()) if hasattr(params, "items") else list(params)

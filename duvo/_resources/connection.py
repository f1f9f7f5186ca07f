"""The driver of a client, made from its settings."""

from __future__ import annotations

from .._flow.perform import Driver
from .._forks import load_before_fork
from .._http.api import Api
from .._http.requests_transport import RequestsTransport
from .._settings.settings import checked_options, resolve
from .._time.clock import Clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import requests

    from .._flow.steps import Flow
    from .._settings.settings import Settings
    from .._time.clock import Deadline


class Connection:
    """The settings and the driver of a client. Arguments and errors are those of `Client`."""

    def __init__(
        self,
        api_key: str | None,
        base_url: str | None,
        team_id: str | None,
        profile: str | None,
        timeout: float,
        max_retries: int,
        session: requests.Session | None,
        user_agent: str | None,
    ):
        timeout, max_retries, user_agent = checked_options(timeout, max_retries, user_agent)
        self.settings = resolve(api_key, base_url, team_id, profile)
        self.driver = _connect(self.settings, timeout, max_retries, session, user_agent)


def _connect(
    settings: Settings,
    timeout: float,
    max_retries: int,
    session: requests.Session | None,
    user_agent: str | None,
) -> Driver:
    # A held request would block others in the caller's single session.
    api = Api(max_retries=max_retries, timeout=timeout, clock=Clock(), may_hold=session is None)
    configure(api, settings)
    transport = RequestsTransport(
        settings.base_url,
        settings.api_key,
        timeout=timeout,
        session=session,
        user_agent=user_agent,
        engine=settings.profile if settings.is_of_engine else None,
    )
    origin = (_reconnect, (settings, timeout, max_retries, session, user_agent))
    account = (settings.api_key, settings.base_url, settings.team_id)
    identity = (*account, timeout, max_retries, user_agent, id(session) if session else 0)
    return Driver(api, transport, origin, identity)


def _reconnect(*arguments: Any) -> Driver:
    """Return the driver of a client that came from another process."""
    driver = _connect(*arguments)
    driver.is_copy = True
    return driver


def configure(api: Api, settings: Settings) -> None:
    """Pass the settings to the API."""

    def find_team(api: Api, deadline: Deadline | None) -> Flow[str]:
        # Loaded only if the team is not known: most commands know it.
        from .calls import find_team

        return find_team(api, settings, deadline)

    api.configure(settings.base_url, settings.api_key, settings.team_id, find_team)
    api.base_url_source = settings.base_url_source


load_before_fork(
    "duvo._batch.batch",
    "duvo._batch.inputs",
    "duvo._connections.environment",
    "duvo._http.sessions",
    "duvo._models.build",
    "duvo._models.runs",
    "duvo._resources.agents",
    "duvo._resources.calls",
    "duvo._resources.iterators",
    "duvo._resources.messages",
    "duvo._resources.runs",
    "duvo._resources.run_list",
    "duvo._resources.teams",
    "duvo._watch.inbox",
    "email.utils",
    "encodings.idna",
    "tenacity",
    "uuid",
    if_begun=("duvo._resources.results",),
)

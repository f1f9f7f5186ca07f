"""Making the driver of a client from its settings."""

from __future__ import annotations

from .._flow.perform import Driver
from .._http.api import Api
from .._http.clock import Clock
from .._http.requests_transport import RequestsTransport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import requests

    from .._config import Settings
    from .._flow.steps import Flow
    from .._http.clock import Deadline


def connect(
    settings: Settings,
    timeout: float,
    max_retries: int,
    session: requests.Session | None,
    user_agent: str | None,
) -> Driver:
    """Return a driver with these settings. Sends nothing."""
    api = Api(
        settings.base_url,
        settings.api_key,
        settings.team_id,
        lambda api, deadline: _find_team(api, settings, deadline),
        max_retries=max_retries,
        clock=Clock(),
        # A held request would keep others waiting for the caller's one session.
        may_hold=session is None,
    )
    transport = RequestsTransport(
        settings.base_url,
        settings.api_key,
        timeout=timeout,
        session=session,
        user_agent=user_agent,
    )
    return Driver(
        api, transport, (_reconnect, (settings, timeout, max_retries, session, user_agent))
    )


def _reconnect(*arguments: Any) -> Driver:
    """Return the driver of a client that came from another process."""
    driver = connect(*arguments)
    driver.is_copy = True
    return driver


def _find_team(api: Api, settings: Settings, deadline: Deadline | None) -> Flow[str]:
    # Loaded when the team is not known: most commands know it.
    from .calls import find_team

    return find_team(api, settings, deadline)

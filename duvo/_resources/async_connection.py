"""The driver of an async client. Its settings are completed before the first request."""

from __future__ import annotations

import os
from functools import partial

from .._errors import NotLoaded
from .._flow.perform_async import AsyncDriver
from .._http.api import Api
from .._http.httpx_transport import HttpxTransport
from .._settings.settings import Settings, checked_options, needs_file, resolve
from .._time.clock import Clock
from .connection import configure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import httpx2

_OURS = "DUVO_"


class AsyncConnection:
    """The settings and the driver of an async client.

    Arguments and errors are those of `AsyncClient`. Arguments and environment are
    read at once; the profile file is read in a thread, before the first request.
    """

    def __init__(
        self,
        api_key: str | None,
        base_url: str | None,
        team_id: str | None,
        profile: str | None,
        timeout: float,
        max_retries: int,
        session: httpx2.AsyncClient | None,
        user_agent: str | None,
    ):
        timeout, max_retries, user_agent = checked_options(timeout, max_retries, user_agent)
        self._timeout = timeout
        self._session = session
        self._user_agent = user_agent
        self._settings: Settings | None = None
        environ = {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
        self._resolve = partial(resolve, api_key, base_url, team_id, profile, environ)
        api = Api(max_retries=max_retries, timeout=timeout, clock=Clock(), may_hold=True)
        self.driver = AsyncDriver(api, self._connect)
        if not needs_file(api_key, base_url, profile, environ):
            self._settle()

    @property
    def settings(self) -> Settings:
        """The settings; `NotLoaded` until the profile file has been read."""
        if self._settings is None:
            raise NotLoaded("the profile file has not been read yet: send a request first")
        return self._settings

    def _settle(self) -> Settings:
        if self._settings is None:
            self._settings = self._resolve()
            configure(self.driver.api, self._settings)
        return self._settings

    def _connect(self) -> HttpxTransport:
        settings = self._settle()
        return HttpxTransport(
            settings.base_url,
            settings.api_key,
            timeout=self._timeout,
            session=self._session,
            user_agent=self._user_agent,
            engine=settings.profile if settings.is_of_engine else None,
        )

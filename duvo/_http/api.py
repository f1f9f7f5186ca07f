"""The API as flows see it: address, key, team, clock, rate limit, and what the server offers."""

from __future__ import annotations

import contextlib
import logging
import threading

from .._errors import TimeoutError
from .._flow.steps import Sleep
from .._forks import renew_in_child
from .rate_limit import shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._flow.steps import Flow
    from .._time.clock import Clock, Deadline
    from .rate_limit import SharedRateLimit

logger = logging.getLogger("duvo")

_LONGEST_FINDING = 5.0
"""Seconds for which other flows leave it to one flow to find the team."""


class Server:
    """The server's features, as far as its responses have shown.

    Attributes:
        speaks_json: whether any response was JSON; if not, it may not be the API.
        long_poll: maximum seconds for which it holds a request; 0 if it does not.
        lists_created_since: whether the list of runs has the filter `created_since`.
        list_shows_changes: whether `updated_at` in the list moves with every
            change of a run.
    """

    def __init__(self) -> None:
        self.honours_idempotency = False
        self.speaks_json = False
        self.long_poll = 0.0
        self.lists_created_since = False
        self.list_shows_changes = True

    def record(self, headers: Mapping[str, str], *, may_hold: bool) -> None:
        """Record what a response's headers announce; `may_hold` allows long polls."""
        if "duvo-idempotency" in headers:
            self.honours_idempotency = True
        if "duvo-created-since" in headers:
            self.lists_created_since = True
        if "duvo-long-poll" in headers and may_hold:
            with contextlib.suppress(ValueError):
                seconds = float(headers["duvo-long-poll"])
                self.long_poll = min(60.0, seconds) if seconds >= 1 else 0.0


class Api:
    """The API of one server, as one key sees it. Its repr never shows the key.

    Attributes:
        base_url_source: where the base URL comes from, for texts.
        timeout: seconds for each socket operation.
        may_hold: whether a held request would not block others.
        known_team_id: the team, or None while it is not known.
        agent_ids: by name, the ids of agents that were looked up, and when.
    """

    base_url = "(profile file not read yet)"
    base_url_source = "an argument"
    api_key = ""
    rate_limit: SharedRateLimit
    _find_team: Callable[[Api, Deadline | None], Flow[str]]

    def __init__(self, *, max_retries: int, timeout: float, clock: Clock, may_hold: bool):
        self.timeout = timeout
        self.max_retries = max_retries
        self.clock = clock
        self.may_hold = may_hold
        self.known_team_id: str | None = None
        self.server = Server()
        self.agent_ids: dict[str, tuple[str, float]] = {}
        self._has_warned = False
        self._renew()
        renew_in_child(self._renew)

    def _renew(self) -> None:
        """Let this flow find the team, whatever flows of other threads were doing."""
        self._lock = threading.Lock()
        self._finding_until = 0.0

    def configure(
        self,
        base_url: str,
        api_key: str,
        team_id: str | None,
        find_team: Callable[[Api, Deadline | None], Flow[str]],
    ) -> None:
        """Set where the API is, before anything is sent; `find_team` finds an unknown team."""
        self.base_url = base_url
        self.api_key = api_key
        self.known_team_id = team_id
        self.rate_limit = shared(base_url, api_key)
        self._find_team = find_team

    def team_id(self, deadline: Deadline | None = None) -> Flow[str]:
        """Return the team's id. If it is not known, one flow finds it for all."""
        while self.known_team_id is None:
            if self._begin_finding():
                try:
                    self.known_team_id = yield from self._find_team(self, deadline)
                finally:
                    self._finding_until = 0.0
            elif deadline is not None and deadline.passed:
                raise TimeoutError("no time was left to find the team", arrived=False)
            else:
                yield Sleep(0.02, "another call is finding the team")
        return self.known_team_id

    def _begin_finding(self) -> bool:
        """Return whether to find the team; False while another flow does."""
        # Not for ever: a flow that was interrupted may never continue.
        with self._lock:
            now = self.clock.now()
            if now < self._finding_until:
                return False
            self._finding_until = now + _LONGEST_FINDING
            return True

    def warn_once(self, text: str) -> None:
        """Log that the server's data does not match the API, once for each client."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning("%s", text)

    @property
    def place(self) -> str:
        """The server and the team, for reprs."""
        if not self.api_key:
            return self.base_url
        return f"{self.base_url} team {self.known_team_id or '(not known yet)'}"

    def __repr__(self) -> str:
        return f"<Api {self.base_url}>"

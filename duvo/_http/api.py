"""What every flow is given: the clock, the rate limit, and what this server offers."""

from __future__ import annotations

import contextlib
import threading

from .._errors import TimeoutError
from .._flow.steps import Sleep
from .rate_limit import shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._flow.steps import Flow
    from .clock import Clock, Deadline
    from .rate_limit import SharedRateLimit

_PATIENCE = 2.0
"""Seconds to wait while another flow finds the team: it may have been interrupted, and kept."""


class Server:
    """What the server offers, as far as it has shown.

    Attributes:
        honours_idempotency: it carries out a change with the same key once.
        long_poll: seconds for which it holds a request; 0 where it does not.
        lists_by_time: its list of runs honours the time that it is asked from.
        list_shows_changes: a run's `updated_at` in the list moves with every change.
    """

    def __init__(self) -> None:
        self.honours_idempotency = False
        self.long_poll = 0.0
        self.lists_by_time = True
        self.list_shows_changes = True

    def record(self, headers: Mapping[str, str], *, may_hold: bool) -> None:
        """Record what a response's headers offer.

        Args:
            headers: of the response.
            may_hold: whether this client can hold a request at all.
        """
        if "duvo-idempotency" in headers:
            self.honours_idempotency = True
        if "duvo-long-poll" in headers and may_hold:
            with contextlib.suppress(ValueError):
                seconds = float(headers["duvo-long-poll"])
                self.long_poll = min(60.0, seconds) if seconds >= 1 else 0.0


class Api:
    """The API of one server, as one key sees it. Its repr never shows the key.

    Args:
        max_retries: maximum number of retries of a call.
        clock: the client's clock.
        may_hold: whether a request may be held without keeping others waiting.

    Attributes:
        base_url: the API's origin.
        api_key: the key.
        known_team_id: the team, or None while it is not known.
        rate_limit: shared with all clients of the same key in the process.
        server: what the server offers.
        agent_ids: ids of agents by name, once looked up.
    """

    base_url = "(not known yet)"
    api_key = ""
    rate_limit: SharedRateLimit
    _find_team: Callable[[Api, Deadline | None], Flow[str]]

    def __init__(self, *, max_retries: int, clock: Clock, may_hold: bool):
        self.max_retries = max_retries
        self.clock = clock
        self.may_hold = may_hold
        self.known_team_id: str | None = None
        self.server = Server()
        self.agent_ids: dict[str, str] = {}
        self._finding_team = threading.Lock()

    def configure(
        self,
        base_url: str,
        api_key: str,
        team_id: str | None,
        find_team: Callable[[Api, Deadline | None], Flow[str]],
    ) -> None:
        """Set where the API is, before anything is sent.

        Args:
            base_url: the API's origin.
            api_key: the key.
            team_id: the team, or None when it has to be found.
            find_team: finds it.
        """
        self.base_url = base_url
        self.api_key = api_key
        self.known_team_id = team_id
        self.rate_limit = shared(base_url, api_key)
        self._find_team = find_team

    def team_id(self, deadline: Deadline | None = None) -> Flow[str]:
        """Return the team's id; the first time it may have to be found, by one flow for all."""
        patience_ends = self.clock.now() + _PATIENCE
        while self.known_team_id is None:
            if self.clock.now() >= patience_ends:
                self.known_team_id = yield from self._find_team(self, deadline)
            elif self._finding_team.acquire(blocking=False):
                try:
                    self.known_team_id = yield from self._find_team(self, deadline)
                finally:
                    self._finding_team.release()
            elif deadline is not None and deadline.passed:
                raise TimeoutError("no time was left to find the team", arrived=False)
            else:
                yield Sleep(0.02, "the team is being found")
        return self.known_team_id

    def __repr__(self) -> str:
        return f"<Api {self.base_url}>"

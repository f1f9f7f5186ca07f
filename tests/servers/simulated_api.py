"""A server without sockets, in time that passes only by requests and sleeps.

The messages of each run and its end are fixed in advance, so a response depends
only on the time of the request.
"""

from __future__ import annotations

import io
import json
import random
import uuid
from bisect import bisect_right
from datetime import datetime, timezone
from email.utils import formatdate
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from tests.servers.fake_api import AGENT, TEAM
from tests.support.clocks import StoppedClock

WINDOW = 60.0

_numbers = count()


class SimulatedRun:
    """A run with a fixed future.

    Args:
        created: when it was created, in seconds on the clock.
        says: when it sends messages, in order.
        ends: when it completes.
    """

    def __init__(self, run_id: str, created: float, says: list[float], ends: float):
        self.id = run_id
        self.created = created
        self.says = says
        self.ends = ends


def lives(number: int, *, every: float, ends: tuple[float, float], seed: int) -> list[SimulatedRun]:
    """Make runs that were just started, send messages now and then, and one at the end.

    Args:
        number: number of runs.
        every: mean seconds between two messages of a run.
        ends: the earliest and latest end, in seconds from now.
        seed: of the random moments.
    """
    chance = random.Random(seed)
    now = StoppedClock().now()
    runs = []
    for one in range(number):
        end = now + chance.uniform(*ends)
        says, at = [], now
        while (at := at + chance.expovariate(1 / every)) < end:
            says.append(at)
        run_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        runs.append(SimulatedRun(run_id, now - 0.01 * (number - one), [*says, end], end))
    return runs


class SimulatedAPI(HTTPAdapter):
    """The hosted API's responses about such runs; mount it on a session.

    Args:
        runs: the runs, by time of creation.
        clock: its time passes with each request.
        limit: requests per minute; more are refused.
        latency: seconds per request.
        reports_messages: whether a run's `updated_at` changes with its messages.

    Attributes:
        base_url: unique, since clients share the rate limit of a server.
        paths: the paths of accepted requests.
        refused: number of refused requests.
    """

    def __init__(
        self,
        runs: list[SimulatedRun],
        clock: StoppedClock,
        *,
        limit: int = 300,
        latency: float = 0.1,
        reports_messages: bool = True,
    ):
        super().__init__()
        self.base_url = f"http://simulated-{next(_numbers)}"
        self.paths: list[str] = []
        self.refused = 0
        self._runs = runs
        self._by_id = {one.id: one for one in runs}
        self._clock = clock
        self._limit = limit
        self._latency = latency
        self._reports_messages = reports_messages
        self._window = self._sent = 0

    @property
    def session(self) -> requests.Session:
        """A session that sends everything to this server."""
        session = requests.Session()
        session.trust_env = False
        session.mount("http://", self)
        return session

    def send(self, request: requests.PreparedRequest, *given: Any, **rest: Any) -> Any:
        """Respond as of the clock's time."""
        self._clock.time += self._latency / 2
        window = int(self._clock.unix() // WINDOW)
        if window != self._window:
            self._window, self._sent = window, 0
        self._sent += 1
        parts = urlsplit(str(request.url))
        if self._sent > self._limit:
            self.refused += 1
            status, body = 429, {"error": "rate_limited"}
        else:
            self.paths.append(parts.path)
            status, body = 200, self._answer(parts.path, dict(parse_qsl(parts.query)))
        headers = {
            "content-type": "application/json",
            "date": formatdate(self._clock.unix(), usegmt=True),
            "x-ratelimit-limit": str(self._limit),
            "x-ratelimit-remaining": str(max(0, self._limit - self._sent)),
            "x-ratelimit-reset": str(int((window + 1) * WINDOW)),
        }
        if status == 429:
            headers["retry-after"] = str(int((window + 1) * WINDOW - self._clock.unix()) + 1)
        self._clock.time += self._latency / 2
        payload = io.BytesIO(json.dumps(body).encode())
        raw = urllib3.HTTPResponse(payload, headers, status, preload_content=False)
        return self.build_response(request, raw)

    def _answer(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        if path == f"/v2/teams/{TEAM}/runs":
            return self._list(query)
        run_id, *rest = path.removeprefix("/v2/runs/").split("/")
        run = self._by_id[run_id]
        return self._messages(run, query) if rest == ["messages"] else {"run": self._run(run)}

    def _list(self, query: dict[str, str]) -> dict[str, Any]:
        assert query.get("agent_id", AGENT) == AGENT
        runs = self._runs
        assert not {"since", "until"} & query.keys()
        if query.get("sort_order") != "asc":
            runs = runs[::-1]
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 20))
        page = [self._run(one) for one in runs[offset : offset + limit]]
        return {"data": page, "total": len(runs)}

    def _run(self, run: SimulatedRun) -> dict[str, Any]:
        now = self._clock.now()
        has_ended = now >= run.ends
        said = bisect_right(run.says, now) if self._reports_messages else 0
        updated = run.ends if has_ended else run.says[said - 1] if said else run.created
        return {
            "id": run.id,
            "agent_id": AGENT,
            "status": "completed" if has_ended else "running",
            "created_at": _text(run.created),
            "updated_at": _text(updated),
            "completed_at": _text(run.ends) if has_ended else None,
            "source": "api",
        }

    def _messages(self, run: SimulatedRun, query: dict[str, str]) -> dict[str, Any]:
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 20))
        total = bisect_right(run.says, self._clock.now())
        messages = [
            {
                "id": f"{run.id}-{number}",
                "type": "text",
                "role": "assistant",
                "timestamp": _text(run.says[number]),
                "text_content": str(number),
            }
            for number in range(offset, min(total, offset + limit))
        ]
        return {"messages": messages, "total": total, "limit": limit, "offset": offset}


_EPOCH = StoppedClock().unix() - StoppedClock().now()


def _milliseconds(unix: float) -> int:
    return round(unix * 1000)


def _text(moment: float) -> str:
    at = datetime.fromtimestamp(_milliseconds(_EPOCH + moment) / 1000, timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""A client behind faults, and a session that bypasses them."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import duvo
from tests.faults.exchange import Event
from tests.faults.schedule import Fault, Link
from tests.servers.engine_api import EngineAPI
from tests.servers.faulty_proxy import FaultyProxy, faulty
from tests.support.clocks import FastClock

MAY_PASS = (duvo.RateLimited, duvo.ServerError, duvo.ConnectionError, duvo.TimeoutError)
"""Errors of a call whose retries all failed."""

_PATIENT, _IMPATIENT = 10.0, 0.15

_LONGEST_SKIP = 0.5
"""Seconds that an impatient client's pause takes on its clock, unless it follows a fault."""


class PlayClock(FastClock):
    """The fast clock of a client, which skips the pauses after faults.

    On a busy machine, an impatient client also gives up on requests without a fault. If it
    skipped the long pauses after those, the machine would soon have made an outage that
    the client does not outlast.
    """

    def __init__(self, proxy: FaultyProxy, *, is_impatient: bool):
        super().__init__(proxy.rest)
        self._proxy = proxy
        self._is_impatient = is_impatient
        self._seen = 0

    def skip(self, seconds: float) -> None:
        events = list(self._proxy.events)
        new, self._seen = events[self._seen :], len(events)
        if self._is_impatient and all(event.fault is Fault.PASS for event in new):
            seconds = min(seconds, _LONGEST_SKIP)
        super().skip(seconds)


class Play:
    """What a scenario works with: a client behind the proxy, and a session that bypasses it."""

    def __init__(self, seed: int, api: EngineAPI, proxy: FaultyProxy, client: duvo.Client):
        self.seed = seed
        self.api = api
        self.proxy = proxy
        self.client = client
        self.clock = client._driver.api.clock
        self.chance = random.Random(f"{seed} scenario")
        self.mark = f"{seed}-{uuid.uuid4().hex}"

    def plan(self, longest: int = 60) -> str:
        """Return a plan for the clerk: lines, with human requests in between."""
        steps = []
        for _ in range(self.chance.randint(1, 3)):
            steps.append(str(self.chance.choice((1, 2, 3, 5, 8, longest))))
            steps += self.chance.choice(([], [], ["approve"], ["ask"], ["approve", "approve"]))
        return f"{self.mark}: {' '.join(steps)}"

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs of this scenario that the engine has."""
        path = f"/v2/teams/{self.api.team}/runs?limit=100&search={self.mark}"
        return list(self.api.get(path)["data"])

    def since(self, begin: int, kind: str) -> list[Event]:
        """Return the events of a kind from number `begin` on."""
        return [event for event in self.proxy.events[begin:] if event.kind == kind]

    def attempt(self, kind: str, call: Callable[[], Any]) -> tuple[str, Any]:
        """Make a change; returns `done`, `unknown`, `refused` or `not done`, and what came back.

        Errors are checked against what happened to the requests.
        """
        begin = len(self.proxy.events)
        try:
            return "done", call()
        except duvo.OutcomeUnknown as error:
            self.proxy.settle()
            # A closed connection may be noticed by the next request, and an impatient
            # client gives up by itself.
            reasons = [one.fault.leaves_unknown for one in self.proxy.events[max(0, begin - 1) :]]
            assert any(reasons) or Link(self.seed).slow, f"the outcome is known: {error!r}"
            return "unknown", error
        except duvo.InvalidReply as error:
            return "refused", error
        except MAY_PASS as error:
            self.proxy.open()
            done = [event for event in self.since(begin, kind) if event.status in (200, 201)]
            assert not done, f"the change was made, but the client raised {error!r}"
            return "not done", error
        except duvo.UnexpectedAnswer as error:
            assert error.method == "GET", f"a change raised {error!r}"
            return "not done", error


@contextmanager
def behind_faults(
    api: EngineAPI, seed: int, may_shift: bool, make_client: Callable[..., duvo.Client]
) -> Iterator[Play]:
    """Make a client of the engine behind the faults of a seed."""
    with faulty(api.base_url, seed, may_shift) as proxy:
        link = Link(seed)
        client = make_client(
            api_key=str(api.session.headers["Authorization"]).removeprefix("Bearer "),
            base_url=proxy.base_url,
            team_id=api.team if seed % 7 else None,
            timeout=_IMPATIENT if link.slow else _PATIENT,
            max_retries=random.Random(f"{seed} client").choice((0, 1, 3, 3, 6)),
        )
        client._driver.api.clock = PlayClock(proxy, is_impatient=link.slow)
        with client:
            yield Play(seed, api, proxy, client)

"""Faults at each place of an exchange: responses never shift, and outcomes are reported truly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import httpx2
import pytest
import requests

import duvo
from duvo._connections import idle
from tests.servers import wire_server as wire
from tests.servers.fake_api import KEY, TEAM
from tests.servers.wire_server import WireServer
from tests.support.clients import Connect
from tests.support.clocks import StoppedClock

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
CHANGES = METHODS[2:]


@pytest.fixture
def server() -> Iterator[WireServer]:
    """A server that answers."""
    with wire.wire_server() as server:
        yield server


def connected(connect: Connect, server: WireServer, **options: object) -> duvo.Client:
    client = connect(api_key=KEY, base_url=server.base_url, team_id=TEAM, **options)
    client._driver.api.clock = StoppedClock()
    return client


def send(client: duvo.Client, method: str, number: int) -> str | None:
    """Send a request with a number; return the number of the response."""
    body = {"n": number} if method in ("POST", "PUT", "PATCH") else None
    response = client.request(method, "/v2/echo", params={"n": str(number)}, body=body)
    if response.data is not None:
        assert response.data["n"] == response.request_id
    return response.request_id


@pytest.mark.seeds(quick=25, full=200)
def test_responses_never_shift_and_outcomes_are_true(connect: Connect, seed: int) -> None:
    with wire.wire_server(seed) as server:
        server.choose = lambda request: server.chance.choice(wire.FAULTS)
        client = connected(connect, server, max_retries=seed % 3)
        for number in range(30):
            method = server.chance.choice(METHODS)
            name, resets, last_fault = str(number), server.resets, server.last_fault
            try:
                assert send(client, method, number) == name, f"{method} {number}"
                assert server.carried_out[name] >= 1
            except duvo.OutcomeUnknown:
                assert method in CHANGES
                # After junk, the connection may be closed before the server reads from it.
                junk = last_fault is wire.too_much
                assert server.seen[name] or server.resets > resets or junk
            except (duvo.ConnectionError, duvo.UnexpectedAnswer) as error:
                assert method not in CHANGES or not server.carried_out[name], repr(error)
            assert method not in CHANGES or server.carried_out[name] <= 1
            server.settle()


@pytest.mark.parametrize("fault", [wire.interim, wire.twice, wire.dripped_head])
@pytest.mark.parametrize("method", METHODS)
def test_a_response_among_others_is_the_right_one(
    connect: Connect, server: WireServer, method: str, fault: Callable[[wire.Call], None]
) -> None:
    server.choose = lambda request: fault
    client = connected(connect, server, max_retries=0)
    for number in range(6):
        assert send(client, method, number) == str(number)
        server.settle()


@pytest.mark.parametrize("method", METHODS)
def test_switched_protocols_are_a_broken_connection(
    connect: Connect, server: WireServer, method: str
) -> None:
    server.choose = lambda request: wire.switched if request.query["n"] == "0" else wire.passed
    client = connected(connect, server, max_retries=0)
    kind = duvo.OutcomeUnknown if method in CHANGES else duvo.ConnectionError
    with pytest.raises(kind, match="broke"):
        send(client, method, 0)
    assert send(client, method, 1) == "1"
    assert server.connections == 2


@pytest.mark.parametrize("method", CHANGES)
def test_a_change_that_meets_a_connection_that_is_reset_is_sent_once(
    connect: Connect, server: WireServer, method: str
) -> None:
    faults = iter([wire.passed, wire.reset_in_request])
    server.choose = lambda request: next(faults, wire.passed)
    client = connected(connect, server)
    send(client, method, 0)
    with pytest.raises(duvo.OutcomeUnknown, match="reset"):
        send(client, method, 1)
    assert server.seen["1"] == 1


@pytest.mark.parametrize("clock", ["monotonic", "time"])
def test_a_change_never_uses_a_connection_that_was_long_idle(
    connect: Connect, server: WireServer, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    client = connected(connect, server)
    # The wall clock also moves while the machine sleeps.
    now = getattr(idle.time, clock)
    send(client, "POST", 0)
    monkeypatch.setattr(idle.time, clock, lambda: now() + 2.5)
    send(client, "GET", 1)
    assert server.connections == 1
    monkeypatch.setattr(idle.time, clock, lambda: now() + 5.0)
    send(client, "POST", 2)
    assert server.connections == 2


def test_an_interim_response_on_a_callers_session_leaves_the_outcome_unknown(
    server: WireServer,
) -> None:
    server.choose = lambda request: wire.interim if request.query["n"] == "0" else wire.passed
    with (
        requests.Session() as session,
        duvo.Client(KEY, server.base_url, TEAM, max_retries=0, session=session) as client,
    ):
        with pytest.raises(duvo.OutcomeUnknown, match="interim response 10"):
            send(client, "POST", 0)
        assert send(client, "POST", 1) == "1"
    assert server.connections == 2


def test_an_interim_response_on_a_callers_async_session_leaves_the_outcome_unknown() -> None:
    session = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(103)))

    async def scenario() -> None:
        async with session, duvo.AsyncClient(KEY, "http://x", TEAM, session=session) as client:
            with pytest.raises(duvo.OutcomeUnknown, match="interim response 103"):
                await client.request("POST", "/v2/x")

    asyncio.run(scenario())

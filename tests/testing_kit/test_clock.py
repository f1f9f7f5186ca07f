"""The engine's time, set ahead by tests."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

import duvo
from duvo.local import RunContext, Server, agent
from duvo.local.testing import clock as kit
from duvo.local.testing.server import ReusableServer
from duvo.testing import EngineClock
from tests.servers.engine_api import wait_until

Serve = Callable[..., Server]

DAY = 86_400.0


@agent("Sleeper")
async def sleeper(run: RunContext) -> None:
    began = await run.now()
    for _ in range(3):
        await run.sleep(DAY)
    await run.say(f"{(await run.now() - began).days} days")


@agent("Asker")
async def asker(run: RunContext) -> None:
    await run.say(str(await run.approval("Go on?")))


WORKING, FINISH = threading.Event(), threading.Event()


@agent("Worker")
async def worker(run: RunContext) -> None:
    def work() -> None:
        WORKING.set()
        FINISH.wait(60)

    await run.tool("work", {}, work)


@pytest.fixture
def working() -> None:
    """The events of the worker."""
    WORKING.clear()
    FINISH.clear()


def is_real(moment: datetime) -> bool:
    return abs(moment - datetime.now(timezone.utc)) < timedelta(hours=1)


# Many times: the time is set ahead while the runs are about to begin.
@pytest.mark.parametrize("number", range(10))
def test_a_run_wakes_at_each_of_its_moments_when_the_time_is_set_ahead(
    duvo_engine: Serve, duvo_client: duvo.Client, duvo_clock: EngineClock, number: int
) -> None:
    duvo_engine(sleeper)
    run = duvo_client.runs.start("Sleeper")
    began = duvo_clock.now()
    duvo_clock.advance(days=3)
    run.refresh()
    assert run.status == "completed"
    # To the day: the engine's own work takes none of its time while it is set ahead.
    assert timedelta(days=3) <= duvo_clock.now() - began < timedelta(days=3, seconds=30)
    run = duvo_client.runs.get(run.id)
    assert run.data.completed_at is not None
    assert run.data.created_at is not None
    assert abs(run.data.completed_at - run.data.created_at - timedelta(days=3)) < timedelta(
        seconds=30
    )
    said = [message for message in run.messages() if message.type == "text"]
    assert [message.content for message in said] == ["3 days"]
    assert said[0].timestamp is not None
    assert said[0].timestamp - began > timedelta(days=2.9)


def test_a_test_begins_in_the_present(duvo_clock: EngineClock) -> None:
    assert is_real(duvo_clock.now())


def test_a_run_sleeps_on_while_its_moment_has_not_come(
    duvo_engine: Serve, duvo_client: duvo.Client, duvo_clock: EngineClock
) -> None:
    duvo_engine(sleeper)
    run = duvo_client.runs.start("Sleeper")
    duvo_clock.advance(days=2, hours=23, minutes=59)
    assert duvo_client.runs.get(run.id).status == "running"
    duvo_clock.advance(seconds=60)
    assert duvo_client.runs.get(run.id).status == "completed"


def test_a_run_that_waits_for_a_human_does_not_hold_the_time(
    duvo_engine: Serve, duvo_client: duvo.Client, duvo_clock: EngineClock
) -> None:
    duvo_engine(asker)
    run = duvo_client.runs.start("Asker")
    asked = duvo_clock.now()
    duvo_clock.advance(days=30)
    run.refresh()
    request = run.pending_request
    assert request is not None
    assert request.created_at is not None
    assert request.created_at - asked < timedelta(minutes=1)
    run.respond(approve=True)
    duvo_clock.advance()
    found = duvo_client.runs.get(run.id).data
    assert found.status == "completed"
    assert found.completed_at is not None
    assert found.completed_at - asked >= timedelta(days=30)


def test_the_client_keeps_the_real_time(
    duvo_engine: Serve, duvo_client: duvo.Client, duvo_clock: EngineClock
) -> None:
    duvo_engine(sleeper)
    run = duvo_client.runs.start("Sleeper")
    duvo_clock.advance(days=1)
    began = time.monotonic()
    with pytest.raises(duvo.WaitTimeout):
        run.wait(timeout=0.2)
    assert time.monotonic() - began >= 0.2


def test_the_time_waits_for_a_run_that_works(
    duvo_engine: Serve,
    duvo_client: duvo.Client,
    duvo_clock: EngineClock,
    working: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duvo_engine(sleeper, worker)
    run = duvo_client.runs.start("Worker")
    assert WORKING.wait(30)
    with monkeypatch.context() as patch:
        patch.setattr(kit, "_TIMEOUT", 0.2)
        with pytest.raises(TimeoutError, match=f"still at work after 0.2 s: {run.id}"):
            duvo_clock.advance(days=1)
    assert is_real(duvo_clock.now())
    FINISH.set()
    run.wait(timeout=30, check=True)
    duvo_clock.advance(days=1)
    assert not is_real(duvo_clock.now())


def test_a_number_without_its_unit_is_refused(duvo_clock: EngineClock) -> None:
    with pytest.raises(TypeError, match=r"name the unit: advance\(seconds=3600\), or"):
        duvo_clock.advance(3600)  # type: ignore[arg-type]


def test_the_time_cannot_be_set_back(duvo_clock: EngineClock) -> None:
    with pytest.raises(ValueError, match="cannot be set back"):
        duvo_clock.advance(days=1, hours=-25)


def test_the_time_moves_by_itself_when_every_run_sleeps(
    duvo_engine: Serve, duvo_client: duvo.Client, duvo_clock: EngineClock
) -> None:
    duvo_engine(sleeper)
    duvo_clock.auto = True
    began = duvo_clock.now()
    runs = [duvo_client.runs.start("Sleeper") for _ in range(3)]
    for run in runs:
        # Its requests are held meanwhile.
        run.wait(timeout=30, check=True)
    assert timedelta(days=3) <= duvo_clock.now() - began < timedelta(days=9.1)
    duvo_clock.auto = False
    held = duvo_client.runs.start("Sleeper")
    duvo_clock.advance()
    assert duvo_client.runs.get(held.id).status == "running"


def test_a_run_that_waits_for_a_human_holds_the_time_that_moves_by_itself(
    duvo_engine: Serve, duvo_client: duvo.Client, duvo_clock: EngineClock
) -> None:
    duvo_engine(sleeper, asker)
    waiting = duvo_client.runs.start("Asker")
    with pytest.raises(duvo.HumanRequestPending):
        waiting.wait(timeout=30, on_request="raise")
    duvo_clock.auto = True
    run = duvo_client.runs.start("Sleeper")
    with pytest.raises(duvo.WaitTimeout):
        run.wait(timeout=0.2)
    assert is_real(duvo_clock.now())
    waiting.respond(approve=True)
    run.wait(timeout=30, check=True)


def test_a_tool_at_work_holds_the_time_that_moves_by_itself(
    duvo_engine: Serve, duvo_client: duvo.Client, duvo_clock: EngineClock, working: None
) -> None:
    duvo_engine(sleeper, worker)
    duvo_client.runs.start("Worker")
    assert WORKING.wait(30)
    duvo_clock.auto = True
    run = duvo_client.runs.start("Sleeper")
    with pytest.raises(duvo.WaitTimeout):
        run.wait(timeout=0.2)
    assert is_real(duvo_clock.now())
    FINISH.set()
    run.wait(timeout=30, check=True)


def test_a_request_in_flight_holds_the_time_that_moves_by_itself(
    duvo_engine: Serve, duvo_client: duvo.Client, duvo_clock: EngineClock
) -> None:
    server = duvo_engine(sleeper)
    run = duvo_client.runs.start("Sleeper")
    body = json.dumps({"message": "one moment"}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.putrequest("POST", f"/v2/runs/{run.id}/messages")
    connection.putheader("Authorization", f"Bearer {server.api_key}")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:5])
    assert isinstance(server, ReusableServer)
    wait_until(lambda: server._open_requests == 1, 30, "the request did not arrive")
    duvo_clock.auto = True
    with pytest.raises(duvo.WaitTimeout):
        run.wait(timeout=0.2)
    assert is_real(duvo_clock.now())
    connection.send(body[5:])
    assert connection.getresponse().status == 201
    connection.close()
    run.wait(timeout=30, check=True)


def test_the_time_is_set_ahead_from_a_test_with_an_event_loop(
    duvo_engine: Serve, duvo_client: duvo.Client, duvo_clock: EngineClock
) -> None:
    duvo_engine(sleeper)
    run = duvo_client.runs.start("Sleeper")

    async def test() -> None:
        duvo_clock.advance(days=3)

    asyncio.run(test())
    assert duvo_client.runs.get(run.id).status == "completed"

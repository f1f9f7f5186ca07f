"""Coroutine functions as `on_request`, and async iterables as `inputs` of `map`."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import AGENT, FakeAPI, ReceivedRequest
from tests.unit.async_client.conftest import until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_pace")]


async def items(iterator: Any) -> list[Any]:
    return [item async for item in iterator]


async def decide(request: duvo.HumanRequest) -> bool:
    await asyncio.sleep(0.01)
    return True


def decide_at_once(request: duvo.HumanRequest) -> bool:
    assert asyncio.get_running_loop()
    return True


class Decider:
    async def __call__(self, request: duvo.HumanRequest) -> bool:
        return await decide(request)


WAYS: dict[str, Callable[[duvo.AsyncClient, str, Any], Any]] = {
    "wait": lambda client, run_id, on_request: client.runs.run(run_id).wait(on_request=on_request),
    "messages": lambda client, run_id, on_request: items(
        client.runs.run(run_id).messages(follow=True, on_request=on_request)
    ),
    "as_completed": lambda client, run_id, on_request: items(
        client.runs.as_completed([run_id], on_request=on_request)
    ),
    "wait_all": lambda client, run_id, on_request: client.runs.wait_all(
        [run_id], on_request=on_request
    ),
    "map": lambda client, run_id, on_request: items(
        client.runs.map(AGENT, ["a"], on_request=on_request)
    ),
    "ask": lambda client, run_id, on_request: client.runs.ask(AGENT, "go", on_request=on_request),
}


@pytest.fixture
def asking(fake_api: FakeAPI) -> str:
    """A run that asks, and ends when it is answered, as do all runs that are started."""
    run_id = fake_api.start()
    fake_api.ask(run_id)

    def work(seen: ReceivedRequest) -> None:
        for known, run in list(fake_api.runs.items()):
            if seen.method == "GET" and run["status"] == "pending":
                fake_api.ask(known)
            elif run["status"] == "running":
                fake_api.end(known)

    fake_api.before = work
    return run_id


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize(
    "on_request",
    [decide, decide_at_once, Decider(), functools.partial(decide), lambda request: decide(request)],
    ids=["coroutine function", "function", "object", "partial", "lambda"],
)
async def test_on_request_of_an_async_client_may_be_a_coroutine_function(
    client: duvo.AsyncClient, fake_api: FakeAPI, asking: str, name: str, on_request: Any
) -> None:
    await WAYS[name](client, asking, on_request)
    replies = [seen.json for seen in fake_api.requests if seen.path.endswith("/respond")]
    assert replies == [{"approved": True}]


async def test_other_tasks_run_while_a_coroutine_function_decides(
    client: duvo.AsyncClient, fake_api: FakeAPI, asking: str
) -> None:
    decided = asyncio.Event()

    async def decide_later(request: duvo.HumanRequest) -> bool:
        await decided.wait()
        return False

    task = asyncio.ensure_future(client.runs.run(asking).wait(on_request=decide_later))
    assert (await client.runs.get(asking)).status == "waiting"
    decided.set()
    assert (await task).status == "completed"


async def test_an_exception_of_an_async_on_request_reaches_the_caller(
    client: duvo.AsyncClient, asking: str
) -> None:
    async def fail(request: duvo.HumanRequest) -> bool:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        await client.runs.run(asking).wait(on_request=fail)
    with pytest.raises(ZeroDivisionError, match="mine"):
        await items(client.runs.map(AGENT, ["a"], on_request=fail))


async def test_closing_an_iterator_cancels_a_pending_async_decision(
    client: duvo.AsyncClient, asking: str
) -> None:
    begun: list[str] = []
    ended: list[str] = []

    async def decide_never(request: duvo.HumanRequest) -> bool:
        begun.append(request.id)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(request.id)
        return True

    for iterator in (
        client.runs.run(asking).messages(follow=True, on_request=decide_never),
        client.runs.as_completed([asking], on_request=decide_never),
        client.runs.map(AGENT, ["a"], on_request=decide_never),
    ):
        begun.clear()
        ended.clear()
        task = asyncio.ensure_future(items(iterator))
        await until(lambda: begun)
        await iterator.aclose()
        await asyncio.wait_for(task, 30)
        assert len(ended) == 1


async def rows(*given: Any) -> AsyncIterator[Any]:
    for row in given:
        await asyncio.sleep(0.001)
        yield row


@pytest.fixture
def ending(fake_api: FakeAPI) -> None:
    """Runs end as soon as they are read."""

    def end(seen: ReceivedRequest) -> None:
        if seen.method == "GET":
            for run_id in fake_api.runs:
                fake_api.end(run_id)

    fake_api.before = end


async def test_inputs_of_map_may_be_an_async_iterable(
    client: duvo.AsyncClient, fake_api: FakeAPI, ending: None
) -> None:
    numbers = [str(number) for number in range(9)]
    results = await items(client.runs.map(AGENT, rows(*numbers), concurrency=4))
    assert sorted(result.index for result in results) == list(range(9))
    assert {result.input for result in results} == set(numbers)
    assert fake_api.count("POST", "/runs") == 9


async def test_async_inputs_are_taken_only_as_runs_can_start(
    client: duvo.AsyncClient, fake_api: FakeAPI
) -> None:
    taken = 0

    async def inputs() -> AsyncIterator[str]:
        nonlocal taken
        for number in range(50):
            taken += 1
            yield str(number)

    async with client.runs.map(AGENT, inputs(), concurrency=3) as results:
        assert taken == 0
        task = asyncio.ensure_future(anext(results))
        await until(lambda: len(fake_api.runs) == 3)
        assert taken == 3
        await results.aclose()
        with pytest.raises(StopAsyncIteration):
            await task


async def test_an_error_of_async_inputs_is_raised_once_earlier_runs_have_ended(
    client: duvo.AsyncClient, ending: None
) -> None:
    async def inputs() -> AsyncIterator[str]:
        yield "a"
        yield "b"
        raise ZeroDivisionError("mine")

    results = client.runs.map(AGENT, inputs())
    seen = []
    with pytest.raises(ZeroDivisionError, match="mine"):
        async for result in results:
            seen.append(result.input)
    assert sorted(seen) == ["a", "b"]


async def test_a_pending_async_input_survives_a_cancellation(
    fake_api: FakeAPI, client: duvo.AsyncClient, ending: None
) -> None:
    more = asyncio.Event()

    async def inputs() -> AsyncIterator[str]:
        yield "a"
        await more.wait()
        yield "b"

    async with client.runs.map(AGENT, inputs()) as results:
        seen: list[str] = []
        while len(seen) < 2:
            try:
                seen.append((await asyncio.wait_for(anext(results), 0.3)).input)
            except asyncio.TimeoutError:
                if fake_api.runs:
                    more.set()
        with pytest.raises(StopAsyncIteration):
            await anext(results)
    assert sorted(seen) == ["a", "b"]


async def test_closing_ends_the_wait_for_an_async_input(
    client: duvo.AsyncClient, fake_api: FakeAPI
) -> None:
    ended = asyncio.Event()

    async def inputs() -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with client.runs.map(AGENT, inputs()) as results:
        task = asyncio.ensure_future(anext(results))
        await until(lambda: fake_api.runs)
        await asyncio.sleep(0.1)
    with pytest.raises(StopAsyncIteration):
        await task
    await asyncio.wait_for(ended.wait(), 30)


@pytest.mark.parametrize("name", WAYS)
def test_the_blocking_client_refuses_a_coroutine_function(fake_api: FakeAPI, name: str) -> None:
    calls: dict[str, Callable[[duvo.Client], Any]] = {
        "wait": lambda client: client.runs.run("r").wait(on_request=decide),
        "messages": lambda client: client.runs.run("r").messages(on_request=decide),
        "as_completed": lambda client: client.runs.as_completed(["r"], on_request=decide),
        "wait_all": lambda client: client.runs.wait_all(["r"], on_request=decide),
        "map": lambda client: client.runs.map(AGENT, ["a"], on_request=decide),
        "ask": lambda client: client.runs.ask(AGENT, "go", on_request=decide),
    }
    with (
        duvo.Client(api_key="k", base_url=fake_api.base_url, team_id="t") as client,
        pytest.raises(duvo.ConfigError, match=r"coroutine.*, which only AsyncClient can await"),
    ):
        calls[name](client)
    assert fake_api.count("GET", "/runs/r") == 0


@pytest.mark.parametrize(
    "on_request", [Decider(), functools.partial(decide)], ids=["object", "partial"]
)
def test_the_blocking_client_refuses_a_callback_that_returns_a_coroutine(
    fake_api: FakeAPI, asking: str, on_request: Any
) -> None:
    with (
        duvo.Client(api_key="dv_test_0123456789abcdef", base_url=fake_api.base_url) as client,
        pytest.raises(duvo.ConfigError, match=r"coroutine.*, which only AsyncClient can await"),
    ):
        client.runs.run(asking).wait(on_request=on_request)
    assert fake_api.count("POST", "/respond") == 0


@pytest.mark.parametrize("inputs", [rows("a")])
def test_the_blocking_client_refuses_async_inputs(fake_api: FakeAPI, inputs: Any) -> None:
    with (
        duvo.Client(api_key="k", base_url=fake_api.base_url, team_id="t") as client,
        pytest.raises(duvo.ConfigError, match="inputs must be a list or another iterable"),
    ):
        client.runs.map(AGENT, inputs)

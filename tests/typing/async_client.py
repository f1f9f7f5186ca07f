"""A program that calls everything of the async client. It is type checked, and never run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx2

import duvo


async def decide(request: duvo.HumanRequest) -> bool | None:
    return "INV-" in request.title if request.type == "approval" else None


def decide_at_once(request: duvo.HumanRequest) -> bool | None:
    return None


async def invoices() -> AsyncIterator[dict[str, str]]:
    yield {"invoice": "INV-1042"}


async def client_itself() -> None:
    async with duvo.AsyncClient("key", team_id="team-1", timeout=10, max_retries=1) as client:
        team_id: str = await client.find_team_id()
        base_url: str | None = client.base_url
        profile: str | None = client.settings.profile
        me: duvo.WhoAmI = await client.whoami()
        response: duvo.Response = await client.request("GET", "/v2/teams", params={"limit": "1"})
        print(await client.paginate("/v2/teams"))
        print(team_id, base_url, profile, me, response)
    other = duvo.AsyncClient(session=httpx2.AsyncClient())
    await other.aclose()


async def teams_and_agents(client: duvo.AsyncClient) -> None:
    teams: list[duvo.Team] = await client.teams.list()
    agents = client.agents.list(limit=10)
    async with agents:
        async for agent in agents:
            name: str = agent.name
            print(name, agents.more, agents.total)
    found: duvo.Agent = await client.agents.get("Invoice approver")
    agent_id: str = await client.agents.id_of("Invoice approver")
    print(teams, found, agent_id)


ON_REQUEST: duvo.AsyncOnRequest = decide


async def one_run(client: duvo.AsyncClient) -> None:
    run: duvo.AsyncRun = await client.runs.start("Invoice approver", message="Process INV-1042")
    try:
        run = await run.wait(timeout=600, on_request=ON_REQUEST, check=True)
    except duvo.RunError as error:
        failed: duvo.AsyncRun = error.run
        print(failed.id, failed.status)
    messages: duvo.AsyncMessages = run.messages(follow=True, on_request=decide_at_once)
    async with messages:
        async for message in messages:
            if message.is_pending_request:
                reply: duvo.Reply = await run.respond(approve=True)
                print(reply)
    newest: list[duvo.Message] = [message async for message in run.messages(last=10)]
    sent: duvo.Message = await run.send_message("Post it.")
    stopped: duvo.AsyncRun = await run.stop()
    again: duvo.AsyncRun = await client.runs.get(run.id)
    by_id: duvo.AsyncRun = await client.runs.run(run.id).refresh()
    by_prefix: duvo.AsyncRun = await client.runs.find(run.id[:8])
    await run.show(timeout=60, on_request=decide)
    offset: int | None = messages.offset
    pending: duvo.HumanRequest | None = run.pending_request
    as_dict: dict[str, object] = run.to_dict()
    as_row: dict[str, object] = run.to_row()
    answer: str | None = run.answer
    print(newest, sent, stopped, again, by_id, by_prefix, offset)
    print(pending, as_dict, as_row, answer, run.is_finished)


def fields_of_a_run(run: duvo.AsyncRun) -> None:
    data: duvo.RunData = run.data
    raw: dict[str, Any] = run.raw
    number: int | None = run.run_number
    texts: list[str | None] = [
        run.failure,
        run.title,
        run.source,
        run.agent_id,
        run.agent_name,
        run.build_id,
        run.user_id,
        run.sandbox_id,
    ]
    times: list[datetime | None] = [
        run.created_at,
        run.started_at,
        run.updated_at,
        run.completed_at,
    ]
    print(data, raw, number, texts, times)


async def many_runs(client: duvo.AsyncClient) -> None:
    asked: duvo.AsyncRun = await client.runs.ask("Invoice approver", "INV-1042", on_request=decide)
    runs: list[duvo.AsyncRun] = [run async for run in client.runs.list(status="running", limit=5)]
    async for run in client.runs.as_completed([*runs, asked], timeout=60):
        one: duvo.AsyncRun = run
        print(one)
    ended: list[duvo.AsyncRun] = await client.runs.wait_all(runs, check=True)
    async for event in client.runs.watch(ended, messages=True):
        print(event)
    async for waiting in client.runs.inbox("Invoice approver"):
        await waiting.respond(approve=False)
    results: duvo.AsyncResults[dict[str, str]] = client.runs.map(
        "Invoice approver",
        invoices(),
        on_request=decide,
        journal="invoices.journal",
        retry_failed=True,
    )
    async with results:
        async for result in results:
            print(result, results.progress)
    shown: list[duvo.Result[dict[str, str], duvo.AsyncRun]] = await results.show()
    print(shown)
    changes: duvo.Changes = await results.compare([{"invoice": "INV-1042"}])
    print(changes)
    await results.to_csv("results.csv", [{"invoice": "INV-1042"}], delimiter=";")

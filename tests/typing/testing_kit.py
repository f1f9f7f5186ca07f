"""Tests that use all of the testing kit. They are type checked, and never run."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import duvo
from duvo.local import Message, RunContext, Server, agent
from duvo.testing import CallsDiffer, EngineClock, FakeRun, ServeAgents, replay


@agent("Buyer")
async def buyer(run: RunContext) -> None:
    await run.say(run.message or "")


def test_without_a_server() -> None:
    run = FakeRun(
        message="chairs",
        answers={"How many?": "2", "Again?": ["yes", "no"]},
        approvals={"Buy?": True},
        tools={"order": {"id": 7}, "refuse": OSError, "count": len},
        inbox=["now"],
        conversation=[Message("user", "text", "before")],
        turn=2,
    )
    asyncio.run(buyer(run))
    said: list[str] = run.said + run.thoughts + run.asked
    called: list[tuple[str, dict[str, Any]]] = run.called
    slept: list[float] = run.slept
    print(said, called, slept, FakeRun("hello", approvals=True), FakeRun(approvals=[True, False]))


def test_with_an_engine(
    duvo_engine: ServeAgents, duvo_client: duvo.Client, duvo_clock: EngineClock
) -> None:
    server: Server = duvo_engine(buyer)
    run = duvo_client.runs.start("Buyer", message="chairs")
    duvo_clock.advance(days=1, hours=2, minutes=3, seconds=4.5)
    duvo_clock.auto = not duvo_clock.auto
    now: datetime = duvo_clock.now()
    try:
        calls: int = replay(buyer, server.database, run.id) + replay(buyer, server.database, run)
    except CallsDiffer as difference:
        print(difference.number, difference.recorded, difference.called)
    else:
        print(now, calls)

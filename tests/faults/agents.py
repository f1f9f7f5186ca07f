"""Quick agents that follow the plan in their first message."""

from __future__ import annotations

from duvo.local.agents import agent
from duvo.local.context import RunContext

CLERK = "Clerk"
HOLDER = "Holder"
ECHO = "Echo"


@agent(CLERK)
async def clerk(run: RunContext) -> None:
    """Carries out a plan such as `batch-7: 3 approve 60 ask 1; anything`."""
    said = replies = 0
    for step in (run.message or "").partition(":")[2].partition(";")[0].split():
        if step == "approve":
            approved = await run.approval(f"Post number {replies}?")
            replies += 1
            await run.say(f"reply {replies}: {approved}")
        elif step == "ask":
            answers = await run.ask(f"Which city is number {replies}?", header="City")
            replies += 1
            await run.say(f"reply {replies}: {', '.join(answers.values())}")
        else:
            for _ in range(int(step)):
                said += 1
                await run.say(f"line {said}")
    await run.say(f"done: {said} lines, {replies} replies")


@agent(HOLDER)
async def holder(run: RunContext) -> None:
    """Waits until it is stopped."""
    await run.say("waiting")
    await run.approval("Go on?")


@agent(ECHO)
async def echo(run: RunContext) -> None:
    """Repeats its message."""
    await run.say(f"heard {run.message}")

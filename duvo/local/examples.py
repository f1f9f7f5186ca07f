"""Example agents."""

from __future__ import annotations

import re
import zlib

from .agents import agent
from .context import RunContext
from .questions import Question

_INVOICE = re.compile(r"\bINV-\w+(?:-\w+)*", re.IGNORECASE)


@agent("Talker", description="Says a few words and completes.")
async def talker(run: RunContext) -> None:
    await run.say("Hello! I only talk.")
    if run.message:
        await run.say(f"You said: {run.message}")
    await run.say("That is all. Send me another message and I will continue.")


@agent("Invoice approver", description="Looks invoices up and posts those that are approved.")
async def invoice_approver(run: RunContext) -> None:
    text = run.message
    if text is None:
        text = "INV-1042"
        await run.say(f"No invoice was named: {text} will do.")
    while not (numbers := _invoices(text)):
        question = "Which invoice? A number looks like INV-1042."
        text = (await run.ask(question, header="Invoice"))[question]
    results = []
    for number in numbers:
        await run.say(f"Checking {number}")
        total = await run.tool("lookup_invoice", {"number": number}, _look_up)
        if await run.approval(f"Post {number}?", description=f"The total is {total:.2f} EUR."):
            await run.tool("post_invoice", {"number": number, "total": total}, _post)
            results.append(f"{number} is posted.")
        else:
            results.append(f"{number} is left alone.")
    await run.say(" ".join(results))


@agent("Travel booker", description="Asks two questions before it books anything.")
async def travel_booker(run: RunContext) -> None:
    where = Question("Where shall the trip go?", header="City", options=["Prague", "Vienna"])
    what = Question(
        "What shall be booked?",
        header="Parts",
        options=["train", "hotel", "museum"],
        multi_select=True,
    )
    answers = await run.ask(where, what, description="Two things are open.")
    await run.say(f"Booked for {answers[where.text]}: {answers[what.text]}.")


@agent("Failing", description="Starts well and fails.")
async def failing(run: RunContext) -> None:
    await run.say("So far so good.")
    raise RuntimeError("this agent always fails")


@agent("Endless worker", description="Works until it is stopped.")
async def endless_worker(run: RunContext) -> None:
    count = 0
    while True:
        count += 1
        await run.say(f"Working, part {count}")
        for text in await run.inbox():
            await run.say(f"Noted: {text}")
        await run.sleep(2)


def _invoices(text: str) -> list[str]:
    """Return the invoice numbers in the text, each once."""
    return list(dict.fromkeys(number.upper() for number in _INVOICE.findall(text)))


def _look_up(number: str) -> float:
    # An example has no books: the total is computed from the number, so it never changes.
    return (1000 + zlib.crc32(number.encode()) % 500_000) / 100


def _post(number: str, total: float, idempotency_key: str) -> str:
    return f"{number} posted once under {idempotency_key}"


EXAMPLES = (talker, invoice_approver, travel_booker, failing, endless_worker)

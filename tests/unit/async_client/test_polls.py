"""When the async driver sends polls: one at a time, after the messages that have arrived."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from duvo._flow.asyncio_tasks import Closing
from duvo._flow.perform_async import AsyncDriver
from duvo._flow.steps import Send
from duvo._http.request import Request

pytestmark = pytest.mark.anyio


class Transport:
    """Records what is sent, and what else happens; responds at once."""

    def __init__(self) -> None:
        self.happened: list[str] = []

    async def send(self, request: Request) -> Any:
        self.happened.append(request.path)
        return None

    async def deliver(self) -> None:
        # A response is delivered a few iterations of the event loop after it arrives.
        for _ in range(3):
            await asyncio.sleep(0)
        self.happened.append("delivered")


async def driver_of(transport: Transport) -> AsyncDriver:
    driver = AsyncDriver(None, lambda: transport)
    await driver.prepare()
    return driver


@pytest.mark.parametrize("closable", [True, False])
async def test_messages_that_have_arrived_are_delivered_before_polls_are_sent(
    closable: bool,
) -> None:
    transport = Transport()
    driver = await driver_of(transport)
    closed = Closing() if closable else None
    polls = [Send(Request("GET", f"/{number}", polling=True)) for number in range(3)]
    await asyncio.gather(*(driver.perform(poll, closed) for poll in polls), transport.deliver())
    assert transport.happened == ["delivered", "/0", "/1", "/2"]


async def test_a_message_that_arrives_while_many_polls_are_due_waits_for_one_at_most() -> None:
    transport = Transport()
    driver = await driver_of(transport)
    polls = [Send(Request("GET", f"/{number}", polling=True)) for number in range(20)]
    sending = [asyncio.ensure_future(driver.perform(poll)) for poll in polls]
    while len(transport.happened) < 5:
        await asyncio.sleep(0)
    await transport.deliver()
    assert transport.happened.index("delivered") <= 6
    await asyncio.gather(*sending)
    assert len(transport.happened) == 21


async def test_other_requests_are_sent_at_once() -> None:
    transport = Transport()
    driver = await driver_of(transport)
    requests = [Request("GET", "/read"), Request("POST", "/change", repeatable=True)]
    await asyncio.gather(
        *(driver.perform(Send(request)) for request in requests), transport.deliver()
    )
    assert transport.happened == ["/read", "/change", "delivered"]

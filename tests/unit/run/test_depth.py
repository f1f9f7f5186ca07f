"""The depth of the stack when a request is sent."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable

import pytest

import duvo
from duvo._http.request import Request
from tests.servers.fake_api import FakeAPI

MOST_FRAMES = 9

READS: dict[str, Callable[[duvo.Run], Iterable[object]]] = {
    "messages": lambda run: run.messages(),
    "follow": lambda run: run.messages(follow=True),
    "wait": lambda run: [run.wait()],
}


def frames_of_the_sdk() -> list[str]:
    frame, names = sys._getframe(), []
    while (caller := frame.f_back) is not None:
        frame = caller
        if str(frame.f_globals["__name__"]).startswith("duvo."):
            names.append(f"{frame.f_globals['__name__']}.{frame.f_code.co_name}")
    return names


@pytest.mark.blocking_only
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_request_is_sent_at_most_nine_frames_below_the_users_code(
    fake_api: FakeAPI,
    client: duvo.Client,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[duvo.Run], Iterable[object]],
) -> None:
    run_id = fake_api.start()
    for number in range(120):
        fake_api.say(run_id, str(number))
    fake_api.end(run_id)
    send = client._driver.transport.send
    stacks: list[list[str]] = []

    def counted(request: Request, closed: threading.Event | None) -> duvo.Response:
        stacks.append(frames_of_the_sdk())
        return send(request, closed)

    monkeypatch.setattr(client._driver.transport, "send", counted)
    assert list(read(client.runs.run(run_id)))
    assert stacks and all(0 < len(stack) <= MOST_FRAMES for stack in stacks), stacks

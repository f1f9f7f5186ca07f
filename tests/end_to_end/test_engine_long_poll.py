"""A held request is answered as soon as there is something to return."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from duvo.local import RunContext, Server, agent
from tests.servers.engine_api import EngineAPI, wait_until


@agent("Listener")
async def listener(run: RunContext) -> None:
    await run.say("listening")
    while True:
        for text in await run.inbox():
            if text == "end":
                return
            await run.say(f"heard {text}")
        await run.sleep(0.02)


@pytest.fixture
def server() -> Iterator[Server]:
    """A running engine."""
    with Server([listener], port=0) as server:
        yield server


@pytest.fixture
def api(server: Server) -> Iterator[EngineAPI]:
    """A session with the engine."""
    api = EngineAPI.of(server)
    yield api
    api.close()


def test_messages_are_held_until_there_is_one_at_the_offset(server: Server, api: EngineAPI) -> None:
    run_id = api.start("Listener")
    api.wait_for_text(run_id, "listening")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(EngineAPI.of(server).get, f"/v2/runs/{run_id}/messages?offset=2&wait=20")
        before = time.monotonic()
        api.say(run_id, "hello")
        page = held.result()
        assert time.monotonic() - before < 10
    assert page["messages"][0]["text_content"] == "hello"
    api.stop(run_id)


def test_messages_are_held_for_the_given_time_and_not_after_the_end(api: EngineAPI) -> None:
    run_id = api.start("Listener")
    api.wait_for_text(run_id, "listening")
    before = time.monotonic()
    page = api.get(f"/v2/runs/{run_id}/messages?offset=2&wait=0.3")
    assert 0.3 <= time.monotonic() - before < 10
    assert (page["messages"], page["total"]) == ([], 2)
    api.say(run_id, "end")
    total = len(api.conversation(run_id)) if api.wait_for_end(run_id) else 0
    before = time.monotonic()
    page = api.get(f"/v2/runs/{run_id}/messages?offset={total}&wait=20")
    assert time.monotonic() - before < 10
    assert page["messages"] == []


def test_a_run_is_held_until_it_has_ended(server: Server, api: EngineAPI) -> None:
    run_id = api.start("Listener")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(EngineAPI.of(server).get, f"/v2/runs/{run_id}?wait=20")
        api.wait_for_text(run_id, "listening")
        before = time.monotonic()
        api.stop(run_id)
        assert held.result()["run"]["status"] == "interrupted"
        assert time.monotonic() - before < 10


def test_a_run_is_held_until_it_has_an_unseen_request(server: Server, api: EngineAPI) -> None:
    run_id = api.start("Invoice approver")
    request = api.get(f"/v2/runs/{run_id}?wait=20")["pending_human_request"]
    assert request["title"].startswith("Post")
    before = time.monotonic()
    path = f"/v2/runs/{run_id}?seen_request={request['id']}"
    assert api.get(f"{path}&wait=0.3")["run"]["status"] == "waiting"
    assert time.monotonic() - before >= 0.3
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(EngineAPI.of(server).get, f"{path}&wait=20")
        api.respond(run_id, request["id"], approved=False)
        assert held.result()["run"]["status"] == "completed"


@pytest.mark.long
def test_a_held_response_starts_at_once_and_sends_a_blank_every_half_second(
    server: Server, api: EngineAPI
) -> None:
    run_id = api.start("Listener")
    api.wait_for_text(run_id, "listening")
    seen = []
    for _ in range(8):  # a busy machine spoils some of them
        response = api.send("GET", f"/v2/runs/{run_id}/messages?offset=2&wait=2.2", stream=True)
        began = time.monotonic()
        assert response.status_code == 200
        moments = []
        pieces = []
        for piece in response.iter_content(None):
            pieces.append(piece)
            moments.append(time.monotonic() - began)
        *blanks, _ = pieces
        assert set(blanks) == {b" "}
        assert len(blanks) <= 5
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        seen.append((moments[0], statistics.median(gaps)))
        if seen[-1][0] < 0.3 and 0.4 < seen[-1][1] < 0.7:
            return
    raise AssertionError(seen)


def test_a_client_that_disconnects_from_a_held_request_harms_nothing(
    server: Server, api: EngineAPI
) -> None:
    run_id = api.start("Listener")
    api.wait_for_text(run_id, "listening")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        head = (
            f"GET /v2/runs/{run_id}/messages?offset=2&wait=20 HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {server.api_key}\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    api.say(run_id, "end")
    api.wait_for_end(run_id)


def test_closing_answers_every_held_request_at_once() -> None:
    pages: list[dict[str, object]] = []
    with Server([listener], port=0, monitoring=True) as server:
        api = EngineAPI.of(server)
        run_id = api.start("Listener")
        api.wait_for_text(run_id, "listening")

        def hold() -> None:
            api = EngineAPI.of(server)
            pages.append(api.get(f"/v2/runs/{run_id}/messages?offset=2&wait=25"))
            api.close()

        def all_are_held() -> bool:
            return "\nduvo_long_polls_held 8.0\n" in api.send("GET", "/metrics").text

        threads = [threading.Thread(target=hold) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(all_are_held, 20, "not every request is held")
        api.close()
        before = time.monotonic()
        server.close()
        for thread in threads:
            thread.join()
        assert time.monotonic() - before < 15
    assert [page["messages"] for page in pages] == [[]] * 8

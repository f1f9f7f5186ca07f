"""The async transport: the key, sessions, deadlines, and when modules are loaded."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import duvo
from duvo._flow.steps import Send
from duvo._http import httpx_sessions
from duvo._http.request import Request
from tests.servers.fake_api import AGENT, KEY, TEAM, FakeAPI, ReceivedRequest, serving
from tests.unit.async_client.conftest import connections, until

pytestmark = pytest.mark.anyio


async def test_a_password_in_netrc_does_not_replace_the_key(
    fake_api: FakeAPI, client: duvo.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    await client.runs.get(fake_api.start())
    for options in ({}, {"auth": httpx2.NetRCAuth(str(netrc))}, {"auth": ("somebody", "else")}):
        async with (
            httpx2.AsyncClient(**options) as session,
            duvo.AsyncClient(api_key=KEY, base_url=fake_api.base_url, session=session) as own,
        ):
            await own.runs.get(fake_api.start())
    assert [one.headers["authorization"] for one in fake_api.requests] == [f"Bearer {KEY}"] * 4


async def test_a_cookie_is_sent_back_over_each_connection(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    run_id = fake_api.start()
    await client.runs.get(run_id)
    fake_api.headers["set-cookie"] = "server=3; Path=/"
    await client.runs.get(run_id)
    fake_api.headers["set-cookie"] = "server=4; Path=/"
    await client.runs.get(run_id)
    await asyncio.gather(*(client.runs.start(AGENT) for _ in range(2)))
    sent = [one.headers.get("cookie") for one in fake_api.requests]
    assert sent == [None, None, "server=3", "server=4", "server=4"]


async def test_a_compressed_response_is_read(fake_api: FakeAPI, client: duvo.AsyncClient) -> None:
    body = gzip.compress(json.dumps({"teams": fake_api.teams}).encode())
    fake_api.before = lambda seen: (200, body, {"content-encoding": "gzip"})
    assert [team.id for team in await client.teams.list()] == [TEAM]
    assert "gzip" in fake_api.requests[0].headers["accept-encoding"]


async def test_the_library_logs_no_request_of_ours(
    fake_api: FakeAPI, client: duvo.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        await client.teams.list()
    assert [record.name for record in caplog.records] == []


async def test_a_callers_session_is_used_and_left_as_it_was(fake_api: FakeAPI) -> None:
    seen: list[str] = []

    async def note(request: httpx2.Request) -> None:
        seen.append(request.url.path)

    session = httpx2.AsyncClient(
        headers={"X-Mine": "yes"}, event_hooks={"request": [note]}, follow_redirects=True
    )
    before = (dict(session.headers), session.auth, session.timeout, session.follow_redirects)
    async with duvo.AsyncClient(api_key=KEY, base_url=fake_api.base_url, session=session) as client:
        await client.teams.list()
        fake_api.before = lambda seen: (308, b"", {"location": "http://localhost:1/elsewhere"})
        with pytest.raises(duvo.ConfigError, match="which is another host"):
            await client.teams.list()
    assert (dict(session.headers), session.auth, session.timeout, session.follow_redirects) == (
        before
    )
    assert not session.is_closed
    assert seen == ["/v2/teams"] * 2
    assert fake_api.requests[0].headers["x-mine"] == "yes"
    assert fake_api.requests[0].headers["authorization"] == f"Bearer {KEY}"
    await session.aclose()
    with pytest.raises(duvo.ConfigError, match="your `session` is closed"):
        await client.teams.list()


async def raise_for_status(response: httpx2.Response) -> None:
    response.raise_for_status()


async def read_body(response: httpx2.Response) -> None:
    await response.aread()


@pytest.mark.parametrize(
    ("hooks", "says"), [([raise_for_status], "404"), ([read_body, raise_for_status], "no: not now")]
)
async def test_a_session_that_raises_for_the_status_gives_the_error_for_it(
    fake_api: FakeAPI, hooks: list[Any], says: str
) -> None:
    async with (
        httpx2.AsyncClient(event_hooks={"response": hooks}) as session,
        duvo.AsyncClient(KEY, fake_api.base_url, TEAM, session=session) as client,
    ):
        fake_api.before = lambda seen: (404, {"error": "no", "message": "not now"})
        with pytest.raises(duvo.NotFound, match=says):
            await client.runs.get(AGENT)
        with pytest.raises(duvo.NotFound, match=says):
            await client.runs.start(AGENT)
        assert len(fake_api.requests) == 2
        moved = (308, b"", {"location": "/elsewhere"})
        fake_api.before = lambda seen: None if seen.path == "/elsewhere" else moved
        with pytest.raises(duvo.NotFound, match="404"):
            await client.runs.get(AGENT)


async def test_a_hook_that_cannot_read_the_response_leaves_the_outcome_of_a_change_unknown(
    fake_api: FakeAPI,
) -> None:
    async def read_json(response: httpx2.Response) -> None:
        await response.aread()
        response.json()

    fake_api.before = lambda seen: (201, b"<html>", {"content-type": "text/html"})
    async with (
        httpx2.AsyncClient(event_hooks={"response": [read_json]}) as session,
        duvo.AsyncClient(KEY, fake_api.base_url, TEAM, session=session, max_retries=0) as client,
    ):
        with pytest.raises(duvo.OutcomeUnknown):
            await client.runs.start(AGENT)
        with pytest.raises(duvo.ConnectionError, match="broke"):
            await client.runs.get(AGENT)


async def test_a_session_that_closes_the_response_breaks_the_connection(fake_api: FakeAPI) -> None:
    async def close(response: httpx2.Response) -> None:
        await response.aclose()

    async with (
        httpx2.AsyncClient(event_hooks={"response": [close]}) as session,
        duvo.AsyncClient(KEY, fake_api.base_url, TEAM, session=session, max_retries=0) as client,
    ):
        with pytest.raises(duvo.ConnectionError, match="broke"):
            await client.runs.get(AGENT)
        with pytest.raises(duvo.OutcomeUnknown):
            await client.runs.start(AGENT)


async def test_requests_of_a_callers_session_go_out_at_the_same_time(fake_api: FakeAPI) -> None:
    together = threading.Barrier(5)
    fake_api.before = lambda seen: (together.wait(20), None)[1]
    async with (
        httpx2.AsyncClient() as session,
        duvo.AsyncClient(KEY, fake_api.base_url, TEAM, session=session) as client,
    ):
        run_id = fake_api.start()
        await asyncio.gather(*(client.runs.get(run_id) for _ in range(5)))


async def test_a_program_can_be_tested_with_mocked_responses() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"teams": []})

    async with (
        httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as session,
        duvo.AsyncClient(api_key="dv_x", session=session) as client,
    ):
        assert await client.teams.list() == []


async def test_an_exception_of_a_callers_transport_reaches_the_caller() -> None:
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise ZeroDivisionError("mine")

    async with (
        httpx2.AsyncClient(transport=httpx2.MockTransport(fail)) as session,
        duvo.AsyncClient(api_key="dv_x", session=session) as client,
    ):
        with pytest.raises(ZeroDivisionError, match="mine"):
            await client.teams.list()


async def test_a_redirect_never_takes_the_key_to_another_host(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    with serving(FakeAPI()) as other:
        target = other.base_url.replace("127.0.0.1", "localhost") + "/v2/x"
        fake_api.before = lambda seen: (308, b"", {"location": target})
        with pytest.raises(duvo.ConfigError, match="which is another host"):
            await client.runs.get(fake_api.start())
        assert other.requests == []


async def test_a_body_that_cannot_be_decoded_is_a_broken_connection(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    run_id = fake_api.start()
    fake_api.before = lambda seen: (
        (200, b"no gzip", {"content-encoding": "gzip"}) if len(fake_api.requests) == 1 else None
    )
    assert (await client.runs.get(run_id)).id == run_id
    fake_api.before = lambda seen: (200, b"no gzip", {"content-encoding": "gzip"})
    with pytest.raises(duvo.OutcomeUnknown, match=r"connection to .* broke"):
        await client.runs.start(AGENT)


@pytest.fixture
def deaf() -> Iterator[str]:
    """The base URL of a host that completes no connection."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # The listener's queue is full: a further connection waits.
        for _ in range(4):
            queued = sockets.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(listener.getsockname())
        time.sleep(0.1)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_a_start_that_was_never_connected_is_not_in_doubt(deaf: str) -> None:
    async with duvo.AsyncClient(KEY, deaf, TEAM, timeout=0.3, max_retries=0) as client:
        with pytest.raises(duvo.TimeoutError, match=r"cannot connect to .* within") as caught:
            await client.runs.start(AGENT)
    assert not caught.value.arrived
    async with duvo.AsyncClient(KEY, deaf, TEAM) as client:
        began = time.monotonic()
        with pytest.raises(duvo.WaitTimeout) as ended:
            await client.runs.ask(AGENT, "go", timeout=0.5)
        assert time.monotonic() - began < 15  # a connection may take 30 s
    assert isinstance(ended.value.__cause__, duvo.TimeoutError)


async def test_a_change_knows_whether_it_may_be_sent_when_it_is_cancelled(
    fake_api: FakeAPI, deaf: str
) -> None:
    reached, release = threading.Event(), threading.Event()

    def hold(seen: ReceivedRequest) -> None:
        reached.set()
        release.wait(10)

    fake_api.before = hold
    may_be_sent = {}
    for base_url in (deaf, fake_api.base_url):
        request = Request("POST", "/v2/changes")
        async with duvo.AsyncClient(KEY, base_url, TEAM) as client:
            await client._driver.prepare()
            sending = asyncio.ensure_future(client._driver.perform(Send(request)))
            if base_url != deaf:
                await asyncio.to_thread(reached.wait, 10)
            await asyncio.sleep(0.2)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
        may_be_sent[base_url] = request.may_be_sent
    release.set()
    assert may_be_sent == {deaf: False, fake_api.base_url: True}


async def test_a_connection_is_kept_between_polls(
    fake_api: FakeAPI, client: duvo.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = fake_api.start()
    await client.runs.get(run_id)
    now = time.monotonic
    # Longer than the longest pause between two polls.
    monkeypatch.setattr(time, "monotonic", lambda: now() + 12.0)
    await client.runs.get(run_id)
    monkeypatch.undo()
    assert connections(fake_api) == 1


async def test_connections_that_are_not_used_for_long_are_closed(
    fake_api: FakeAPI, client: duvo.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = fake_api.start()
    await asyncio.gather(*(client.runs.get(run_id) for _ in range(10)))
    assert connections(fake_api) == 10
    monkeypatch.setattr(httpx_sessions, "_KEPT", 0.0)
    await client.runs.get(run_id)
    await until(lambda: connections(fake_api) <= 1)


async def test_no_text_of_a_failed_request_contains_the_key(fake_api: FakeAPI) -> None:
    fake_api.before = lambda seen: (200, b"x", {"content-length": "400"})
    async with duvo.AsyncClient(KEY, fake_api.base_url, TEAM, max_retries=0) as client:
        with pytest.raises(duvo.ConnectionError) as caught:
            await client.runs.get(fake_api.start())
    failure = caught.value.__context__
    assert isinstance(failure, httpx2.RequestError)
    assert KEY not in f"{vars(caught.value)} {failure!r} {vars(failure)}"


@pytest.mark.long
async def test_the_rate_limit_is_shared_with_blocking_clients(
    fake_api: FakeAPI, client: duvo.AsyncClient
) -> None:
    fake_api.headers.update({"ratelimit-limit": "60", "ratelimit-remaining": "0"})
    fake_api.headers["ratelimit-reset"] = "3"
    run_id = fake_api.start()
    # The window ends 3 s after the first response, however late that comes.
    began = time.monotonic()
    with duvo.Client(KEY, fake_api.base_url, TEAM) as blocking:
        await asyncio.to_thread(blocking.runs.get, run_id)
    await client.runs.get(run_id)
    assert time.monotonic() - began > 3
    assert client._driver.api.rate_limit is blocking._driver.api.rate_limit


async def test_many_follows_stay_under_a_shared_limit(fake_api: FakeAPI) -> None:
    limit, refused = 60, 0
    window = [time.monotonic(), 0.0]

    def count(seen: Any) -> Any:
        nonlocal refused
        with fake_api.lock:
            now = time.monotonic()
            if now >= window[0] + 1:
                window[:] = [now, 0]
            window[1] += 1
            left = max(0, limit - window[1])
            headers = {"ratelimit-limit": str(limit), "ratelimit-remaining": str(left)}
            headers["ratelimit-reset"] = str(max(0, round(window[0] + 1 - now)))
            if window[1] > limit:
                refused += 1
                return 429, {"error": "slow down"}, {**headers, "retry-after": "1"}
            status, body = fake_api.answer(seen)
            return status, body, headers

    fake_api.before = count
    runs = [fake_api.start() for _ in range(12)]
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(duvo.AsyncClient(KEY, fake_api.base_url, TEAM))
            for _ in range(3)
        ]
        await clients[0].runs.get(runs[0])
        for run_id in runs:
            fake_api.say(run_id, "working")
            fake_api.end(run_id)

        async def follow(number: int) -> list[str]:
            run = clients[number % 3].runs.run(runs[number])
            return [message.content async for message in run.messages(follow=True, timeout=60)]

        heard = await asyncio.gather(*(follow(number) for number in range(len(runs))))
    assert heard == [["working"]] * len(runs)
    assert refused == 0


def loaded_after(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport json, sys; print(json.dumps([*sys.modules]))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "program",
    [
        "import duvo",
        "import duvo; duvo.Client(api_key='k').runs.run('r')",
        "import duvo; duvo.Run; duvo.Client(api_key='k'); duvo.WaitTimeout",
    ],
)
def test_the_blocking_client_loads_neither_httpx2_nor_asyncio(program: str) -> None:
    assert not loaded_after(program) & {"httpx2", "httpcore2", "anyio", "asyncio"}


def test_a_request_of_the_blocking_client_loads_no_httpx2(fake_api: FakeAPI) -> None:
    program = f"import duvo; duvo.Client({KEY!r}, {fake_api.base_url!r}).teams.list()"
    assert not loaded_after(program) & {"httpx2", "httpcore2", "anyio", "asyncio"}


@pytest.mark.long
def test_an_async_client_loads_httpx2_at_its_first_request_and_never_requests(
    fake_api: FakeAPI,
) -> None:
    client = f"import duvo, asyncio\nclient = duvo.AsyncClient({KEY!r}, {fake_api.base_url!r})\n"
    assert not loaded_after(client) & {"httpx2", "httpcore2", "anyio"}
    loaded = loaded_after(f"{client}asyncio.run(client.teams.list())")
    assert "httpx2" in loaded
    assert "requests" not in loaded


MISSING = """
import asyncio, sys
sys.modules["httpx2"] = None
import duvo

async def main():
    client = duvo.AsyncClient(api_key="dv_x")
    for _ in range(2):
        try:
            await client.teams.list()
        except duvo.ConfigError as error:
            print(error)
    await client.aclose()

asyncio.run(main())
"""


def test_a_missing_httpx2_is_one_line_with_the_command_that_installs_it() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MISSING], capture_output=True, text=True, timeout=60
    )
    line = "AsyncClient needs the package httpx2: install it with `pip install 'duvo[async]'`\n"
    assert (done.stdout, done.stderr) == (2 * line, "")

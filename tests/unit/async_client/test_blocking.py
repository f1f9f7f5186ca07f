"""Nothing blocks the event loop: neither files, nor names, nor pauses, nor locks, nor work."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import io
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

import duvo
from duvo import profiles
from duvo._batch.journal import Journal
from duvo._run import polling
from tests.servers.fake_api import AGENT, KEY, FakeAPI, ReceivedRequest, serving

pytestmark = pytest.mark.anyio

LONGEST_CALLBACK = 0.05
"""Seconds of CPU time."""

NEVER = [
    *((Journal, name) for name, value in vars(Journal).items() if callable(value)),
    (builtins, "open"),
    (io, "open"),
    (os, "open"),
    (os, "fsync"),
    (socket, "getaddrinfo"),
    (socket, "gethostbyname"),
    (socket, "create_connection"),
    (time, "sleep"),
    (ssl, "create_default_context"),
]
"""What must not be called in the event loop, by whomever."""

WAITS = [(threading.Event, "wait"), (threading.Condition, "wait"), (threading.Thread, "join")]
"""What the SDK must not call there; asyncio itself waits for a thread to begin."""


class Lock:
    """A lock that the SDK must not wait for in a thread that runs an event loop."""

    def __init__(self, make: Callable[[], Any]):
        self._lock = make()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._lock.acquire(False):
            return True
        if blocking and _is_ours(sys._getframe(1)):
            _refuse("a lock")
        return bool(self._lock.acquire(blocking, timeout))

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


def _is_ours(frame: Any) -> bool:
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__")).startswith("duvo")


def _is_import(frame: Any) -> bool:
    # pytest opens the modules that it rewrites: those of every package with a plugin.
    while frame is not None and frame.f_globals.get("__name__") != "_pytest.assertion.rewrite":
        frame = frame.f_back
    return frame is not None


def _refuse(what: str) -> None:
    assert asyncio._get_running_loop() is None, f"{what} is waited for in the event loop"


@contextlib.contextmanager
def refusing_what_blocks() -> Iterator[None]:
    """What may block fails in a thread that runs an event loop."""
    with pytest.MonkeyPatch.context() as patch:

        def refuse(module: Any, name: str, *, by_anyone: bool) -> None:
            original = getattr(module, name)

            def checked(*arguments: Any, **named: Any) -> Any:
                frame = sys._getframe(1)
                if (by_anyone and not _is_import(frame)) or _is_ours(frame):
                    _refuse(name)
                return original(*arguments, **named)

            patch.setattr(module, name, checked)

        for module, name in NEVER:
            refuse(module, name, by_anyone=True)
        for module, name in WAITS:
            refuse(module, name, by_anyone=False)
        for name in ("Lock", "RLock"):
            patch.setattr(threading, name, partial(Lock, getattr(threading, name)))
        yield


@pytest.fixture
def working(fake_api: FakeAPI, monkeypatch: pytest.MonkeyPatch) -> FakeAPI:
    """A server whose runs talk, ask, and end when they are answered; now and then it is busy."""
    monkeypatch.setattr(polling, "SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(polling, "LONGEST_PAUSE", 0.02)
    fake_api.before = lambda seen: work(fake_api, seen)
    return fake_api


def work(fake_api: FakeAPI, seen: ReceivedRequest) -> Any:
    if len(fake_api.requests) % 25 == 7:
        return 503, {"error": "busy"}, {"retry-after": "0.1"}
    answered = {
        one.path.split("/")[3] for one in fake_api.requests if one.path.endswith("/respond")
    }
    with fake_api.lock:
        for run_id, run in list(fake_api.runs.items()):
            if run["status"] not in ("pending", "running"):
                continue
            if len(fake_api.conversations[run_id]) < 60:
                for number in range(20):
                    fake_api.say(run_id, f"{number} " + 200 * "word ")
            elif run_id in answered:
                fake_api.end(run_id)
            else:
                fake_api.ask(run_id)
    return None


async def items(iterator: Any) -> list[Any]:
    return [item async for item in iterator]


async def use_everything(client: duvo.AsyncClient, journal: Path, runs: int = 4) -> None:
    """Use whatever sends, sleeps, reads files, and calls."""

    async def decide(request: duvo.HumanRequest) -> bool:
        await asyncio.sleep(0.001)
        return True

    await client.whoami()
    await items(client.agents.list())
    started = await asyncio.gather(*(client.runs.start("Invoice approver") for _ in range(runs)))
    followed, run, *rest = started
    assert len(await items(followed.messages(follow=True, on_request=decide))) > 60
    await run.wait(on_request=decide, timeout=60)
    await client.runs.wait_all(rest, on_request=lambda request: True)
    await items(client.runs.watch(started, messages=True))
    await items(client.runs.list(limit=5))
    await items(client.runs.inbox())
    for _ in range(2):
        results = client.runs.map(AGENT, ["a", "b", "c"], on_request=decide, journal=journal)
        async with results:
            assert len(await items(results)) == 3
    await run.send_message("again")
    await run.stop()


@pytest.mark.long
async def test_nothing_waits_for_files_names_pauses_or_locks_in_the_event_loop(
    working: FakeAPI, tmp_path: Path
) -> None:
    profiles.add("work", KEY, working.base_url.replace("127.0.0.1", "localhost"))
    with refusing_what_blocks():
        async with duvo.AsyncClient() as client:
            await use_everything(client, tmp_path / "journal")
            await client.aclose()
            await client.find_team_id()
            assert client.settings.profile == "work"


async def test_a_ca_file_is_not_read_in_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    with serving(FakeAPI(), context) as fake_api_over_tls, refusing_what_blocks():
        async with duvo.AsyncClient(api_key=KEY, base_url=fake_api_over_tls.base_url) as client:
            assert len(await client.teams.list()) == 1


@pytest.mark.long
async def test_no_callback_of_the_event_loop_takes_long(
    working: FakeAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The longest callback of each round. A busy machine or the garbage collector makes
    # some rounds slow, but not the best one.
    longest: list[tuple[float, str]] = []
    taken: list[tuple[float, str]] = []
    run_callback = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run_callback(handle)
        taken.append((time.thread_time() - began, repr(handle)[:300]))

    async with duvo.AsyncClient(api_key=KEY, base_url=working.base_url) as client:
        await use_everything(client, tmp_path / "warm-up")
        for number in range(5):
            with monkeypatch.context() as measured:
                measured.setattr(asyncio.Handle, "_run", timed)
                await use_everything(client, tmp_path / f"journal-{number}", runs=12)
            assert len(taken) > 500
            longest.append(max(taken))
            taken.clear()
            if longest[-1][0] <= LONGEST_CALLBACK:
                break
    assert min(longest)[0] <= LONGEST_CALLBACK, longest

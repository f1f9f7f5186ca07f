"""The traceback of an error is short: the user's frames, a few of the SDK's, at most one cause."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import AGENT, KEY, TEAM, DropConnection, FakeAPI, ReceivedRequest
from tests.support.clients import Connect
from tests.support.clocks import StoppedClock

UNKNOWN = "00000000-0000-4000-8000-000000000000"
MOST_FRAMES = 4
"""A method, one that it calls, and the driver; `ask` starts and waits."""

OURS = str(Path(duvo.__file__).parent)
OTHERS = ("requests", "urllib3", "httpx2", "httpcore", "tenacity", "cattrs", "anyio")


def drop(seen: ReceivedRequest) -> None:
    raise DropConnection


def page(seen: ReceivedRequest) -> Any:
    return 200, b"<html>", {"content-type": "text/html"}


def without_id(seen: ReceivedRequest) -> Any:
    return 200, {"run": {"status": "running"}}, {}


def unavailable(seen: ReceivedRequest) -> Any:
    return 503, {"error": "busy"}, {}


Call = Callable[[duvo.Client], Any]
FAILURES: dict[str, tuple[Any, Call, type[Exception], type[Exception] | None]] = {
    "an error response": (None, lambda c: c.runs.get(UNKNOWN), duvo.NotFound, None),
    "a broken connection": (drop, lambda c: c.runs.get(UNKNOWN), duvo.ConnectionError, None),
    "a page": (page, lambda c: c.runs.get(UNKNOWN), duvo.UnexpectedAnswer, None),
    "wrong JSON": (without_id, lambda c: c.runs.get(UNKNOWN), duvo.UnexpectedAnswer, None),
    "retries": (unavailable, lambda c: c.teams.list(), duvo.ServerError, None),
    "a list": (drop, lambda c: list(c.runs.list(since="2026-01-01")), duvo.ConnectionError, None),
    "messages": (drop, lambda c: list(c.runs.run(UNKNOWN).messages()), duvo.ConnectionError, None),
    "a change": (
        drop,
        lambda c: c.runs.start(AGENT),
        duvo.OutcomeUnknown,
        duvo.ConnectionError,
    ),
    "a change with an odd response": (
        page,
        lambda c: c.runs.start(AGENT),
        duvo.OutcomeUnknown,
        duvo.UnexpectedAnswer,
    ),
    "a wait": (
        drop,
        lambda c: c.runs.run(UNKNOWN).wait(timeout=20),
        duvo.WaitTimeout,
        duvo.ConnectionError,
    ),
    "a follow": (
        drop,
        lambda c: list(c.runs.run(UNKNOWN).messages(follow=True, timeout=20)),
        duvo.WaitTimeout,
        duvo.ConnectionError,
    ),
    "showing": (
        drop,
        lambda c: c.runs.run(UNKNOWN).show(timeout=20),
        duvo.WaitTimeout,
        duvo.ConnectionError,
    ),
    "a batch": (
        drop,
        lambda c: list(c.runs.map("Unknown", ["a"])),
        duvo.ConnectionError,
        None,
    ),
    "an argument": (None, lambda c: c.runs.run(UNKNOWN).wait(timeout=-1), duvo.ConfigError, None),
    "an attribute": (None, lambda c: c.runs.run(UNKNOWN).answer, duvo.NotLoaded, None),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_an_error_has_a_short_traceback_and_one_cause_at_most(
    client: duvo.Client, fake_api: FakeAPI, failure: str
) -> None:
    before, call, kind, cause = FAILURES[failure]
    fake_api.before = before or fake_api.before
    client._driver.api.clock = StoppedClock()
    with pytest.raises(kind) as caught:
        call(client)
    check(caught.value, cause)


def check(error: BaseException, cause: type[Exception] | None) -> None:
    """Check what a notebook shows of an error."""
    shown = "".join(traceback.format_exception(error))
    assert "During handling of the above exception" not in shown, shown
    assert shown.count("direct cause of the following") == (0 if cause is None else 1), shown
    if cause is not None:
        assert isinstance(error.__cause__, cause)
    for each in filter(None, (error, error.__cause__)):
        files = [frame.filename for frame in traceback.extract_tb(each.__traceback__)]
        assert sum(file.startswith(OURS) for file in files) <= MOST_FRAMES, files
        assert not [file for file in files if any(f"/{name}/" in file for name in OTHERS)]


def test_an_iteration_that_failed_raises_a_short_traceback_again(
    client: duvo.Client, fake_api: FakeAPI
) -> None:
    fake_api.before = drop
    client._driver.api.clock = StoppedClock()
    runs = client.runs.list(since="2026-01-01")
    for _ in range(5):
        with pytest.raises(duvo.ConnectionError) as caught:
            next(runs)
        check(caught.value, None)


def test_a_start_that_takes_too_long_has_one_cause(connect: Connect, fake_api: FakeAPI) -> None:
    client = connect(KEY, fake_api.base_url, TEAM, timeout=30.0)
    clock = client._driver.api.clock = StoppedClock()

    def late(seen: ReceivedRequest) -> None:
        clock.time += 60
        raise DropConnection

    fake_api.before = late
    with pytest.raises(duvo.WaitTimeout) as caught:
        client.runs.ask(AGENT, timeout=20)
    check(caught.value, duvo.OutcomeUnknown)


@pytest.mark.blocking_only
def test_the_frames_of_a_users_function_stay(client: duvo.Client, fake_api: FakeAPI) -> None:
    run_id = fake_api.start()
    fake_api.ask(run_id)

    def decide(request: duvo.HumanRequest) -> bool:
        client.runs.get(UNKNOWN)
        return True

    with pytest.raises(duvo.NotFound) as caught:
        client.runs.run(run_id).wait(on_request=decide)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "decide" in names
    assert len(names) <= 1 + MOST_FRAMES

"""Arguments of the wrong type, most often unset variables, are refused before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import duvo
from tests.servers.fake_api import KEY, FakeAPI

NOT_SET = "must be text, not None: is the variable set?"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda client, run: client.runs.start(None), f"the id of the agent {NOT_SET}"),
        (lambda client, run: client.runs.start(5), "the id of the agent must be text, not of the"),
        (lambda client, run: client.runs.ask(None), f"the id of the agent {NOT_SET}"),
        (lambda client, run: client.runs.list(agent=None, limit="5"), "limit must be a whole"),
        (lambda client, run: client.runs.list(agent=5), "the id of the agent must be text"),
        (lambda client, run: client.runs.inbox(agent=5), "the id of the agent must be text"),
        (lambda client, run: client.runs.run(None), f"the id of the run {NOT_SET}"),
        (lambda client, run: client.runs.run([]), "the id of the run must be text"),
        (lambda client, run: client.runs.get(None), f"the id of the run {NOT_SET}"),
        (lambda client, run: client.runs.find(None), f"the id of the run {NOT_SET}"),
        (lambda client, run: client.agents.get(None), f"the id of the agent {NOT_SET}"),
        (lambda client, run: client.agents.get([]), "the id of the agent must be text"),
        (lambda client, run: client.agents.id_of(None), f"the id of the agent {NOT_SET}"),
        (lambda client, run: client.agents.list(limit=1.5), "limit must be a whole number"),
        (lambda client, run: client.runs.list(limit=math.nan), "limit must be a whole number"),
        (lambda client, run: client.runs.list(limit=-1), "limit must be a whole number, 0 or"),
        (lambda client, run: client.runs.list(limit=True), "limit must be a whole number"),
        (lambda client, run: client.runs.list(offset=None), "offset must be a whole number"),
        (lambda client, run: client.runs.list(status=[]), "leave it out for all runs"),
        (lambda client, run: client.runs.list(status=""), "leave it out for all runs"),
        (lambda client, run: client.runs.list(status=[None]), "leave it out for all runs"),
        (lambda client, run: client.runs.list(status=5), "status must be a status or a list"),
        (lambda client, run: client.runs.watch(None), "give a list of runs or run ids, not None"),
        (lambda client, run: client.runs.wait_all(None), "give a list of runs or run ids"),
        (lambda client, run: client.runs.watch([None]), "None is not a run; give runs or run ids"),
        (lambda client, run: client.runs.ask("A", timeout="1"), "timeout must be a number of sec"),
        (lambda client, run: run.wait(timeout="1"), "timeout must be a number of seconds, 0 or"),
        (lambda client, run: run.wait(timeout=math.nan), "timeout must be a number of seconds"),
        (lambda client, run: run.wait(timeout=True), "timeout must be a number of seconds"),
        (lambda client, run: run.wait(timeout=-1), "timeout must be a number of seconds, 0 or"),
        (lambda client, run: run.messages(after=5), "the id of the message must be text"),
        (lambda client, run: run.messages(last="5"), "last must be a whole number"),
        (lambda client, run: client.request(None, "/v2/teams"), "method must be text, not None"),
        (lambda client, run: client.request("GET", None), f"path {NOT_SET}"),
        (lambda client, run: client.paginate(None), f"path {NOT_SET}"),
    ],
)
def test_arguments_of_the_wrong_type_are_refused(
    client: duvo.Client,
    fake_api: FakeAPI,
    call: Callable[[duvo.Client, duvo.Run], object],
    text: str,
) -> None:
    run = client.runs.run(fake_api.start())
    with pytest.raises(duvo.ConfigError) as caught:
        call(client, run)
    assert text in str(caught.value)
    assert fake_api.requests == []


@pytest.mark.parametrize("make", [duvo.Client, duvo.AsyncClient])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"timeout": None}, "timeout must be a number of seconds, above 0 and at most 86400, not"),
        ({"timeout": "30"}, "timeout must be a number of seconds"),
        ({"timeout": 0}, "timeout must be a number of seconds"),
        ({"max_retries": 1.5}, "max_retries must be a whole number, 0 or more, not 1.5"),
        ({"max_retries": None}, "max_retries must be a whole number"),
        ({"user_agent": 5}, "user_agent must be text, not of the type int"),
        ({"base_url": 5}, "base_url must be text, not of the type int"),
        ({"api_key": b"dv_secret"}, "api_key must be text, not of the type bytes"),
    ],
)
def test_settings_of_the_wrong_type_are_refused(
    make: Callable[..., object], arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(duvo.ConfigError) as caught:
        make(**{"api_key": KEY, **arguments})
    assert text in str(caught.value)
    assert "secret" not in str(caught.value)


class NumpyLike:
    """A number that is neither an int nor a float, as those of numpy."""

    def __float__(self) -> float:
        return 0.25

    def __index__(self) -> int:
        return 2


@pytest.mark.parametrize("number", [Decimal("0.25"), Fraction(1, 4), NumpyLike()])
def test_a_timeout_may_be_any_number(client: duvo.Client, fake_api: FakeAPI, number: Any) -> None:
    run = client.runs.run(fake_api.start())
    with pytest.raises(duvo.WaitTimeout) as caught:
        run.wait(timeout=number)
    assert caught.value.timeout == 0.25
    assert isinstance(caught.value.timeout, float)
    assert duvo.Client(KEY, timeout=number)._driver.api.timeout == 0.25


def test_a_count_may_be_any_whole_number(client: duvo.Client, fake_api: FakeAPI) -> None:
    for _ in range(3):
        fake_api.start()
    count: Any = NumpyLike()
    assert len(list(client.runs.list(limit=count))) == 2

"""Exceptions from outside, such as Ctrl-C, while a request is on its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import duvo
from duvo._http import api
from tests.servers.fake_api import KEY, TEAM, Hosted


class Interruption(BaseException):
    """An exception from outside."""


def find_team(client: duvo.Client) -> Any:
    return client.team_id


def list_agents(client: duvo.Client) -> Any:
    return list(client.agents.list())


@pytest.mark.parametrize("call", [find_team, list_agents])
def test_the_team_is_found_after_an_interruption(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch, call: Callable[[duvo.Client], Any]
) -> None:
    monkeypatch.setattr(api, "_LONGEST_FINDING", 0.1)
    client = duvo.Client(api_key=KEY, base_url=hosted.base_url)

    def interrupt(*arguments: object) -> None:
        raise Interruption

    with monkeypatch.context() as interrupted:
        interrupted.setattr(client._driver.transport, "send", interrupt)
        # Its traceback keeps what was interrupted alive.
        with pytest.raises(Interruption) as caught:
            call(client)
    assert client.team_id == TEAM
    assert caught.tb is not None

"""What the log of the SDK becomes on stderr."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

import duvo
from duvo_cli.output import logs
from tests.servers.fake_api import FakeAPI
from tests.support.clocks import StoppedClock


@pytest.fixture(autouse=True)
def no_handlers() -> Iterator[None]:
    """The loggers of the SDK, without what other tests set up and as they were afterwards."""
    names = ("duvo", "duvo.rate_limit")
    before = {name: logging.getLogger(name).level for name in names}
    handlers = logging.getLogger("duvo").handlers[:]
    logging.getLogger("duvo").handlers[:] = []
    yield
    logging.getLogger("duvo").handlers[:] = handlers
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_the_first_long_pause_for_the_rate_limit_is_reported_without_a_terminal(
    fake_api: FakeAPI,
    client: duvo.Client,
    clock: StoppedClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.show(debug=False)
    for reset in (7, 30, 40):
        fake_api.headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}
        client.teams.list()
    client.teams.list()
    assert capsys.readouterr().err == (
        "duvo: waiting 31 s: the rate limit allows no more requests at the moment\n"
    )

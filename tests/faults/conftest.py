"""The engine behind the faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.dev_process import running_dev
from tests.servers.engine_api import LocalApi
from tests.support.clients import client, connect, loop_thread, use_both_clients

__all__ = ["client", "connect", "loop_thread"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    use_both_clients(metafunc)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApi]:
    """A session with an engine that has the agents of the scenarios, past all faults."""
    agents = Path(__file__).with_name("agents.py")
    with running_dev(tmp_path_factory.mktemp("engine"), "--json", str(agents)) as dev:
        api = dev.api()
        yield api
        api.close()

"""The engine that stands behind the faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.engine_api import LocalApi
from tests.support.clients import client, connect, loop_thread, use_both_clients
from tests.support.command import DUVO

__all__ = ["client", "connect", "loop_thread"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    use_both_clients(metafunc)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApi]:
    """A `duvo dev` with the agents of the scenarios, and a way to it that nothing disturbs."""
    folder = tmp_path_factory.mktemp("engine")
    agents = Path(__file__).with_name("agents.py")
    environment = {name: value for name, value in os.environ.items() if name[:5] != "DUVO_"}
    environment["DUVO_CONFIG_DIR"] = str(folder / "config")
    process = subprocess.Popen(
        [DUVO, "dev", "--json", "--port", "0", "--database", str(folder / "engine.sqlite"), agents],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    told = json.loads(process.stdout.readline() or "null")
    assert told, "the engine did not start"
    api = LocalApi(told["base_url"], told["api_key"], told["team_id"])
    yield api
    api.close()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 0

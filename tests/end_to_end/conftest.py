"""The installed command, servers for it, and programs that scripts need."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import duvo
from duvo.local import Server
from tests.servers.dev_process import running_dev
from tests.servers.engine_api import EngineAPI
from tests.servers.fake_api import KEY, TEAM, FakeAPI
from tests.servers.postgresql import PostgreSQL, running_postgresql
from tests.servers.serve_process import AGENTS, OTHER, ServeProcess, running_serve
from tests.servers.serve_process import KEY as SERVED_KEY
from tests.support.command import Command

_JQ = f"""\
#!{sys.executable}
import sys
import jq

raw = sys.argv[1:2] == ["-r"]
program = jq.compile(sys.argv[-1])
for value in program.input_text(sys.stdin.read()):
    if raw and isinstance(value, str):
        print(value)
    else:
        import json
        print(json.dumps(value, indent=2, ensure_ascii=False))
"""


@pytest.fixture(scope="session")
def dev_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment variables of the clients of a running `duvo dev`."""
    with running_dev(tmp_path_factory.mktemp("dev"), "--json") as dev:
        yield dev.settings


@pytest.fixture
def run_duvo(dev_settings: dict[str, str]) -> Command:
    """The command, with the settings of a running `duvo dev`."""
    return Command(dev_settings)


@pytest.fixture
def dev_client(dev_settings: dict[str, str]) -> Iterator[duvo.Client]:
    """A client of the same engine."""
    with duvo.Client(
        dev_settings["DUVO_API_KEY"],
        dev_settings["DUVO_API_BASE_URL"],
        dev_settings["DUVO_TEAM_ID"],
    ) as client:
        yield client


@pytest.fixture
def api(engine: Server) -> Iterator[EngineAPI]:
    """Raw requests to the engine that a module's fixture `engine` runs."""
    api = EngineAPI.of(engine)
    yield api
    api.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server. A test that stops it must start it again."""
    with running_postgresql() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> str:
    """The URL of an empty PostgreSQL database."""
    return postgresql.database()


@pytest.fixture
def agents_to_serve(tmp_path: Path) -> str:
    """A file with agents for `duvo serve`."""
    file = tmp_path / "agents.py"
    file.write_text(AGENTS)
    return str(file)


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """A file with two keys, private to its owner."""
    file = tmp_path / "keys.txt"
    file.write_text(f"# of the batch\n{SERVED_KEY}\n\n  # of the dashboard\n{OTHER}\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def serve(
    run_duvo_unconfigured: Command, agents_to_serve: str, keys_file: Path
) -> Iterator[Callable[..., ServeProcess]]:
    """Start `duvo serve` with these agents and keys; what still runs at the end is killed."""
    with ExitStack() as running:

        def start(*arguments: str) -> ServeProcess:
            port = () if "--port" in arguments else ("--port", "0")
            # Most tests read lines of the server itself.
            quiet = () if "--log-format" in arguments else ("--quiet",)
            given = ("--keys-file", str(keys_file), *port, *quiet, *arguments)
            return running.enter_context(
                running_serve(run_duvo_unconfigured, agents_to_serve, *given)
            )

        yield start


@pytest.fixture
def run_duvo_with_fake_api(fake_api: FakeAPI) -> Command:
    """The command, with the settings of the fake API."""
    return Command(
        {"DUVO_API_KEY": KEY, "DUVO_API_BASE_URL": fake_api.base_url, "DUVO_TEAM_ID": TEAM}
    )


@pytest.fixture
def run_duvo_unconfigured() -> Command:
    """The command, without settings."""
    return Command({})


@pytest.fixture
def jq_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's `jq`, or a small one made of its Python package."""
    if shutil.which("jq"):
        return
    if importlib.util.find_spec("jq") is None:
        pytest.skip("neither the program nor the Python package jq is installed")
    folder = tmp_path / "jq"
    folder.mkdir()
    shim = folder / "jq"
    shim.write_text(_JQ)
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

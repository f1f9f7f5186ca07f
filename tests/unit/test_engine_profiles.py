"""Profiles of local engines: their names, and when they are used."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

import duvo
from duvo import profiles
from tests.support.clients import Connect

URL = "http://127.0.0.1:7411"


@pytest.fixture
def dead_pid() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def add(pid: int, port: int = 7411) -> str:
    engine = profiles.LocalEngine(port, pid)
    return profiles.add_engine("dv_engine", f"http://127.0.0.1:{port}", "team-engine", engine).name


def settings(client: duvo.Client) -> tuple[str, str, str | None]:
    return client.settings.api_key, client.settings.base_url, client.settings.team_id


def test_the_profile_of_an_engine_is_used_where_nothing_else_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert add(os.getpid()) == "local"
    assert profiles.load().default is None
    assert settings(duvo.Client()) == ("dv_engine", URL, "team-engine")
    monkeypatch.setenv("DUVO_TEAM_ID", "team-env")
    assert settings(duvo.Client()) == ("dv_engine", URL, "team-engine")


def test_a_running_engine_is_preferred(dead_pid: int) -> None:
    add(dead_pid, 7411)
    profiles.add("local-2", "dv_other", default=False)
    assert add(os.getpid(), 7412) == "local"
    assert add(os.getpid(), 7413) == "local-3"
    assert duvo.Client().settings.base_url == "http://127.0.0.1:7412"


def test_another_default_profile_takes_precedence_over_an_engine() -> None:
    add(os.getpid())
    profiles.add("work", "dv_work", default=True)
    assert settings(duvo.Client()) == ("dv_work", "https://api.duvo.ai", None)


def test_the_first_profile_beside_those_of_engines_becomes_the_default() -> None:
    add(os.getpid())
    profiles.add("work", "dv_work")
    profiles.add("other", "dv_other")
    assert profiles.load().default == "work"


def test_the_profile_of_an_engine_that_was_made_the_default_stays_so() -> None:
    profiles.use(add(os.getpid()))
    profiles.add("work", "dv_work")
    assert profiles.load().default == "local"


def test_a_key_of_the_environment_never_reaches_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    add(os.getpid())
    monkeypatch.setenv("DUVO_API_KEY", "dv_env")
    assert settings(duvo.Client()) == ("dv_env", "https://api.duvo.ai", None)
    profiles.use("local")
    assert settings(duvo.Client()) == ("dv_env", "https://api.duvo.ai", None)
    monkeypatch.setenv("DUVO_PROFILE", "local")
    with pytest.raises(duvo.ConfigError, match="only used together: leave out DUVO_API_KEY"):
        duvo.Client()
    # A profile in the call takes precedence over the environment.
    assert settings(duvo.Client(profile="local")) == ("dv_engine", URL, "team-engine")


def test_the_key_of_an_engine_never_reaches_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    add(os.getpid())
    for arguments in ({"base_url": "https://other.example"}, {"team_id": "team-arg"}):
        with pytest.raises(duvo.MissingCredential):
            duvo.Client(**arguments)
    with pytest.raises(duvo.ConfigError, match="leave out base_url"):
        duvo.Client(base_url="https://other.example", profile="local")
    with pytest.raises(duvo.ConfigError, match="leave out api_key"):
        duvo.Client(api_key="dv_arg", profile="local")
    monkeypatch.setenv("DUVO_API_BASE_URL", "https://other.example")
    with pytest.raises(duvo.MissingCredential):
        duvo.Client()


def test_an_engine_never_replaces_a_profile_of_the_user(dead_pid: int) -> None:
    profiles.add("local", "dv_mine", "https://mine.example")
    assert add(dead_pid) == "local-2"
    assert add(os.getpid()) == "local-2"
    assert profiles.load().named("local").api_key == "dv_mine"


def test_an_engine_never_replaces_the_profile_of_one_that_is_running() -> None:
    assert add(os.getpid(), 7411) == "local"
    assert add(os.getpid(), 7412) == "local-2"
    # Only the engine that has the port now is running.
    assert add(os.getpid(), 7411) == "local"


@pytest.mark.parametrize("engine", ["'x'", "{port = 1}", "{port = 1, pid = 'x'}", "[1]"])
def test_a_damaged_mark_makes_it_a_profile_of_the_user(engine: str) -> None:
    profiles.path().parent.mkdir()
    profiles.path().write_text(f"[profiles.local]\napi_key = 'dv_mine'\nengine = {engine}\n")
    assert profiles.load().named("local").engine is None


@pytest.mark.parametrize("connect", ["blocking", "async"], indirect=True)
def test_an_engine_that_is_not_running_is_named_by_its_profile(
    connect: Connect, dead_pid: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    add(dead_pid, port)
    with pytest.raises(duvo.ConnectionError, match="the engine of profile 'local' is not running"):
        connect(max_retries=0).whoami()

"""Fixtures for pytest, which loads this module by its entry point.

The engine is loaded when a fixture is first used.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import duvo
    from duvo.local import Agent, Server
    from duvo.local.testing.clock import EngineClock
    from duvo.local.testing.serve_agents import ServeAgents
    from duvo.local.testing.server import ReusableServer

__tracebackhide__ = True  # pytest shows the author's code alone


@pytest.fixture(scope="session")
def _duvo_server() -> Iterator[ReusableServer]:
    from duvo.local.testing.server import ReusableServer

    server = ReusableServer()
    with server:
        yield server


@pytest.fixture
def duvo_engine(
    _duvo_server: ReusableServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServeAgents]:
    """Serve agents: `duvo_engine(agent, …)` returns the `duvo.local.Server`.

    All tests of a session share the server; each begins with an empty database.
    A further call replaces the agents and keeps the runs. `duvo.Client()` uses
    this server within the test.
    """
    monkeypatch.setenv("DUVO_API_KEY", _duvo_server.api_key)
    monkeypatch.setenv("DUVO_API_BASE_URL", _duvo_server.base_url)
    monkeypatch.setenv("DUVO_TEAM_ID", _duvo_server.team_id)

    def serve(*agents: Agent) -> Server:
        from duvo.local import EngineError

        try:
            _duvo_server.replace_agents(agents)
        except EngineError as error:
            # Without the engine's frames.
            raise error.with_traceback(None) from None
        return _duvo_server

    yield serve
    # Now, not at the next test: the agents would run until then.
    _duvo_server.reset()


@pytest.fixture
def duvo_clock(duvo_engine: ServeAgents, _duvo_server: ReusableServer) -> Iterator[EngineClock]:
    """The engine's time: `duvo_clock.advance(days=3)` sets it ahead, and with
    `duvo_clock.auto = True` it moves by itself whenever every turn sleeps.
    """
    yield _duvo_server.clock
    _duvo_server.clock.auto = False


@pytest.fixture
def duvo_client(duvo_engine: ServeAgents) -> Iterator[duvo.Client]:
    """A `duvo.Client` of the test's engine."""
    import duvo

    with duvo.Client() as client:
        yield client

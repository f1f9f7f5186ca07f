"""Tests of agents, and of programs that use them.

from duvo.testing import FakeRun

run = FakeRun(message="Ada")
await greeter(run)
assert run.said == ["Hello, Ada!"]

With pytest, the fixtures `duvo_engine`, `duvo_client` and `duvo_clock` need no import.
"""

_HOME = {
    "CallsDiffer": "replay",
    "EngineClock": "clock",
    "FakeRun": "fake_run",
    "ServeAgents": "serve_agents",
    "replay": "replay",
}

__all__ = ["CallsDiffer", "EngineClock", "FakeRun", "ServeAgents", "replay"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from duvo.local.testing.clock import EngineClock
    from duvo.local.testing.fake_run import FakeRun
    from duvo.local.testing.replay import CallsDiffer, replay
    from duvo.local.testing.serve_agents import ServeAgents
else:

    def __getattr__(name: str) -> object:
        module = _HOME.get(name)
        if module is None:
            raise AttributeError(f"module 'duvo.testing' has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"duvo.local.testing.{module}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})

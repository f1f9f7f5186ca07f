"""Tests of agents, and of programs that use them.

from duvo.testing import FakeRun

run = FakeRun(message="Ada")
await greeter(run)
assert run.said == ["Hello, Ada!"]

With pytest, the fixtures `duvo_engine`, `duvo_client` and `duvo_clock` need no import.
"""

_HOME = {"EngineClock": "clock", "FakeRun": "fake_run"}

__all__ = ["EngineClock", "FakeRun"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from duvo.local.testing.clock import EngineClock
    from duvo.local.testing.fake_run import FakeRun
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

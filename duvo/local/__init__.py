"""An embedded engine that serves the same API on this machine.

from duvo.local import Server, agent

@agent("Greeter")
async def greeter(run):
    await run.say("Hello")

with Server([greeter]) as server:
    print(server.base_url, server.api_key)
"""

_HOME = {
    "_agent_file": ("load_agents",),
    "_ports": ("DEFAULT_PORT",),
    "_server": ("Server",),
    "_state": ("default_database",),
    "agents": ("Agent", "agent"),
    "context": ("Message", "RunContext"),
    "errors": (
        "AgentFileError",
        "CallOrderError",
        "DatabaseDamaged",
        "DatabaseLocked",
        "EngineError",
        "MissingExtra",
        "PortInUse",
        "ToolFailed",
    ),
    "questions": ("Option", "Question"),
}
_NAMES = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "DEFAULT_PORT",
    "Agent",
    "AgentFileError",
    "CallOrderError",
    "DatabaseDamaged",
    "DatabaseLocked",
    "EngineError",
    "Message",
    "MissingExtra",
    "Option",
    "PortInUse",
    "Question",
    "RunContext",
    "Server",
    "ToolFailed",
    "agent",
    "default_database",
    "load_agents",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._agent_file import load_agents
    from ._ports import DEFAULT_PORT
    from ._server import Server
    from ._state import default_database
    from .agents import Agent, agent
    from .context import Message, RunContext
    from .errors import (
        AgentFileError,
        CallOrderError,
        DatabaseDamaged,
        DatabaseLocked,
        EngineError,
        MissingExtra,
        PortInUse,
        ToolFailed,
    )
    from .questions import Option, Question
else:

    def __getattr__(name: str) -> object:
        module = _NAMES.get(name)
        if module is None:
            raise AttributeError(f"module 'duvo.local' has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"duvo.local.{module}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})

"""An embedded engine that serves the same API on this machine.

from duvo.local import Server, agent

@agent("Greeter")
async def greeter(run):
    await run.say("Hello")

with Server([greeter]) as server:
    print(server.base_url, server.api_key)
"""

_HOME = {
    "_loading.files": "AgentFiles load_agents",
    "_api.ports": "DEFAULT_PORT",
    "_server": "Server",
    "_database.files": "default_database",
    "agents": "Agent agent",
    "context": "RunContext",
    "errors": "AgentFileError CallOrderError DatabaseDamaged DatabaseLocked DatabaseReplaced "
    "EngineError MissingExtra PortInUse ToolFailed",
    "messages": "Message",
    "questions": "Option Question",
}
_NAMES = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "DEFAULT_PORT",
    "Agent",
    "AgentFileError",
    "AgentFiles",
    "CallOrderError",
    "DatabaseDamaged",
    "DatabaseLocked",
    "DatabaseReplaced",
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
    from ._api.ports import DEFAULT_PORT
    from ._database.files import default_database
    from ._loading.files import AgentFiles, load_agents
    from ._server import Server
    from .agents import Agent, agent
    from .context import RunContext
    from .errors import (
        AgentFileError,
        CallOrderError,
        DatabaseDamaged,
        DatabaseLocked,
        DatabaseReplaced,
        EngineError,
        MissingExtra,
        PortInUse,
        ToolFailed,
    )
    from .messages import Message
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

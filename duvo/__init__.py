"""Start, follow, answer and stop Duvo agent runs from Python.

import duvo

client = duvo.Client()
run = client.runs.start("Invoice approver", message="Process INV-1042")
for message in run.messages(follow=True):
    print(message.role, message.content)
    if message.is_pending_request:
        run.respond(approve=True)
"""

__version__ = "0.1.0"

# Names are loaded when first used: `import duvo` loads nothing else.
_HOME = {
    "_agents": ("AgentList",),
    "_client": ("Client",),
    "_errors": (
        "APIError",
        "AmbiguousAgent",
        "AuthenticationError",
        "ConfigError",
        "Conflict",
        "ConnectionError",
        "DuvoError",
        "HumanRequestPending",
        "InvalidReply",
        "InvalidRequest",
        "JournalError",
        "MapIncomplete",
        "MissingCredential",
        "NotFound",
        "NotLoaded",
        "OutcomeUnknown",
        "PermissionDenied",
        "RateLimited",
        "RunError",
        "RunFailed",
        "RunStopped",
        "ServerError",
        "TLSError",
        "TimeoutError",
        "UnexpectedAnswer",
        "UnknownProfile",
        "WaitTimeout",
    ),
    "_fleet.events": ("Event",),
    "_fleet.journal": ("Changes",),
    "_fleet.map": ("Results",),
    "_fleet.results": ("Progress", "Result"),
    "_fleet.watch": ("Completed", "Watch"),
    "_following": ("Messages",),
    "_models": (
        "Agent",
        "HumanRequest",
        "Message",
        "Option",
        "Question",
        "Reply",
        "Team",
        "ToolCall",
        "ToolResult",
        "UserProfile",
    ),
    "_run": ("Run",),
    "_run_data": ("RunData",),
    "_runs": ("RunList",),
    "_teams": ("WhoAmI",),
    "_transport": ("Answer",),
}
_NAMES = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "APIError",
    "Agent",
    "AgentList",
    "AmbiguousAgent",
    "Answer",
    "AuthenticationError",
    "Changes",
    "Client",
    "Completed",
    "ConfigError",
    "Conflict",
    "ConnectionError",
    "DuvoError",
    "Event",
    "HumanRequest",
    "HumanRequestPending",
    "InvalidReply",
    "InvalidRequest",
    "JournalError",
    "MapIncomplete",
    "Message",
    "Messages",
    "MissingCredential",
    "NotFound",
    "NotLoaded",
    "Option",
    "OutcomeUnknown",
    "PermissionDenied",
    "Progress",
    "Question",
    "RateLimited",
    "Reply",
    "Result",
    "Results",
    "Run",
    "RunData",
    "RunError",
    "RunFailed",
    "RunList",
    "RunStopped",
    "ServerError",
    "TLSError",
    "Team",
    "TimeoutError",
    "ToolCall",
    "ToolResult",
    "UnexpectedAnswer",
    "UnknownProfile",
    "UserProfile",
    "WaitTimeout",
    "Watch",
    "WhoAmI",
    "__version__",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._agents import AgentList
    from ._client import Client
    from ._errors import (
        AmbiguousAgent,
        APIError,
        AuthenticationError,
        ConfigError,
        Conflict,
        ConnectionError,
        DuvoError,
        HumanRequestPending,
        InvalidReply,
        InvalidRequest,
        JournalError,
        MapIncomplete,
        MissingCredential,
        NotFound,
        NotLoaded,
        OutcomeUnknown,
        PermissionDenied,
        RateLimited,
        RunError,
        RunFailed,
        RunStopped,
        ServerError,
        TimeoutError,
        TLSError,
        UnexpectedAnswer,
        UnknownProfile,
        WaitTimeout,
    )
    from ._fleet.events import Event
    from ._fleet.journal import Changes
    from ._fleet.map import Results
    from ._fleet.results import Progress, Result
    from ._fleet.watch import Completed, Watch
    from ._following import Messages
    from ._models import (
        Agent,
        HumanRequest,
        Message,
        Option,
        Question,
        Reply,
        Team,
        ToolCall,
        ToolResult,
        UserProfile,
    )
    from ._run import Run
    from ._run_data import RunData
    from ._runs import RunList
    from ._teams import WhoAmI
    from ._transport import Answer
else:

    def __getattr__(name: str) -> object:
        module = _NAMES.get(name)
        if module is None:
            raise AttributeError(f"module 'duvo' has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"duvo.{module}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})

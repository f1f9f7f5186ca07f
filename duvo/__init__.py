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
    "_resources.agents": ("AgentList",),
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
    "_watch.events": ("Event",),
    "_batch.journal": ("Changes",),
    "_batch.map": ("Results",),
    "_batch.results": ("Progress", "Result"),
    "_watch.watch": ("Completed", "Watch"),
    "_run.following": ("Messages",),
    "_models.messages": (
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
    "_resources.run": ("Run",),
    "_models.runs": ("RunData",),
    "_resources.runs": ("RunList",),
    "_resources.teams": ("WhoAmI",),
    "_http.transport": ("Answer",),
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
    from ._batch.journal import Changes
    from ._batch.map import Results
    from ._batch.results import Progress, Result
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
    from ._http.transport import Answer
    from ._models.messages import (
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
    from ._models.runs import RunData
    from ._resources.agents import AgentList
    from ._resources.run import Run
    from ._resources.runs import RunList
    from ._resources.teams import WhoAmI
    from ._run.following import Messages
    from ._watch.events import Event
    from ._watch.watch import Completed, Watch
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

"""Start, follow, answer and stop Duvo agent runs from Python.

import duvo

client = duvo.Client()
run = client.runs.start("Invoice approver", message="Process INV-1042")
for message in run.messages(follow=True):
    print(message.role, message.content)
    if message.is_pending_request:
        run.respond(approve=True)
"""

# Names are loaded when first used: `import duvo` loads nothing else. A name that is not
# here is an error, in `_errors`.
_HOME = {
    "_version": ("__version__",),
    "_async.agents": ("AsyncAgentList", "AsyncAgents"),
    "_async.client": ("AsyncClient",),
    "_async.iterators": ("AsyncCompleted", "AsyncWatch"),
    "_async.messages": ("AsyncMessages",),
    "_async.results": ("AsyncResults",),
    "_async.run": ("AsyncRun",),
    "_async.run_list": ("AsyncRunList",),
    "_async.runs": ("AsyncRuns",),
    "_async.teams": ("AsyncTeams",),
    "_batch.entry": ("Changes", "Progress"),
    "_client": ("Client",),
    "_settings.settings": ("Settings",),
    "_flow.iterators": ("AsyncClosableIterator", "ClosableIterator"),
    "_http.response": ("Response",),
    "_models.human_requests": ("HumanRequest", "Option", "Question", "Reply"),
    "_models.messages": ("Message", "ToolCall", "ToolResult"),
    "_models.runs": ("RunData",),
    "_models.types": ("Answers", "AsyncOnRequest", "Decision", "OnRequest", "RunStatus"),
    "_resources.agents": ("Agent", "AgentList", "Agents"),
    "_resources.events": ("Event", "Result"),
    "_resources.iterators": ("Completed", "Watch"),
    "_resources.messages": ("Messages",),
    "_resources.results": ("Results",),
    "_resources.run": ("Run",),
    "_resources.run_list": ("RunList",),
    "_resources.runs": ("Runs",),
    "_resources.teams": ("Team", "Teams", "UserProfile", "WhoAmI"),
}
_NAMES = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "APIError",
    "Agent",
    "AgentList",
    "Agents",
    "AmbiguousAgent",
    "AmbiguousRun",
    "Answers",
    "AsyncAgentList",
    "AsyncAgents",
    "AsyncClient",
    "AsyncClosableIterator",
    "AsyncCompleted",
    "AsyncMessages",
    "AsyncOnRequest",
    "AsyncResults",
    "AsyncRun",
    "AsyncRunList",
    "AsyncRuns",
    "AsyncTeams",
    "AsyncWatch",
    "AuthenticationError",
    "Changes",
    "Client",
    "ClosableIterator",
    "Completed",
    "ConfigError",
    "Conflict",
    "ConnectionError",
    "Decision",
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
    "OnRequest",
    "Option",
    "OutcomeUnknown",
    "PermissionDenied",
    "Progress",
    "Question",
    "RateLimited",
    "Reply",
    "Response",
    "Result",
    "Results",
    "Run",
    "RunData",
    "RunError",
    "RunFailed",
    "RunList",
    "RunStatus",
    "RunStopped",
    "Runs",
    "ServerError",
    "Settings",
    "TLSError",
    "Team",
    "Teams",
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
    from ._async.agents import AsyncAgentList, AsyncAgents
    from ._async.client import AsyncClient
    from ._async.iterators import AsyncCompleted, AsyncWatch
    from ._async.messages import AsyncMessages
    from ._async.results import AsyncResults
    from ._async.run import AsyncRun
    from ._async.run_list import AsyncRunList
    from ._async.runs import AsyncRuns
    from ._async.teams import AsyncTeams
    from ._batch.entry import Changes, Progress
    from ._client import Client
    from ._errors import (
        AmbiguousAgent,
        AmbiguousRun,
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
    from ._flow.iterators import AsyncClosableIterator, ClosableIterator
    from ._http.response import Response
    from ._models.human_requests import HumanRequest, Option, Question, Reply
    from ._models.messages import Message, ToolCall, ToolResult
    from ._models.runs import RunData
    from ._models.types import Answers, AsyncOnRequest, Decision, OnRequest, RunStatus
    from ._resources.agents import Agent, AgentList, Agents
    from ._resources.events import Event, Result
    from ._resources.iterators import Completed, Watch
    from ._resources.messages import Messages
    from ._resources.results import Results
    from ._resources.run import Run
    from ._resources.run_list import RunList
    from ._resources.runs import Runs
    from ._resources.teams import Team, Teams, UserProfile, WhoAmI
    from ._settings.settings import Settings
    from ._version import __version__
else:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'duvo' has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"duvo.{_NAMES.get(name, '_errors')}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})

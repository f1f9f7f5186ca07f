"""A run that is watched, and its events."""

from __future__ import annotations

from typing import NamedTuple

from .._models import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from .._models.human_requests import HumanRequest
    from .._models.messages import Message
    from .._run.conversation import Conversation
    from .._run.state import RunState

    Stamp = tuple[str, object]


class RunEvent(NamedTuple):
    """A change of one run; only its type's field is set besides the run."""

    type: Literal["status", "message", "human_request", "finished"]
    state: RunState
    message: Message | None = None
    request: HumanRequest | None = None


class Watched:
    """A run that is watched.

    Attributes:
        conversation: reads the run's messages, or None if they are not wanted.
        created_at: the time of creation, as the server reports it, or None.
        status: as last seen, or None.
        stamp: status and `updated_at` as last seen, or None.
        request_id: the id of the last human request that was reported, or None.
        is_due: whether the run itself is to be read soon.
        is_listed: whether the list includes the run.
        was_answered: whether a reply was sent: another request may be pending,
            even if nothing else has changed.
        unreported_at: the stamp when a sweep found something that the list had
            not shown, or None.
    """

    __slots__ = (
        "conversation",
        "created_at",
        "is_due",
        "is_listed",
        "request_id",
        "stamp",
        "state",
        "status",
        "unreported_at",
        "was_answered",
    )

    def __init__(self, state: RunState, conversation: Conversation | None):
        self.state = state
        self.conversation = conversation
        self.created_at: str | None = None
        self.status: str | None = None
        self.stamp: Stamp | None = None
        self.request_id: str | None = None
        self.is_due = False
        self.is_listed = True
        self.was_answered = False
        self.unreported_at: Stamp | None = None

    @property
    def key(self) -> str:
        """The run's id in lower case, by which it is found."""
        return self.state.id.casefold()

    @property
    def needs_sweep(self) -> bool:
        """Whether the list may not show everything that is wanted of the run."""
        return self.stamp is not None and (
            self.conversation is not None or self.status == "waiting"
        )

    def needs_read(self, now: float) -> bool:
        """Whether the run itself must be read, besides its messages."""
        if self.stamp is None or not self.is_listed or self.status == "waiting":
            return True
        return self.state.is_finished and not self.state.has_ended(now)


def stamp_of(raw: dict[str, Any]) -> Stamp:
    """Return the stamp of a run in the API's JSON."""
    return wire.status(raw["status"]), raw.get("updated_at")

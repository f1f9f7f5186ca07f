"""Events of the runs that are watched."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from .._models.human_requests import HumanRequest
    from .._models.messages import Message
    from .._run.state import RunState

    EventType = Literal["status", "message", "human_request", "finished"]


class RunEvent:
    """A change of one run.

    Attributes:
        type: `status`, `message`, `human_request` or `finished`.
        state: the run.
        message: the message of a `message` event, or None.
        request: the request of a `human_request` event, or None.
    """

    __slots__ = ("message", "request", "state", "type")

    def __init__(
        self,
        type: EventType,
        state: RunState,
        *,
        message: Message | None = None,
        request: HumanRequest | None = None,
    ):
        self.type = type
        self.state = state
        self.message = message
        self.request = request

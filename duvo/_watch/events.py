"""What happens to a run that is watched."""

from __future__ import annotations

from typing import Any, Literal

from attrs import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._models.messages import HumanRequest, Message
    from .._resources.run import Run


@frozen(kw_only=True)
class Event:
    """One thing that happened to a run.

    Attributes:
        type: `status` (it has another one than before, or is seen for the
            first time), `message`, `human_request` (it asks a human), or
            `finished` (it has ended, and nothing more of it follows).
        run: the run, as last read.
        message: for a `message`.
        request: for a `human_request`.
    """

    type: Literal["status", "message", "human_request", "finished"]
    run: Run
    message: Message | None = None
    request: HumanRequest | None = None

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON, with the API's run, message or request in it."""
        told: dict[str, Any] = {"type": self.type, "run": self.run.to_dict()["run"]}
        if self.message is not None:
            told["message"] = self.message.to_dict()
        if self.request is not None:
            told["request"] = self.request.raw
        return told

"""The state of one run."""

from __future__ import annotations

import weakref

from .. import _errors
from .._http import paths
from .._models import times, wire
from .._models.checks import request_context
from .._settings.credentials import checked_id
from .answer import FinalAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from .._models.human_requests import HumanRequest
    from .._models.runs import RunData
    from .._models.types import RunStatus

_IN_LISTS_ONLY = ("agent_name", "title", "run_number", "user_id")

_RESUME_GRACE = 10.0
"""Seconds for which a run that was just resumed may still show its old status."""


class Resumed:
    """A message that was sent to a run: only an end after it counts.

    Args:
        message_at: the message's time on the server, or None if it sent none.
        sent_at: when the message was sent, on the client's clock.
        ended_before: the last known `completed_at` before the message, or None.
    """

    def __init__(self, message_at: datetime | None, sent_at: float, ended_before: object):
        self.message_at = message_at
        self.sent_at = sent_at
        self.ended_before = ended_before


class RunState:
    """What is known of one run. Never sends a request.

    Args:
        response: the API's last response about the run, or None before the first.
        listed: whether the response is an item of a list.
        started_here_at: when this client started the run, on its clock, or None.

    Attributes:
        resumed: the last message that this client sent to the run, or None.
        final_answer: the answer and failure, once the conversation was read.
    """

    def __init__(
        self,
        run_id: str,
        response: dict[str, Any] | None = None,
        *,
        listed: bool = False,
        started_here_at: float | None = None,
    ):
        # As servers send it, even if the user gave it in capitals.
        self.id = run_id.lower() if paths.is_id(checked_id(run_id, "run")) else run_id
        self.listed = listed
        self.started_here_at = started_here_at
        self.resumed: Resumed | None = None
        self.final_answer = FinalAnswer()
        self._response = _as_response(response, listed)
        self._from_list: dict[str, Any] = {}
        self._data: RunData | None = None
        self._request: HumanRequest | None = None
        self._handle: weakref.ref[Any] | None = None

    @property
    def handle(self) -> Any:
        """The user's object for this run, which errors carry; None once it was discarded."""
        return None if self._handle is None else self._handle()

    @handle.setter
    def handle(self, handle: object) -> None:
        self._handle = weakref.ref(handle)

    @property
    def is_loaded(self) -> bool:
        """Whether the run was ever read."""
        return self._response is not None

    @property
    def raw(self) -> dict[str, Any]:
        """The API's last response about the run; for a run of a list, `{"run": item}`."""
        if self._response is None:
            raise _errors.NotLoaded(f"run {self.id} has not been read yet: call .refresh() first")
        return self._response

    @property
    def raw_run(self) -> dict[str, Any]:
        """The run in the last response, as the API sent it."""
        raw: dict[str, Any] = self.raw["run"]
        return raw

    def to_dict(self) -> dict[str, Any]:
        """Return the last response with our words in it."""
        return wire.run_response(self.raw)

    @property
    def data(self) -> RunData:
        """All that was last read."""
        if self._data is None:
            from .._models.build import build
            from .._models.runs import RunData

            raw = self.raw_run
            self._data = build(RunData, {**self._from_list, **wire.run(raw)}, raw)
        return self._data

    @property
    def status(self) -> RunStatus | str:
        """Our word for the status as last read."""
        return wire.status(self.raw_run["status"])

    @property
    def is_finished(self) -> bool:
        """Whether the run had ended when it was last read."""
        return self.status in wire.FINISHED

    def has_ended(self, now: float) -> bool:
        """Whether the run has ended at `now`, and not only before this client resumed it."""
        if not self.is_finished:
            return False
        resumed = self.resumed
        if resumed is None or now - resumed.sent_at > _RESUME_GRACE:
            return True
        ended_at = times.timestamp(self.completed_at)
        if ended_at is None or resumed.message_at is None:
            return self.completed_at != resumed.ended_before
        return ended_at >= resumed.message_at

    @property
    def completed_at(self) -> object:
        """When the run ended, as the API sent it; None if that is not known."""
        return None if self._response is None else self.raw_run.get("completed_at")

    @property
    def pending_request(self) -> HumanRequest | None:
        """The pending human request as last read, or None."""
        raw = wire.pending_request(self.raw)
        if raw is None:
            if self.listed and self.status == "waiting":
                raise _errors.NotLoaded(
                    f"run {self.id} came from a list, which does not include human requests: "
                    "call .refresh() first"
                )
            return None
        if self._request is None:
            from .._models.human_requests import human_request

            self._request = human_request(raw, self.id)
        return self._request

    @property
    def answer(self) -> str | None:
        """The last text of the assistant, or None."""
        self._expect_final_answer("answer")
        return self.final_answer.answer

    @property
    def failure(self) -> str | None:
        """Why the run failed; None unless it did."""
        self._expect_final_answer("failure")
        return self.final_answer.failure if self.status == "failed" else None

    def _expect_final_answer(self, name: str) -> None:
        if not self.final_answer.is_read:
            raise _errors.NotLoaded(
                f"the {name} of run {self.id} has not been read yet: call .wait() first, "
                "which returns at once when the run has ended"
            )

    def update(self, data: Any) -> None:
        """Update the state from a response about this run."""
        path = paths.run(self.id)
        if isinstance(data, dict) and "run" in data and data["run"] is None:
            raise _errors.NotFound(
                f"run {self.id} was not found; check the id; it may also belong to another team",
                method="GET",
                path=path,
                status=404,
            )
        with request_context("GET", path):
            run_id = wire.run_response(data)["run"]["id"]
            if run_id.casefold() != self.id.casefold():
                raise _errors.UnexpectedAnswer(f"the response is about run {run_id}", may_pass=True)
            wire.pending_request(data)
        self._set(data, listed=False)

    def update_from_list(self, item: dict[str, Any]) -> None:
        """Update the state from an item of a list of runs."""
        self._set(item, listed=True)

    def _set(self, response: dict[str, Any], *, listed: bool) -> None:
        if self.listed and self._response is not None:
            self._from_list = {name: self.raw_run.get(name) for name in _IN_LISTS_ONLY}
        self._response = _as_response(response, listed)
        self.listed = listed
        self._data = None
        self._request = None

    def __getstate__(self) -> dict[str, Any]:
        # Times on the clock of this process mean nothing in another process.
        left_out = {"resumed": None, "started_here_at": None, "_handle": None}
        return {**self.__dict__, **left_out}


def _as_response(data: dict[str, Any] | None, listed: bool) -> dict[str, Any] | None:
    return {"run": data} if listed and data is not None else data

"""A run: its data as last read, and its actions."""

from __future__ import annotations

from copy import copy

from .._run import actions
from .._run.state import RunState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from .._flow.perform import Driver
    from .._models.human_requests import HumanRequest, Reply
    from .._models.messages import Message
    from .._models.runs import RunData
    from .._models.types import Answers, OnRequest, RunStatus
    from .messages import Messages


class Run:
    """A run, from `client.runs`.

    Only methods send requests. Attributes show the run as last read; `refresh`
    reads it again. Two objects for the same run are equal.
    """

    def __init__(self, driver: Driver, state: RunState):
        self._driver = driver
        self._state = state
        state.handle = self

    @property
    def id(self) -> str:
        """The run's id."""
        return self._state.id

    @property
    def raw(self) -> dict[str, Any]:
        """The API's last response about this run. For a run from a list, it has only `run`.

        Raises:
            NotLoaded: the run has not been read yet.
        """
        return self._state.raw

    @property
    def data(self) -> RunData:
        """All that was last read, as one frozen object.

        Raises:
            NotLoaded: the run has not been read yet.
        """
        return self._state.data

    @property
    def status(self) -> RunStatus | str:
        """`not_started`, `pending`, `starting`, `running`, `waiting`, `completed`, `failed`,
        `stopped`, or a status newer than this library."""
        return self._state.status

    @property
    def is_finished(self) -> bool:
        """Whether the run had ended when it was last read."""
        return self._state.is_finished

    @property
    def agent_id(self) -> str | None:
        """The agent's id."""
        return self.data.agent_id

    @property
    def agent_name(self) -> str | None:
        """The agent's name; only set in lists."""
        return self.data.agent_name

    @property
    def title(self) -> str | None:
        """The run's title; only set in lists."""
        return self.data.title

    @property
    def run_number(self) -> int | None:
        """The run's number within its agent; only set in lists."""
        return self.data.run_number

    @property
    def source(self) -> str | None:
        """What started the run."""
        return self.data.source

    @property
    def build_id(self) -> str | None:
        """The revision of the agent that the run uses."""
        return self.data.build_id

    @property
    def user_id(self) -> str | None:
        """The user whose run it is; only set in lists."""
        return self.data.user_id

    @property
    def sandbox_id(self) -> str | None:
        """The sandbox that the run was started with."""
        return self.data.sandbox_id

    @property
    def created_at(self) -> datetime | None:
        """When the run was created."""
        return self.data.created_at

    @property
    def started_at(self) -> datetime | None:
        """When the run began to work."""
        return self.data.started_at

    @property
    def completed_at(self) -> datetime | None:
        """When the run ended."""
        return self.data.completed_at

    @property
    def updated_at(self) -> datetime | None:
        """When the run last changed."""
        return self.data.updated_at

    @property
    def pending_request(self) -> HumanRequest | None:
        """The run's pending human request as last read, or None.

        Raises:
            NotLoaded: the run has not been read yet, or came from a list, which does
                not include the human requests of waiting runs.
        """
        return self._state.pending_request

    @property
    def answer(self) -> str | None:
        """The last text of the assistant, or None.

        Raises:
            NotLoaded: the conversation has not been read to the run's end: call
                `wait`, which returns at once if the run has ended.
        """
        return self._state.answer

    @property
    def failure(self) -> str | None:
        """The reason why the run failed, or None if it did not.

        It is the run's error, or else the last error of a tool.

        Raises:
            NotLoaded: the conversation has not been read to the run's end: call
                `wait`, which returns at once if the run has ended.
        """
        return self._state.failure

    def to_dict(self) -> dict[str, Any]:
        """Return the API's last response with our words in it, as `--json` prints it.

        Raises:
            NotLoaded: the run has not been read yet.
        """
        return self._state.to_dict()

    def to_row(self) -> dict[str, Any]:
        """Return the run as a flat row of a table. What has not been read is None.

        `pandas.DataFrame(run.to_row() for run in runs)` is a table of runs.
        """
        from .rows import of_run

        return of_run(self)

    def refresh(self) -> Run:
        """Read the run again, and return this object. Sends `GET /v2/runs/{id}`.

        Raises:
            NotFound: the run does not exist, or belongs to another team.
            DuvoError: the request failed.
        """
        self._driver.run(actions.refresh(self._driver.api, self._state))
        return self

    def wait(
        self,
        timeout: float | None = None,
        on_request: OnRequest = None,
        answers: Answers | None = None,
        check: bool = False,
    ) -> Run:
        """Wait until the run has ended, and return this object, with `answer` and `failure`.

        Polls `GET /v2/runs/{id}`, and reads the last messages at the end. Failed
        reads are repeated for up to five minutes.

        Args:
            timeout: seconds in all; None waits for as long as it takes, 0 looks once.
            on_request: how to handle human requests: a callable that gets the
                request and returns True, False, a dict of answers, or None to
                leave it unanswered; or `"approve"`, `"deny"`, `"raise"` or
                `"leave"`. None leaves it too. An unanswered request is logged
                once at WARNING; waiting continues.
            answers: standing answers to questions, by key.
            check: raise an error if the run did not complete.

        Raises:
            WaitTimeout: time is up, and the run has not ended or cannot be read.
            HumanRequestPending: `on_request` does not answer a human request.
            RunFailed: with `check`: the run failed.
            RunStopped: with `check`: the run was stopped.
            DuvoError: the run cannot be read.
        """
        from .._run import waiting
        from .._run.on_request import Responder

        driver = self._driver
        responder = Responder(on_request, answers, warn=True, may_await=driver.may_await)
        driver.run(waiting.wait_until_finished(driver.api, self._state, timeout, responder))
        if check:
            waiting.check(self._state)
        return self

    def messages(
        self,
        follow: bool = False,
        after: Message | str | None = None,
        *,
        offset: int = 0,
        limit: int | None = None,
        last: int | None = None,
        timeout: float | None = None,
        on_request: OnRequest = None,
        answers: Answers | None = None,
    ) -> Messages:
        """Return the conversation, in order; a pending human request is its last message.

        Reads `GET /v2/runs/{id}/messages` a page at a time, and `GET
        /v2/runs/{id}` for the run's state.

        Args:
            follow: continue with new messages until the run has ended.
            after: begin after this message, or the message with this id.
            offset: begin with the message at this offset, counted from 0.
            limit: maximum number of messages.
            last: begin this many messages before the end.
            timeout: seconds in all; None for no deadline, 0 to look once.
            on_request: as in `wait`, for a follow; None leaves requests to the caller.
            answers: as in `wait`.

        Returns:
            An iterator that can be closed, also from another thread.

        Raises:
            WaitTimeout: while iterating: time is up.
            DuvoError: while iterating: the conversation cannot be read.
        """
        from .messages import Messages

        return Messages(
            self._driver,
            self._state,
            follow=follow,
            after=after,
            offset=offset,
            limit=limit,
            last=last,
            timeout=timeout,
            on_request=on_request,
            answers=answers,
        )

    def show(
        self,
        timeout: float | None = None,
        on_request: OnRequest = None,
        answers: Answers | None = None,
    ) -> None:
        """Follow the run, and show its conversation, until it has ended.

        In a notebook it is one output, updated at most four times a second, with the latest
        100 messages; elsewhere, lines are printed. Reads as `messages(follow=True)` does.
        After Ctrl-C the run is still running, and can be shown again.

        Args:
            timeout: seconds in all; None for no deadline, 0 to look once.
            on_request: as in `wait`; None shows human requests and leaves them.
            answers: as in `wait`.

        Raises:
            WaitTimeout: time is up.
            DuvoError: the conversation cannot be read.
        """
        from .._notebook.live import Live
        from .html import Conversation

        followed = self.messages(
            follow=True, timeout=timeout, on_request=on_request, answers=answers
        )
        shown = Conversation(self)
        with Live(shown) as live:
            for message in followed:
                live.add(shown.add(message))
            live.add(shown.describe())

    def send_message(self, text: str) -> Message:
        """Post a message; a completed, waiting or stopped run resumes with it.

        Sends `POST /v2/runs/{id}/messages`.

        Raises:
            Conflict: the run failed, and does not take messages.
            OutcomeUnknown: the message may or may not have arrived.
            DuvoError: the request failed.
        """
        return self._driver.run(actions.send_message(self._driver.api, self._state, text))

    def respond(
        self,
        approve: bool | None = None,
        answers: Answers | None = None,
        request_id: str | None = None,
    ) -> Reply:
        """Reply to the run's pending human request.

        Reads the run first: a reply that does not fit is not sent. Sends `GET
        /v2/runs/{id}` and `POST /v2/runs/{id}/human-requests/{request}/respond`.

        Args:
            approve: True or False, for an approval; no other value is accepted.
            answers: for questions: answers by the question's id, text, header or
                number.
            request_id: reply only if this is the pending request.

        Raises:
            InvalidReply: no request is pending, or the reply does not fit it.
            OutcomeUnknown: the reply may or may not have arrived.
            DuvoError: the request failed.
        """
        return self._driver.run(
            actions.respond(self._driver.api, self._state, approve, answers, request_id)
        )

    def stop(self) -> Run:
        """Stop the run, read it, and return this object.

        A run that had already ended keeps its status. Sends `POST
        /v2/runs/{id}/stop` and `GET /v2/runs/{id}`.

        Raises:
            Conflict: the server did not stop it, and it is still running.
            DuvoError: a request failed.
        """
        self._driver.run(actions.stop(self._driver.api, self._state))
        return self

    def __repr__(self) -> str:
        status = self.status if self._state.is_loaded else "(not loaded)"
        return f"<Run {self.id} {status}>"

    def _repr_html_(self) -> str:
        from .html import of_run

        return of_run(self)

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, Run) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_state": copy(self._state)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._state.handle = self


def state_of(run: Run) -> RunState:
    """Return the state of a run, for flows."""
    return run._state

"""The handle on one run."""

from __future__ import annotations

from .. import _errors
from .._http import paths
from .._models import wire
from .._models.checks import understanding
from .._run import status
from .._run.answer import Outcome
from .._run.state import RunFacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._client import Client
    from .._http.transport import Transport
    from .._models.messages import Message, Reply
    from .._run.following import Messages
    from .._run.on_request import OnRequest
    from .._run.polling import Reader
    from .._run.replies import Answers


class Run(RunFacts):
    """One run: what was last read of it as attributes, and what can be done with it.

    It is made by `client.runs`. Only methods send requests; attributes show
    what the last one brought, `refresh` brings it up to date. Two handles are
    equal when they are on the same run.
    """

    def __init__(
        self,
        client: Client,
        run_id: str,
        answer: dict[str, Any] | None = None,
        *,
        listed: bool = False,
        started_here_at: float | None = None,
    ):
        super().__init__(run_id, answer, listed=listed)
        self._started_here_at = started_here_at
        self._client = client
        self._resumed: status.Resumed | None = None
        self._outcome = Outcome()

    @property
    def _transport(self) -> Transport:
        return self._client._transport

    @property
    def answer(self) -> str | None:
        """The last text of the assistant, or None when it said none.

        Raises:
            NotLoaded: the conversation was not read to the run's end: call
                `wait`, which returns at once when the run has ended.
        """
        self._expect_conversation("answer")
        return self._outcome.answer

    @property
    def failure(self) -> str | None:
        """Why the run failed: its error message, or else the last tool's error; None unless failed.

        Raises:
            NotLoaded: the conversation was not read to the run's end: call
                `wait`, which returns at once when the run has ended.
        """
        self._expect_conversation("failure")
        return self._outcome.failure if self.status == "failed" else None

    # What can be done

    def refresh(self) -> Run:
        """Read the run again, and return this handle. Sends `GET /v2/runs/{id}`.

        Raises:
            NotFound: there is no such run, or it belongs to another team.
            DuvoError: the request failed.
        """
        answer = self._transport.send("GET", paths.run(self.id))
        self._take(answer.data)
        return self

    def wait(
        self,
        timeout: float | None = None,
        on_request: OnRequest = None,
        answers: Answers | None = None,
        check: bool = False,
    ) -> Run:
        """Wait until the run has ended, and return this handle, with `answer` and `failure`.

        Reads `GET /v2/runs/{id}`, and at the end the last messages. Failed
        reads are tried again for up to five minutes.

        Args:
            timeout: seconds in all; None waits for as long as it takes.
            on_request: what to do when the run asks a human: a callable that
                gets the request and returns True, False, a dict of answers, or
                None to leave it; or `"approve"`, `"deny"`, `"raise"` or
                `"leave"`. None leaves it too. A request that is left is told
                by one WARNING, and waiting goes on.
            answers: standing answers to questions, by key.
            check: raise when the run did not complete.

        Raises:
            WaitTimeout: the time was up; the run goes on.
            HumanRequestPending: nothing here may answer what the run asks.
            RunFailed: it failed, with `check`.
            RunStopped: it was stopped, with `check`.
            DuvoError: the run cannot be read.
        """
        from .._run import waiting

        waiting.wait(self, timeout, on_request, answers)
        if check:
            waiting.check(self)
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
        """The conversation, in order; a pending human request is its last message.

        Reads `GET /v2/runs/{id}/messages` a page at a time, and `GET
        /v2/runs/{id}` for the run's state.

        Args:
            follow: go on with what is new until the run has ended.
            after: a message, or its id: begin behind it.
            offset: begin with the message at this place, counted from 0.
            limit: at most that many messages.
            last: begin with the last so many messages.
            timeout: seconds in all; None for no end.
            on_request: as in `wait`, for follow; None leaves requests to whoever iterates.
            answers: as in `wait`.

        Returns:
            An iterator that can be closed, also from another thread.

        Raises:
            WaitTimeout: while iterating: the time was up; the run goes on.
            DuvoError: while iterating: the conversation cannot be read.
        """
        from .._run.following import Messages

        return Messages(
            self,
            follow=follow,
            after=after,
            offset=offset,
            limit=limit,
            last=last,
            timeout=timeout,
            on_request=on_request,
            answers=answers,
        )

    def send_message(self, text: str) -> Message:
        """Post a message; a completed, waiting or stopped run goes on with it.

        Sends `POST /v2/runs/{id}/messages`.

        Raises:
            Conflict: the run takes no messages (it failed).
            OutcomeUnknown: whether the message arrived is not known.
            DuvoError: the request failed.
        """
        from .._models import messages

        path = paths.messages(self.id)
        find_out = f"`duvo runs messages {self.id}` shows whether it arrived"
        ended_before = self._completed_at_on_the_wire()
        answer = self._transport.send("POST", path, body={"message": text}, find_out=find_out)
        self._resumed = status.Resumed(None, self._transport.clock.now(), ended_before)
        self._outcome.is_read = False
        with understanding("POST", path, find_out):
            raw = wire.expect_dict(answer.data, "the top").get("message")
            raw = wire.expect_dict(raw, "message")
            message = messages.message(wire.message(raw), raw, self.id)
        self._resumed.message_at = message.timestamp
        return message

    def respond(
        self,
        approve: bool | None = None,
        answers: Answers | None = None,
        request_id: str | None = None,
    ) -> Reply:
        """Reply to what the run asks a human for.

        Reads the run first: a reply that does not fit is not sent. Sends `GET
        /v2/runs/{id}` and `POST /v2/runs/{id}/human-requests/{request}/respond`.

        Args:
            approve: True or False, for an approval.
            answers: for questions: text by the question's id, text, header or number.
            request_id: only if this is the request that is pending.

        Raises:
            InvalidReply: nothing is pending, or the reply does not fit it.
            OutcomeUnknown: whether the reply arrived is not known.
            DuvoError: the request failed.
        """
        from .._run import replies

        request = self.refresh().pending_request
        if request is None:
            raise _errors.InvalidReply(
                f"run {self.id} has nothing pending (it is {self.status}); nothing was sent"
            )
        if request_id is not None and request_id != request.id:
            raise _errors.InvalidReply(
                f"run {self.id} has no pending request {request_id}; pending is {request.id}: "
                f"{replies.described(request)}; nothing was sent",
                request=request,
            )
        return self._send_reply(request.id, replies.body(request, approve, answers))

    def stop(self) -> Run:
        """Stop the run, and return this handle, read anew: see its `status`.

        A run that had ended before stays as it ended. Sends `POST
        /v2/runs/{id}/stop` and `GET /v2/runs/{id}`.

        Raises:
            Conflict: the server would not stop it, and it goes on.
            DuvoError: a request failed.
        """
        # Stopping twice is stopping once, so it may be sent again.
        answer = self._transport.send("POST", paths.stop(self.id), repeatable=True)
        self.refresh()
        said = answer.data if isinstance(answer.data, dict) else {}
        if not self.is_finished and said.get("success") is False:
            raise _errors.Conflict(
                f"run {self.id} was not stopped, it is {self.status}: "
                f"{said.get('message') or 'the server tells no reason'}",
                status=409,
            )
        return self

    # What a wait or a follow does

    @property
    def _has_ended(self) -> bool:
        """Whether it ended, and not merely before it was resumed from here."""
        now = self._transport.clock.now()
        return status.has_ended(wire.run(self._raw_run), self._resumed, now)

    def _read(self, reader: Reader, *, hold: bool = False, seen_request: str | None = None) -> None:
        params = []
        if hold:
            seconds = reader.deadline.left(self._transport.long_poll)
            params.append(("wait", f"{seconds:.1f}"))
            if seen_request is not None:
                params.append(("seen_request", seen_request))
        reader.read(lambda: self._read_once(reader, params))

    def _read_once(self, reader: Reader, params: Sequence[tuple[str, str]] = ()) -> None:
        self._take(reader.send(paths.run(self.id), list(params)).data)

    def _send_reply(
        self, request_id: str, body: dict[str, Any], reader: Reader | None = None
    ) -> Reply:
        from .._models import messages
        from .._models.build import build

        path = paths.reply(self.id, request_id)
        find_out = f"`duvo runs get {self.id}` shows whether the request is still pending"
        answer = self._transport.send(
            "POST",
            path,
            body=body,
            find_out=find_out,
            retries=None if reader is None else 0,
            deadline=None if reader is None else reader.deadline,
        )
        with understanding("POST", path, find_out):
            raw = wire.expect_dict(answer.data, "the top").get("human_request")
            raw = wire.expect_dict(raw, "human_request")
            fields = {name: value for name, value in raw.items() if value is not None}
            return build(messages.Reply, fields, raw)

    def _completed_at_on_the_wire(self) -> object:
        if self._answer is None:
            return None
        return self._raw_run.get("completed_at")

    def _expect_conversation(self, name: str) -> None:
        if not self._outcome.is_read:
            raise _errors.NotLoaded(
                f"the {name} of run {self.id} has not been read yet: call .wait() first, "
                "which returns at once when the run has ended"
            )

    def __getstate__(self) -> dict[str, Any]:
        # Both are moments on the clock of this process.
        return {**self.__dict__, "_resumed": None, "_started_here_at": None}

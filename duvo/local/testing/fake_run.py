"""A run for an agent's function that is tested without a server."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs

from .._store.entries import Entry
from ..context import RunContext, noted
from ..errors import CallOrderError
from ..messages import Message

__tracebackhide__ = True  # pytest shows the author's code alone


class FakeRun(RunContext):
    """A run that needs no server: pass it to an agent, then check what it recorded.

        run = FakeRun(message="chairs", answers={"How many?": "2"}, tools={"order": {"id": 7}})
        await buyer(run)
        assert run.said == ["Ordered: 7"]

    Its calls behave as on the engine, but never wait: replies come from the arguments
    below, and a sleep ends at once and moves `now`.

    Args:
        message: the message that started the turn.
        answers: the answers to questions, by text or header; a list answers a
            question that is asked several times.
        approvals: the replies to approvals, each True or False: one for all, one for
            each title, or a list in the order in which they are asked.
        tools: by name, a tool's result, an exception to raise, or a function to call
            in its place. Other tools are called as usual.
        inbox: the messages that the first call of `run.inbox` returns.
        conversation: the messages before this turn.
        turn: the number of the turn.

    Attributes:
        said: the texts of `run.say`.
        thoughts: the texts of `run.think`.
        asked: the questions' texts and the approvals' titles.
        called: the names and arguments of tools.
        slept: the seconds of each sleep.

    Raises:
        TypeError: a reply has the wrong type.
    """

    _has_end = False

    def __init__(
        self,
        message: str | None = None,
        *,
        answers: Mapping[str, str | Sequence[str]] | None = None,
        approvals: bool | Sequence[bool] | Mapping[str, bool] | None = None,
        tools: Mapping[str, Any] | None = None,
        inbox: Sequence[str] = (),
        conversation: Sequence[Message] = (),
        turn: int = 1,
    ):
        played = _Played(_Replies(answers or {}, approvals), list(inbox))
        super().__init__(played, str(uuid.uuid4()), turn, _Start(message, conversation))
        self._played = played
        self._tools = {name: _stand_in(tool) for name, tool in (tools or {}).items()}
        self.said = played.said
        self.thoughts = played.thoughts
        self.asked = played.asked
        self.called = played.called
        self.slept: list[float] = []

    def __repr__(self) -> str:
        return f"<FakeRun said={self.said!r} asked={self.asked!r} called={self.called!r}>"

    async def play(self, function: Callable[[RunContext], Awaitable[object]]) -> object:
        """Call an agent's function, and check its end as the engine does.

        An agent that is called with this run does so itself.
        """
        if self._has_end:  # one agent calls another
            return await function(self)
        self._has_end = True
        try:
            returned = await function(self)
            self._played.check()
            self.end()
        finally:
            self._has_end = False
            self._made = []
        return returned

    @noted
    async def sleep(self, seconds: float) -> None:
        """Return at once; `now` has moved by the seconds."""
        await super().sleep(seconds)
        self.slept.append(max(0.0, float(seconds)))

    @noted
    async def tool(
        self, name: str, arguments: Mapping[str, Any], function: Callable[..., Any]
    ) -> Any:
        """Call the tool, or the function that stands in for it."""
        return await super().tool(name, arguments, self._tools.get(name, function))


@attrs.frozen
class _Start:
    message: str | None
    conversation: Sequence[Message]
    op: int = 0


class _Replies:
    """The replies to an agent's human requests."""

    def __init__(
        self,
        answers: Mapping[str, str | Sequence[str]],
        approvals: bool | Sequence[bool] | Mapping[str, bool] | None,
    ):
        self._answers = {
            question: answer if isinstance(answer, str) else deque(_texts(question, answer))
            for question, answer in answers.items()
        }
        self._approvals = _approvals(approvals)

    def approval(self, title: str) -> bool:
        found = self._approvals
        if isinstance(found, Mapping):
            found = found.get(title)
        elif isinstance(found, deque):
            found = found.popleft() if found else None
        if found is None:
            raise AssertionError(
                f"the agent asks for approval of {title!r}, and FakeRun has no reply: "
                f"pass approvals=True, or {{title: True}}, or a list of as many as are asked"
            )
        return found

    def answer(self, question: str, header: str | None) -> str:
        found = self._answers.get(question)
        if found is None and header is not None:
            found = self._answers.get(header)
        if isinstance(found, deque):
            found = found.popleft() if found else None
        if found is None:
            raise AssertionError(
                f"the agent asks {question!r}, and FakeRun has no answer: "
                f"pass answers={{{question!r}: …}}"
            )
        return found


class _Played:
    """The `Turn` of the fake run."""

    def __init__(self, replies: _Replies, inbox: list[str]):
        self.said: list[str] = []
        self.thoughts: list[str] = []
        self.asked: list[str] = []
        self.called: list[tuple[str, dict[str, Any]]] = []
        self._time = time.time()
        self._replies = replies
        self._inbox = inbox
        self._reply: dict[str, Any] = {}
        self._error: Exception | None = None

    async def append(self, op: int, entry: Entry) -> None:
        await self._begin_call()
        if entry.type == "text":
            self.said.append(entry.text or "")
        elif entry.type == "thinking":
            self.thoughts.append(entry.text or "")
        elif entry.type == "tool_call":
            assert entry.data is not None
            self.called.append((entry.data["name"], entry.data["arguments"]))

    async def open_request(
        self, op: int, entry: Entry, request_id: str, spec: dict[str, Any]
    ) -> None:
        await self._begin_call()
        try:
            self._reply = self._reply_to(spec)
        except AssertionError as error:
            self._error = error
            raise

    def _reply_to(self, spec: dict[str, Any]) -> dict[str, Any]:
        if spec["type"] == "approval":
            self.asked.append(spec["title"])
            return {"approved": self._replies.approval(spec["title"])}
        questions = {asked["question"]: asked.get("header") for asked in spec["questions"]}
        self.asked += questions
        return {
            "answers": {
                text: self._replies.answer(text, header) for text, header in questions.items()
            }
        }

    async def wait_for_reply(self, request_id: str) -> str:
        return json.dumps(self._reply)

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        await self._begin_call()
        return json.loads(json.dumps(await function()))

    def may_start_tool(self) -> bool:
        return True

    async def hold_failure(self) -> None: ...

    def now(self) -> float:
        return self._time

    async def sleep_until(self, moment: float) -> None:
        self._time = moment

    async def read_inbox(self) -> list[str]:
        await self._begin_call()
        texts, self._inbox = self._inbox, []
        return texts

    def progress(self) -> None: ...

    def fail_with(self, error: CallOrderError) -> None:
        self._error = error

    async def _begin_call(self) -> None:
        # As on the engine: other tasks run during a call, and no `except` of the agent hides an
        # error from the next call.
        await asyncio.sleep(0)
        self.check()

    def check(self) -> None:
        """Raise the error of an earlier call."""
        if self._error is not None:
            raise self._error


def _approvals(replies: Any) -> bool | deque[bool] | Mapping[str, bool] | None:
    if replies is None or isinstance(replies, bool):
        return replies
    if isinstance(replies, (Mapping, Sequence)) and not isinstance(replies, (str, bytes)):
        for reply in replies.values() if isinstance(replies, Mapping) else replies:
            if not isinstance(reply, bool):
                raise TypeError(f"a reply to an approval is True or False, not {reply!r}")
        return replies if isinstance(replies, Mapping) else deque(replies)
    raise TypeError(
        f"approvals is True, False, a list of these, or a dict of these by title; not {replies!r}"
    )


def _texts(question: str, answers: Any) -> list[str]:
    if isinstance(answers, Sequence) and all(isinstance(answer, str) for answer in answers):
        return list(answers)
    raise TypeError(f"an answer is text, or a list of texts; that to {question!r} is {answers!r}")


def _stand_in(tool: Any) -> Callable[..., Any]:
    if callable(tool) and not isinstance(tool, type):
        function: Callable[..., Any] = tool
        return function

    async def call(**arguments: Any) -> Any:
        if isinstance(tool, BaseException) or (
            isinstance(tool, type) and issubclass(tool, BaseException)
        ):
            raise tool
        return tool

    return call

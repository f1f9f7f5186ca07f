"""What an agent author gets: the run, as seen from inside one of its turns."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Protocol

import attrs

from . import _tool_calls
from ._store import entries
from ._text import storable
from .errors import CallOrderError, ToolFailed
from .questions import Option, Question


@attrs.frozen
class Message:
    """An earlier message of the conversation, as an agent sees it.

    Attributes:
        role: `user`, `assistant` or `system`.
        type: `text`, `thinking`, `tool_call`, `tool_result` or a session event.
        text: the words, or "" where it has none.
        data: the tool call or its result, or None.
    """

    role: str
    type: str
    text: str
    data: Mapping[str, Any] | None = None


class Turn(Protocol):
    """What carries a turn out; the engine's side of a `RunContext`."""

    async def append(self, op: int, entry: entries.Entry) -> None:
        """Append to the conversation, once for each `op`."""

    async def open_request(
        self, op: int, entry: entries.Entry, request_id: str, spec: dict[str, Any]
    ) -> None:
        """Append the entry and make the run wait for a human, once for each `op`."""

    async def reply_to(self, request_id: str) -> str:
        """Return what a human replied, as JSON text, when it has come."""

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        """Call the function, record what it returns as JSON, and on recovery return that."""

    def may_begin(self) -> bool:
        """Whether nobody else can carry this turn out at this moment; from any thread."""

    async def read_inbox(self) -> list[str]:
        """Return the texts posted since this was last called."""

    async def sleep_until(self, moment: float) -> None:
        """Return at that Unix time, in seconds."""

    def unix_time(self) -> float:
        """The time in seconds; not the same again on recovery."""

    def give_up(self, error: CallOrderError) -> None:
        """Let the turn fail with this, whatever the agent's function does next."""


class RunContext:
    """The run, inside an agent's function.

    Every method is awaited, one at a time. A run outlives its server: after a
    crash the function is called again from its top, and what it had done
    before is not done again but answered from the record. So between two
    calls of `run` the code must do the same each time: take the time, chance
    and ids from `now`, `random` and `uuid`, and let everything that touches
    the world be a `tool`.

    Attributes:
        id: the run's id.
        turn: 1, and one more for each time that the run was resumed.
        message: the message that began this turn, or None.
        conversation: the messages before this turn.
    """

    def __init__(
        self,
        turn: Turn,
        *,
        run_id: str,
        number: int,
        message: str | None,
        conversation: Sequence[Message],
        first_op: int,
    ):
        self.id = run_id
        self.turn = number
        self.message = message
        self.conversation = list(conversation)
        self._turn = turn
        self._op = first_op
        self._open: str | None = None

    def __repr__(self) -> str:
        return f"<RunContext {self.id} turn {self.turn}>"

    async def say(self, text: str) -> None:
        """Append words of the agent to the conversation."""
        with self._call("say"):
            await self._turn.append(self._next_op(), entries.assistant_text(storable(text)))

    async def think(self, text: str) -> None:
        """Append thinking of the agent to the conversation."""
        with self._call("think"):
            await self._turn.append(self._next_op(), entries.thinking(storable(text)))

    async def tool(
        self,
        name: str,
        arguments: Mapping[str, Any],
        function: Callable[..., Any],
    ) -> Any:
        """Call a function that touches the world, and record what it returned.

        A recorded call is never made again. One that was cut off before its
        end was recorded is made again on recovery, with the same idempotency
        key; a function with a parameter `idempotency_key` is given it.

        Args:
            name: how the call shows in the conversation.
            arguments: the keywords that the function is called with; JSON.
            function: async, or sync and then called in a thread of its own.

        Returns:
            What the function returned, as JSON gives it back (a tuple comes
            as a list).

        Raises:
            ToolFailed: the function raised, or returned what is no JSON.
            TypeError: the arguments are no JSON object.
        """
        with self._call("tool"):
            name = storable(name)
            shown = _tool_calls.json_object(arguments)
            op = self._next_op()
            call_id = self._id_of(op)
            await self._turn.append(op, entries.tool_call(call_id, name, shown))
            key = f"{self.id}/{op}"

            async def call() -> dict[str, Any]:
                return await _tool_calls.outcome(function, arguments, key, self._turn.may_begin)

            outcome = await self._turn.step(f"tool {name}", call)
            result = entries.tool_result(call_id, **outcome)
            await self._turn.append(self._next_op(), result)
            if "error" in outcome:
                raise ToolFailed(name, outcome["error"])
            return outcome["result"]

    async def approval(self, title: str, description: str | None = None) -> bool:
        """Ask a human to approve something, and wait for as long as it takes.

        Args:
            title: one line: what is to be approved.
            description: what the human should know to decide.

        Returns:
            Whether it was approved.
        """
        with self._call("approval"):
            spec = {"type": "approval", "title": storable(title), "description": description}
            shown = {"title": spec["title"]}
            if description is not None:
                spec["description"] = shown["description"] = storable(description)
            reply = await self._request("request_approval", shown, spec)
            return bool(reply["approved"])

    async def ask(
        self,
        question: str | Question,
        *more: str | Question,
        options: Sequence[str | Option] | None = None,
        header: str | None = None,
        multi_select: bool = False,
        description: str | None = None,
    ) -> dict[str, str]:
        """Ask a human one or several questions, and wait for as long as it takes.

            answers = await run.ask("Which cost centre?", options=["A", "B"])
            answers = await run.ask(Question("Which year?", header="Year"), "And why?")

        Args:
            question: the question, as text or as a `Question`.
            more: further ones, of the same request.
            options: ready-made answers of a question that is given as text.
            header: a word or two that stand for it.
            multi_select: whether several of its options may be chosen.
            description: what the human should know to answer.

        Returns:
            The answers by the questions' texts.

        Raises:
            ValueError: two questions have the same text.
            TypeError: options were given beside a `Question` or several questions.
        """
        about_one = options is not None or header is not None or multi_select
        if about_one and (more or isinstance(question, Question)):
            raise TypeError(
                "options, header and multi_select belong to one question that is given as text; "
                "use Question(text, options=…) for each of several"
            )
        first = (
            question
            if isinstance(question, Question)
            else Question(question, options=options, header=header, multi_select=multi_select)
        )
        questions = [first, *(q if isinstance(q, Question) else Question(q) for q in more)]
        texts = [storable(one.text) for one in questions]
        if len(set(texts)) < len(texts):
            raise ValueError("two questions of one request have the same text")
        with self._call("ask"):
            shapes = [one.to_dict() for one in questions]
            spec = {
                "type": "question",
                "title": texts[0] if len(texts) == 1 else f"{len(texts)} questions",
                "description": None if description is None else storable(description),
                "questions": shapes,
            }
            shown: dict[str, Any] = {"title": spec["title"], "questions": shapes}
            if description is not None:
                shown["description"] = spec["description"]
            reply = await self._request("ask_question", shown, spec)
            return dict(reply["answers"])

    async def inbox(self) -> list[str]:
        """The messages posted to the run since this was last called, oldest first."""
        with self._call("inbox"):
            return await self._turn.read_inbox()

    async def sleep(self, seconds: float) -> None:
        """Wait; after a crash, only for what was left."""
        with self._call("sleep"):
            wake = await self._turn.step("sleep", self._computed(lambda: self._in(seconds)))
            await self._turn.sleep_until(wake)

    async def now(self) -> datetime:
        """The time, in UTC; the same again on recovery."""
        with self._call("now"):
            seconds = await self._turn.step("now", self._computed(self._turn.unix_time))
            return datetime.fromtimestamp(seconds, timezone.utc)

    async def random(self) -> float:
        """A random number from 0 to 1; the same again on recovery."""
        with self._call("random"):
            return float(await self._turn.step("random", self._computed(_tool_calls.random_number)))

    async def uuid(self) -> uuid.UUID:
        """A random UUID; the same again on recovery."""
        with self._call("uuid"):
            text = await self._turn.step("uuid", self._computed(lambda: str(uuid.uuid4())))
            return uuid.UUID(text)

    async def _request(
        self, name: str, shown: dict[str, Any], spec: dict[str, Any]
    ) -> dict[str, Any]:
        op = self._next_op()
        request_id = self._id_of(op)
        call = entries.tool_call(request_id, name, _tool_calls.json_object(shown))
        await self._turn.open_request(op, call, request_id, spec)
        reply = json.loads(await self._turn.reply_to(request_id))
        assert isinstance(reply, dict)
        return reply

    def end(self) -> int:
        """Count the end of the turn, after the agent's function; for the engine alone.

        Raises:
            CallOrderError: the function left a call open.
        """
        if self._open is not None:
            raise CallOrderError(f"run.{self._open}() was not awaited to its end")
        return self._next_op()

    def _next_op(self) -> int:
        self._op += 1
        return self._op

    def _id_of(self, op: int) -> str:
        return str(uuid.uuid5(uuid.UUID(self.id), str(op)))

    def _in(self, seconds: float) -> float:
        return self._turn.unix_time() + max(0.0, float(seconds))

    @staticmethod
    def _computed(function: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
        async def compute() -> Any:
            return function()

        return compute

    @contextlib.contextmanager
    def _call(self, name: str) -> Iterator[None]:
        # The record tells calls apart by their order, which must not depend on timing.
        if self._open is not None:
            raise CallOrderError(
                f"run.{name}() was called while run.{self._open}() is open; "
                f"await each call of `run` before the next (no gather, no tasks)"
            )
        self._open = name
        try:
            yield
        except asyncio.CancelledError:
            # Whether a time runs out differs from one time to the next; the record does not.
            self._turn.give_up(
                CallOrderError(
                    f"run.{name}() was given up before its end; call it without a time limit "
                    "of your own"
                )
            )
            raise
        finally:
            self._open = None

"""The run, as an agent's function sees it from inside one of its turns."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import json
import math
import random
import sys
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from . import _tool_calls
from ._store import entries
from ._text import storable
from ._tool_calls import J
from .errors import CallOrderError, ToolFailed
from .messages import Message
from .questions import Option, Question

__tracebackhide__ = True  # pytest shows the author's code alone

P = ParamSpec("P")
R = TypeVar("R", bound="RunContext")
T = TypeVar("T")


class Start(Protocol):
    """What a turn starts from; `op` is the number of its first operation."""

    @property
    def message(self) -> str | None: ...
    @property
    def conversation(self) -> Sequence[Message]: ...
    @property
    def op(self) -> int: ...


class Turn(Protocol):
    """The engine's side of a `RunContext`: appends each `op` once, records each step once.

    A failure that `hold_failure` does not return from is not recorded. `progress`
    notes that the agent waits: a turn that came this far does not kill its server.
    """

    async def append(self, op: int, entry: entries.Entry) -> None: ...
    async def open_request(
        self, op: int, entry: entries.Entry, request_id: str, spec: dict[str, Any]
    ) -> None: ...
    async def wait_for_reply(self, request_id: str) -> str: ...
    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any: ...
    def may_start_tool(self) -> bool: ...
    async def hold_failure(self) -> None: ...
    def now(self) -> float: ...
    async def sleep_until(self, moment: float) -> None: ...
    async def read_inbox(self) -> list[str]: ...
    def progress(self) -> None: ...
    def fail_with(self, error: CallOrderError) -> None: ...


def noted(
    method: Callable[Concatenate[R, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[R, P], Coroutine[Any, Any, T]]:
    """Let the end of the turn find calls of the method that were never awaited."""

    def call(self: R, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        made = method(self, *args, **kwargs)
        if not self._has_end:
            return made
        caller = sys._getframe(1)
        place = f"{Path(caller.f_code.co_filename).name}:{caller.f_lineno}"
        self._made = [*self._not_begun(), (method.__name__, made, place)]
        return made

    functools.update_wrapper(call, method)
    return call


def _noted_overloads(method: Any) -> Any:
    # mypy does not find the arguments of overloads among those of a ParamSpec.
    return noted(method)


class RunContext:
    """The run, inside an agent's function.

    Await its methods one at a time. A run outlives its server: after a crash
    the function is called again from the top, and each call of `run` that had
    completed returns its recorded result without being repeated. The code
    between these calls must therefore do the same every time: take the time,
    random numbers and ids from `now`, `random` and `uuid`, and put everything
    that touches the outside world into a `tool`.

    Attributes:
        id: the run's id.
        turn: 1 for the first turn; each resumption adds 1.
        message: the message that started this turn, or None.
        conversation: the messages before this turn.
    """

    # Whether `end` is called; otherwise Python warns of a call that is not awaited.
    _has_end = True

    def __init__(self, turn: Turn, run_id: str, number: int, start: Start):
        self.id = run_id
        self.turn = number
        self.message = start.message
        self.conversation = list(start.conversation)
        self._turn = turn
        self._op = start.op
        self._open_call: str | None = None
        # Calls by name, and where they were made; those that have begun are forgotten at the next.
        self._made: list[tuple[str, Coroutine[Any, Any, Any], str]] = []

    def __repr__(self) -> str:
        return f"<RunContext {self.id} turn {self.turn}>"

    @noted
    async def say(self, text: str) -> None:
        """Append a text of the agent to the conversation."""
        with self._call("say"):
            await self._turn.append(self._next_op(), entries.assistant_text(storable(text)))

    @noted
    async def think(self, text: str) -> None:
        """Append the agent's thinking to the conversation."""
        with self._call("think"):
            await self._turn.append(self._next_op(), entries.thinking(storable(text)))

    @overload
    async def tool(
        self,
        name: str,
        arguments: Mapping[str, Any],
        function: Callable[..., Awaitable[tuple[Any, ...] | Enum]],
    ) -> Any: ...
    @overload
    async def tool(
        self,
        name: str,
        arguments: Mapping[str, Any],
        function: Callable[..., tuple[Any, ...] | Enum],
    ) -> Any: ...
    @overload
    async def tool(
        self, name: str, arguments: Mapping[str, Any], function: Callable[..., Awaitable[J]]
    ) -> J: ...
    @overload
    async def tool(
        self, name: str, arguments: Mapping[str, Any], function: Callable[..., J]
    ) -> J: ...
    @overload
    async def tool(
        self, name: str, arguments: Mapping[str, Any], function: Callable[..., Any]
    ) -> Any: ...
    @_noted_overloads
    async def tool(
        self,
        name: str,
        arguments: Mapping[str, Any],
        function: Callable[..., Any],
    ) -> Any:
        """Call a function that touches the outside world, and record its result.

        A recorded call is never repeated. A call that was interrupted before
        its result was recorded is repeated on recovery, with the same
        idempotency key; the function receives it if it has a parameter
        `idempotency_key`.

        Args:
            name: the tool's name in the conversation.
            arguments: the function's keyword arguments; JSON.
            function: async, or sync and then called in its own thread.

        Returns:
            The function's result, as JSON gives it back (a tuple becomes a list).

        Raises:
            ToolFailed: the function raised, or its result is not JSON.
            TypeError: the arguments are not a JSON object.
        """
        with self._call("tool"):
            name = storable(name)
            shown = _tool_calls.json_object(arguments)
            op = self._next_op()
            call_id = self._id_of(op)
            await self._turn.append(op, entries.tool_call(call_id, name, shown))
            key, may_start = f"{self.id}/{op}", self._turn.may_start_tool
            errors: list[BaseException] = []

            async def call() -> dict[str, Any]:
                done = await _tool_calls.call_tool(
                    function, arguments, key, may_start, errors.append
                )
                if "error" in done:
                    await self._turn.hold_failure()
                return done

            result = await self._turn.step(f"tool {name}", call)
            await self._turn.append(self._next_op(), entries.tool_result(call_id, **result))
            if "error" in result:
                # The exception itself is known only where the tool was just called.
                raise ToolFailed(name, result["error"]) from (errors[-1] if errors else None)
            return result["result"]

    @noted
    async def approval(self, title: str, description: str | None = None) -> bool:
        """Ask a human for approval; wait as long as it takes.

        Args:
            title: one line: what is to be approved.
            description: what the human needs to know to decide.

        Returns:
            Whether it was approved.
        """
        with self._call("approval"):
            spec = {"type": "approval", "title": storable(title)}
            reply = await self._ask_human("request_approval", spec, description)
            return bool(reply["approved"])

    @noted
    async def ask(
        self,
        question: str | Question,
        *more: str | Question,
        options: Sequence[str | Option] | None = None,
        header: str | None = None,
        multi_select: bool = False,
        description: str | None = None,
    ) -> dict[str, str]:
        """Ask a human one or more questions; wait as long as it takes.

            answers = await run.ask("Which cost centre?", options=["A", "B"])
            answers = await run.ask(Question("Which year?", header="Year"), "And why?")

        Args:
            question: the question, as text or as a `Question`.
            more: further questions of the same request.
            options: suggested answers to a single question given as text.
            header: one or two words that label that question.
            multi_select: whether several of its options may be chosen.
            description: what the human needs to know to answer.

        Returns:
            The answers, keyed by the questions' texts.

        Raises:
            ValueError: two questions have the same text.
            TypeError: options were given with a `Question` or with several questions.
        """
        has_options = options is not None or header is not None or multi_select
        if has_options and (more or isinstance(question, Question)):
            raise TypeError(
                "options, header and multi_select belong to one question that is given as text; "
                "use Question(text, options=…) for each of several"
            )
        if not isinstance(question, Question):
            question = Question(question, options=options, header=header, multi_select=multi_select)
        questions = [question, *(q if isinstance(q, Question) else Question(q) for q in more)]
        if len({q.text for q in questions}) < len(questions):
            raise ValueError("two questions of one request have the same text")
        with self._call("ask"):
            title = question.text if not more else f"{len(questions)} questions"
            shapes = [q.to_dict() for q in questions]
            spec = {"type": "question", "title": title, "questions": shapes}
            reply = await self._ask_human("ask_question", spec, description)
            return dict(reply["answers"])

    @noted
    async def inbox(self) -> list[str]:
        """Return the messages posted to the run since the last call, oldest first."""
        with self._call("inbox"):
            return await self._turn.read_inbox()

    @noted
    async def sleep(self, seconds: float) -> None:
        """Sleep; after a crash, only for the time that was left.

        The moment of waking is a time of day: it stays the same if the machine
        is suspended meanwhile, or its clock is set.

        Raises:
            TypeError: the argument is not a finite number.
        """
        with self._call("sleep"):
            now, seconds = self._turn.now, _checked_seconds(seconds)
            wake = await self._record("sleep", lambda: now() + max(0.0, seconds))
            if wake > now():
                self._turn.progress()
                await self._turn.sleep_until(wake)

    @noted
    async def now(self) -> datetime:
        """Return the time, in UTC; the same again on recovery."""
        with self._call("now"):
            seconds = await self._record("now", self._turn.now)
            return datetime.fromtimestamp(seconds, timezone.utc)

    @noted
    async def random(self) -> float:
        """Return a random number from 0 to 1; the same again on recovery."""
        with self._call("random"):
            # Unaffected by an agent's `random.seed`.
            return float(await self._record("random", random.SystemRandom().random))

    @noted
    async def uuid(self) -> uuid.UUID:
        """Return a random UUID; the same again on recovery."""
        with self._call("uuid"):
            return uuid.UUID(await self._record("uuid", lambda: str(uuid.uuid4())))

    def end(self) -> int:
        """Return the op of the turn's end, after the agent's function; for the engine alone."""
        if self._open_call is not None:
            raise CallOrderError(f"run.{self._open_call}() was not awaited to its end")
        not_begun = self._not_begun()
        for _, made, _ in not_begun:
            # Closed, so that Python does not warn of them too.
            made.close()
        if not_begun:
            name, _, place = not_begun[0]
            raise CallOrderError(
                f"run.{name}() was not awaited ({place}); write `await run.{name}(…)`"
            )
        return self._next_op()

    def _not_begun(self) -> list[tuple[str, Coroutine[Any, Any, Any], str]]:
        return [made for made in self._made if inspect.getcoroutinestate(made[1]) == "CORO_CREATED"]

    async def _record(self, name: str, function: Callable[[], Any]) -> Any:
        async def call() -> Any:
            return function()

        return await self._turn.step(name, call)

    async def _ask_human(
        self, name: str, spec: dict[str, Any], description: str | None
    ) -> dict[str, Any]:
        shown = {key: value for key, value in spec.items() if key != "type"}
        if description is not None:
            shown["description"] = description = storable(description)
        op = self._next_op()
        request_id = self._id_of(op)
        call = entries.tool_call(request_id, name, _tool_calls.json_object(shown))
        await self._turn.open_request(op, call, request_id, spec | {"description": description})
        reply: dict[str, Any] = json.loads(await self._turn.wait_for_reply(request_id))
        return reply

    def _next_op(self) -> int:
        self._op += 1
        return self._op

    def _id_of(self, op: int) -> str:
        return str(uuid.uuid5(uuid.UUID(self.id), str(op)))

    @contextlib.contextmanager
    def _call(self, name: str) -> Iterator[None]:
        # Recorded calls are matched by their order, which must not depend on timing.
        if self._open_call is not None:
            raise CallOrderError(
                f"run.{name}() was called while run.{self._open_call}() is open; "
                f"await each call of `run` before the next (no gather, no tasks)"
            )
        self._open_call = name
        try:
            yield
        except asyncio.CancelledError:
            # A timeout may expire in one execution and not in the next.
            self._turn.fail_with(
                CallOrderError(
                    f"run.{name}() was cancelled before it returned; call it without a timeout"
                )
            )
            raise
        finally:
            self._open_call = None


def _checked_seconds(seconds: Any) -> float:
    with contextlib.suppress(OverflowError):
        if hasattr(type(seconds), "__float__") and math.isfinite(seconds):
            return float(seconds)
    raise TypeError(f"run.sleep() takes a number of seconds, not {seconds!r:.80}")

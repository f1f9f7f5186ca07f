"""Types that programs name: statuses, and arguments that handle human requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from .human_requests import HumanRequest

RunStatus: TypeAlias = Literal[
    "not_started", "pending", "starting", "running", "waiting", "completed", "failed", "stopped"
]
"""The statuses of a run that this library knows; a newer server may send others."""

AnswerText: TypeAlias = str | Sequence[str]
"""The answer to one question; several choices where it allows them."""

Answers: TypeAlias = Mapping[str, AnswerText] | Sequence[str]
"""Answers by a question's id, text, header or number, or texts `KEY=ANSWER`."""

Decision: TypeAlias = bool | Mapping[str, AnswerText] | None
"""What a callable decides about a human request; None leaves it unanswered."""

_Word: TypeAlias = Literal["approve", "deny", "raise", "leave"]

OnRequest: TypeAlias = _Word | Callable[[HumanRequest], Decision] | None
"""How `Client` handles human requests: a word, or a callable that decides."""

AsyncOnRequest: TypeAlias = _Word | Callable[[HumanRequest], Decision | Awaitable[Decision]] | None
"""How `AsyncClient` handles human requests; the callable may be a coroutine function."""

"""What to do when a run asks a human while somebody waits for it."""

from __future__ import annotations

import logging

from . import _replies
from ._errors import APIError, ConfigError, HumanRequestPending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Literal, TypeAlias

    from ._models import HumanRequest
    from ._replies import Answers, AnswerText
    from ._run import Run

    Decision: TypeAlias = bool | Mapping[str, AnswerText] | None
    Word: TypeAlias = Literal["approve", "deny", "raise", "leave"]
    OnRequest: TypeAlias = Word | Callable[[HumanRequest], Decision] | None

logger = logging.getLogger("duvo")

_WORDS = ("approve", "deny", "raise", "leave")


class Responder:
    """Meets each human request of a run once.

    Args:
        on_request: a callable that gets the request and returns True, False,
            answers, or None to leave it; or one of the words; None is "leave".
        answers: standing answers, used for questions before anything else.
        warn: tell a request that is left at WARNING.

    Raises:
        ConfigError: `on_request` is something else.
    """

    def __init__(self, on_request: OnRequest, answers: Answers | None, *, warn: bool):
        if not (on_request is None or callable(on_request) or on_request in _WORDS):
            raise ConfigError(
                f"on_request is {on_request!r}; it takes a callable or one of {', '.join(_WORDS)}"
            )
        if isinstance(answers, (list, tuple)):
            for text in answers:
                if "=" not in text:
                    raise ConfigError(f"the standing answer {text!r} is no KEY=ANSWER")
        self._on_request = on_request
        self._answers = answers
        self._warn = warn
        self._met: str | None = None

    def meet(self, run: Run, request: HumanRequest) -> None:
        """Reply to the request, or leave it.

        Raises:
            HumanRequestPending: nothing here may answer it.
            InvalidReply: the callable's reply does not fit.
        """
        if request.id == self._met:
            return
        self._met = request.id
        choice = self._on_request
        standing = _replies.standing(request, self._answers)
        if standing is not None:
            self._send(run, request, standing)
        elif choice is None or choice == "leave":
            self._leave(run, request)
        elif not isinstance(choice, str):
            self._decide(run, request, choice(request))
        elif choice != "raise" and request.type == "approval":
            self._send(run, request, {"approved": choice == "approve"})
        else:
            raise HumanRequestPending(
                f"run {run.id} waits for a human, and nothing here may answer: "
                f"{_replies.described(request)}; answer with: {_replies.how_to_answer(request)}",
                run=run,
                request=request,
            )

    def _leave(self, run: Run, request: HumanRequest) -> None:
        if self._warn:
            logger.warning(
                "run %s waits for a human: %s; answer with: %s",
                run.id,
                _replies.described(request),
                _replies.how_to_answer(request),
            )

    def _decide(self, run: Run, request: HumanRequest, decision: Decision) -> None:
        if decision is None:
            return
        if isinstance(decision, bool):
            self._send(run, request, _replies.body(request, approve=decision))
        else:
            self._send(run, request, _replies.body(request, answers=decision))

    def _send(self, run: Run, request: HumanRequest, body: dict[str, Any]) -> None:
        try:
            run.send_reply(request.id, body)
        except APIError as error:
            if error.status not in (400, 404, 409, 422):
                raise
            run.refresh()
            pending = run.pending_request
            if pending is not None and pending.id == request.id:
                raise
            logger.info("run %s: the request was answered elsewhere", run.id)

"""What to do when a run asks a human while somebody waits for it."""

from __future__ import annotations

import logging

from .._errors import APIError, ConfigError, DuvoError, HumanRequestPending, OutcomeUnknown
from . import replies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Literal, TypeAlias

    from .._models.messages import HumanRequest
    from .._resources.run import Run
    from .polling import Reader
    from .replies import Answers, AnswerText

    Decision: TypeAlias = bool | Mapping[str, AnswerText] | None
    Word: TypeAlias = Literal["approve", "deny", "raise", "leave"]
    OnRequest: TypeAlias = Word | Callable[[HumanRequest], Decision] | None

logger = logging.getLogger("duvo.replies")

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

    def meet(self, run: Run, request: HumanRequest, reader: Reader) -> bool:
        """Reply to the request, or leave it.

        Args:
            run: the run that asks.
            request: what it asks.
            reader: bears outages until its deadline, for the reply too.

        Returns:
            Whether it was replied to.

        Raises:
            HumanRequestPending: nothing here may answer it.
            InvalidReply: the callable's reply does not fit.
        """
        if request.id == self._met:
            return False
        self._met = request.id
        choice = self._on_request
        standing = replies.standing(request, self._answers)
        if standing is not None:
            self._send(run, request, standing, reader)
            return True
        if choice is None or choice == "leave":
            self._leave(run, request)
            return False
        if not isinstance(choice, str):
            return self._decide(run, request, choice(request), reader)
        if choice != "raise" and request.type == "approval":
            self._send(run, request, {"approved": choice == "approve"}, reader)
            return True
        raise HumanRequestPending(
            f"run {run.id} waits for a human, and nothing here may answer: "
            f"{replies.described(request)}; answer with: {replies.how_to_answer(request)}",
            run=run,
            request=request,
        )

    def _leave(self, run: Run, request: HumanRequest) -> None:
        if self._warn:
            logger.warning(
                "run %s waits for a human: %s; answer with: %s",
                run.id,
                replies.described(request),
                replies.how_to_answer(request),
            )

    def _decide(self, run: Run, request: HumanRequest, decision: Decision, reader: Reader) -> bool:
        if decision is None:
            return False
        if isinstance(decision, bool):
            body = replies.body(request, approve=decision)
        else:
            body = replies.body(request, answers=decision)
        self._send(run, request, body, reader)
        return True

    def _send(self, run: Run, request: HumanRequest, body: dict[str, Any], reader: Reader) -> None:
        doubt: DuvoError | None = None

        def attempt() -> None:
            nonlocal doubt
            if doubt is None:
                try:
                    run._send_reply(request.id, body, reader)
                except (OutcomeUnknown, APIError) as error:
                    if isinstance(error, APIError) and error.status not in (400, 404, 409, 422):
                        raise
                    doubt = error
                else:
                    logger.info("run %s: %s", run.id, replies.told(request, body))
                    return
            # Whoever replied, a request takes one reply: what counts is whether it is open.
            # Until that could be read, none is sent again.
            run._read_once(reader)
            failure, doubt = doubt, None
            pending = run.pending_request
            if pending is None or pending.id != request.id:
                logger.info("run %s: the request has been answered", run.id)
            elif isinstance(failure.__cause__, DuvoError):
                raise failure.__cause__ from None
            else:
                raise failure

        reader.read(attempt)

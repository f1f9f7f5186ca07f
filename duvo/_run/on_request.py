"""Handling a run's human requests during a wait or a follow."""

from __future__ import annotations

import logging

from .._errors import APIError, ConfigError, DuvoError, HumanRequestPending, OutcomeUnknown
from .._flow.steps import Call
from . import replies
from .actions import read_once, send_reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from .._flow.steps import Flow
    from .._models.human_requests import HumanRequest
    from .._models.types import Answers
    from .polling import Poller
    from .state import RunState

logger = logging.getLogger("duvo.replies")

_CO_COROUTINE = 0x80
_WORDS = ("approve", "deny", "raise", "leave")


class Responder:
    """Handles each human request of a run exactly once, by standing answers or `on_request`.

    `on_request` is as in `Run.wait`, and may be a coroutine function with
    `may_await`. With `warn`, an unanswered request is logged at WARNING. So are
    contradicting answers, and answers to none of the questions, once for all
    responders that share `warned`.
    """

    def __init__(
        self,
        on_request: Any,
        answers: Answers | None,
        *,
        warn: bool,
        may_await: bool,
        warned: set[str] | None = None,
    ):
        if not (on_request is None or callable(on_request) or on_request in _WORDS):
            raise ConfigError(
                f"on_request must be a callable or one of {', '.join(_WORDS)}, not {on_request!r}"
            )
        if not may_await and _is_coroutine_function(on_request):
            raise ConfigError(
                "on_request is a coroutine function, which only AsyncClient can await"
            )
        if isinstance(answers, (list, tuple)):
            for text in answers:
                if "=" not in text:
                    raise ConfigError(f"the standing answer {text!r} is not KEY=ANSWER")
        if answers:
            replies.check_standing(answers)
        self._on_request = on_request
        self._answers = answers
        self._warn = warn
        self._handled: str | None = None
        self._has_answered = False
        self._warned: set[str] = set() if warned is None else warned

    def handle(self, state: RunState, request: HumanRequest, poller: Poller) -> Flow[bool]:
        """Reply to a request, or leave it unanswered; return whether a reply was sent."""
        if request.id == self._handled:
            return False
        self._handled = request.id
        given = replies.standing(request, self._answers)
        if given is not None and given.contradiction:
            self._leave_open(state, request, given.contradiction)
        body = {"answers": given.found} if given is not None else None
        if body is not None:
            self._has_answered = True
        else:
            self._warn_of_unknown_keys(state, request)
            body = yield from self._decide(state, request)
        if body is None:
            return False
        yield from _reply(state, request, body, poller)
        return True

    def _warn_of_unknown_keys(self, state: RunState, request: HumanRequest) -> None:
        if not self._answers or not request.questions:
            return
        given = replies.match(request, self._answers)
        # Answers that were of use before are for other requests.
        if not given.unknown or (self._has_answered and not given.found):
            return
        unknown = ", ".join(map(repr, given.unknown))
        if unknown not in self._warned:
            self._warned.add(unknown)
            known = ", ".join(repr(question.key) for question in request.questions)
            logger.warning(
                "run %s: no question of its request has the key %s; it has %s",
                state.id,
                unknown,
                known,
            )

    def _leave_open(self, state: RunState, request: HumanRequest, why: str) -> NoReturn:
        if why not in self._warned:
            self._warned.add(why)
            logger.warning("run %s: its request is left open: %s", state.id, why)
        raise HumanRequestPending(
            f"run {state.id} waits for a human, and the standing answers contradict each other: "
            f"{why}; answer with: {replies.how_to_answer(request)}",
            run=state.handle,
            request=request,
        )

    def _decide(self, state: RunState, request: HumanRequest) -> Flow[dict[str, Any] | None]:
        choice = self._on_request
        if choice is None or choice == "leave":
            if self._warn:
                logger.warning(
                    "run %s waits for a human: %s; answer with: %s",
                    state.id,
                    replies.describe(request),
                    replies.how_to_answer(request),
                )
            return None
        if not isinstance(choice, str):
            decision = yield Call(choice, request)
            if decision is None:
                return None
            if replies.is_decision(decision):
                return replies.body(request, approve=decision)
            return replies.body(request, answers=decision)
        if choice != "raise" and request.type == "approval":
            return {"approved": choice == "approve"}
        raise HumanRequestPending(
            f"run {state.id} waits for a human, and no answer was given: "
            f"{replies.describe(request)}; answer with: {replies.how_to_answer(request)}",
            run=state.handle,
            request=request,
        )


def _is_coroutine_function(function: Any) -> bool:
    # Not with inspect, which takes longer to load than everything a command needs.
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return bool(getattr(code, "co_flags", 0) & _CO_COROUTINE)


def _reply(
    state: RunState, request: HumanRequest, body: dict[str, Any], poller: Poller
) -> Flow[None]:
    """Send a reply until it is certain that the request is answered."""
    doubt: DuvoError | None = None

    def attempt() -> Flow[None]:
        nonlocal doubt
        if doubt is None:
            try:
                yield from send_reply(
                    poller.api, state, request.id, body, deadline=poller.deadline, retries=0
                )
            except (OutcomeUnknown, APIError) as error:
                if isinstance(error, APIError) and error.status not in (400, 404, 409, 422):
                    raise
                doubt = error
            else:
                logger.info("run %s: %s", state.id, replies.summarize(request, body))
                return
        # A request takes one reply, from anyone. Before another is sent, read whether
        # it is still pending.
        yield from read_once(poller, state)
        failure, doubt = doubt, None
        pending = state.pending_request
        if pending is None or pending.id != request.id:
            logger.info("run %s: the request has been answered", state.id)
        elif isinstance(failure.__cause__, DuvoError):
            raise failure.__cause__ from None
        else:
            raise failure

    return poller.repeat(attempt)

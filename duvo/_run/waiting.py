"""Waiting for the end of a run, and reading its final answer."""

from __future__ import annotations

import logging

from .._errors import DuvoError, NotLoaded, RunFailed, RunStopped
from . import polling
from .actions import poll
from .answer import FinalAnswer
from .conversation import Conversation
from .cursor import PAGE
from .polling import Poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._flow.steps import Flow
    from .._http.api import Api
    from .on_request import Responder
    from .state import RunState

logger = logging.getLogger("duvo")


def wait_until_finished(
    api: Api, state: RunState, timeout: float | None, responder: Responder
) -> Flow[None]:
    """Wait for the end of a run, and read its final answer. The timeout is in seconds in all."""
    poller = Poller(api, state.id, timeout, started_at=state.started_here_at)
    clock = api.clock
    pause = 0.0
    request_id: str | None = None
    last: tuple[str, str | None] | None = None
    hold = False
    while True:
        asked_at = clock.now()
        yield from poll(poller, state, hold=hold, seen_request=request_id)
        was_held = hold and clock.now() - asked_at >= polling.SHORTEST_PAUSE
        if state.has_ended(clock.now()):
            break
        request = state.pending_request
        if request is not None:
            request_id = request.id
            yield from responder.handle(state, request, poller)
        current = (state.status, request_id)
        changed = current != last
        last = current
        pause = polling.next_pause(pause, activity=changed)
        hold = poller.longest_hold > 0
        # A server that does not hold the next poll, or returned this one at once for
        # nothing, is polled more slowly.
        if not hold or not (changed or was_held):
            yield from poller.rest(pause, f"run {state.id} is {state.status}")
    yield from read_final_answer(state, poller)


def check(state: RunState) -> None:
    """Raise `RunFailed` or `RunStopped` for a run that has ended without being completed."""
    if state.status == "failed":
        try:
            reason = state.failure
        except NotLoaded:
            raise RunFailed(
                f"run {state.id} failed: its conversation cannot be read", run=state.handle
            ) from None
        text = f"failed: {reason}" if reason else "failed without giving a reason"
        raise RunFailed(f"run {state.id} {text}", run=state.handle)
    if state.status == "stopped":
        raise RunStopped(f"run {state.id} was stopped before it ended by itself", run=state.handle)


def read_final_answer(state: RunState, poller: Poller) -> Flow[None]:
    """Read the last messages of a run that has ended: its answer and its failure."""
    # The run has ended, even if its conversation cannot be read.
    try:
        yield from _read_from_the_end(state, poller)
    except DuvoError as error:
        logger.warning("the conversation of run %s cannot be read: %s", state.id, error)


def _read_from_the_end(state: RunState, poller: Poller) -> Flow[None]:
    conversation = Conversation(state.id, poller)
    yield from conversation.skim_page()
    total = conversation.total
    if total is not None and total > conversation.cursor.offset:
        final_answer = yield from _read_last_pages(state.id, poller, total)
    else:
        if not conversation.cursor.is_proven:
            yield from conversation.skim(proven=True)
        final_answer = conversation.final_answer
    final_answer.is_read = True
    state.final_answer = final_answer


def _read_last_pages(run_id: str, poller: Poller, total: int) -> Flow[FinalAnswer]:
    """Read the end of the conversation, then backwards to the assistant's last text."""
    begin = max(0, total - PAGE)
    conversation = Conversation(run_id, poller, begin)
    yield from conversation.skim_page()
    if conversation.cursor.offset == begin:
        # The page was empty: the reported total is too high.
        end = yield from conversation.end()
        begin = max(0, end - PAGE)
        conversation = Conversation(run_id, poller, begin)
    if not conversation.cursor.is_proven:
        yield from conversation.skim(proven=True)
    final_answer = conversation.final_answer
    while begin > 0 and final_answer.answer is None:
        end, begin = begin, max(0, begin - PAGE)
        page = yield from conversation.between(begin, end)
        earlier = FinalAnswer()
        earlier.add_page(page.messages)
        final_answer.add_earlier(earlier)
    return final_answer

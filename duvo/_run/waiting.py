"""Waiting for the end of a run, and reading what came of it."""

from __future__ import annotations

import logging

from .._errors import DuvoError, NotLoaded, RunFailed, RunStopped
from . import pace
from .answer import Outcome
from .conversation import ConversationReader
from .cursor import PAGE
from .on_request import Responder
from .polling import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._resources.run import Run
    from .on_request import OnRequest
    from .replies import Answers

logger = logging.getLogger("duvo")


def wait(
    run: Run,
    timeout: float | None,
    on_request: OnRequest,
    answers: Answers | None,
) -> None:
    """Return when the run has ended; see `Run.wait`."""
    responder = Responder(on_request, answers, warn=True)
    reader = Reader(run._transport, run.id, timeout, started_at=run._started_here_at)
    clock = reader.clock
    seconds = 0.0
    seen: str | None = None
    last: tuple[str, str | None] | None = None
    hold = False
    while True:
        asked_at = clock.now()
        run._read(reader, hold=hold, seen_request=seen)
        if run._has_ended:
            break
        request = run.pending_request
        if request is not None:
            seen = request.id
            responder.meet(run, request, reader)
        now = (run.status, seen)
        seconds = pace.next_wait(seconds, activity=now != last)
        was_held = hold and clock.now() - asked_at >= pace.FIRST
        hold = run._transport.long_poll > 0
        if not hold or not (now != last or was_held):
            reader.rest(seconds, f"run {run.id} is {run.status}")
        last = now
    read_outcome(run, reader)


def check(run: Run) -> None:
    """Raise when the run did not complete.

    Raises:
        RunFailed: it failed.
        RunStopped: it was stopped.
    """
    if run.status == "failed":
        try:
            reason = run.failure or "it tells no reason"
        except NotLoaded:
            reason = "its conversation cannot be read"
        raise RunFailed(f"run {run.id} failed: {reason}", run=run)
    if run.status == "stopped":
        raise RunStopped(f"run {run.id} was stopped before it ended by itself", run=run)


def read_outcome(run: Run, reader: Reader) -> None:
    """Read the last messages of a run that has ended: its `answer` and `failure`."""
    # The end is known; a conversation that may not be read must not spoil that.
    try:
        _read_from_the_end(run, reader)
    except DuvoError as error:
        logger.warning("the conversation of run %s cannot be read: %s", run.id, error)


def _read_from_the_end(run: Run, reader: Reader) -> None:
    conversation = ConversationReader(run.id, reader)
    conversation.skim_page()
    total = conversation.total
    if total is not None and total > conversation.cursor.offset:
        outcome = _last_words(run.id, reader, total)
    else:
        if not conversation.cursor.is_proven:
            conversation.skim(proven=True)
        outcome = conversation.outcome
    outcome.is_read = True
    run._outcome = outcome


def _last_words(run_id: str, reader: Reader, total: int) -> Outcome:
    """Read from near the end on, then back to where the assistant last spoke."""
    begin = max(0, total - PAGE)
    conversation = ConversationReader(run_id, reader, begin)
    conversation.skim_page()
    if conversation.cursor.offset == begin:
        begin = max(0, conversation.pages.end() - PAGE)
        conversation = ConversationReader(run_id, reader, begin)
    if not conversation.cursor.is_proven:
        conversation.skim(proven=True)
    outcome = conversation.outcome
    while begin > 0 and outcome.answer is None:
        end, begin = begin, max(0, begin - PAGE)
        earlier = Outcome()
        earlier.note_page(conversation.pages.between(begin, end).messages)
        outcome.come_after(earlier)
    return outcome

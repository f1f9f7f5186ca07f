"""Waiting for the end of a run, and reading what came of it."""

from __future__ import annotations

import logging

from . import _pace
from ._conversation import PAGE, Page
from ._conversation_pages import ConversationPages
from ._errors import DuvoError, NotLoaded, RunFailed, RunStopped
from ._on_request import Responder
from ._outcome import Outcome
from ._patience import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._on_request import OnRequest
    from ._replies import Answers
    from ._run import Run

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
        seconds = _pace.next_wait(seconds, activity=now != last)
        was_held = hold and clock.now() - asked_at >= _pace.FIRST
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
    pages = ConversationPages(run.id, reader)
    outcome = Outcome()
    page = pages.read(0, PAGE)
    if page.total is not None and page.total > len(page.messages):
        page = _last_words(pages, page.total, outcome)
    outcome.note_page(page.messages)
    # Behind what the server counted there may be more, and where it counts nothing there is.
    while page.messages and not (page.reaches_end and len(page.messages) < PAGE):
        page = pages.read(page.offset + len(page.messages), PAGE)
        outcome.note_page(page.messages)
    outcome.is_read = True
    run._outcome = outcome


def _last_words(pages: ConversationPages, total: int, outcome: Outcome) -> Page:
    """Read back to where the assistant last spoke, note what follows, and give the last page."""
    end = total
    newest_first = [pages.read(max(0, end - PAGE), PAGE)]
    if not newest_first[0].messages:
        end = pages.end()
        newest_first = [pages.read(max(0, end - PAGE), PAGE)]
    while newest_first[-1].offset > 0 and not _assistant_speaks(newest_first[-1]):
        end = newest_first[-1].offset
        newest_first.append(pages.read(max(0, end - PAGE), min(PAGE, end)))
    for page in reversed(newest_first[1:]):
        outcome.note_page(page.messages)
    return newest_first[0]


def _assistant_speaks(page: Page) -> bool:
    return any(one.get("role") == "assistant" and one["content"] for one in page.messages)

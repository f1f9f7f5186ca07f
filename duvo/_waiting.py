"""Waiting for the end of a run, and reading what came of it."""

from __future__ import annotations

import logging

from . import _pace, _paths
from ._conversation import PAGE, Page
from ._errors import DuvoError, NotLoaded, RunFailed, RunStopped
from ._on_request import Responder
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
    reader = Reader(run.transport, run.id, timeout, started_at=run.started_here_at)
    seconds = 0.0
    seen: str | None = None
    last: tuple[str, str | None] | None = None
    hold = False
    while True:
        run.read(reader, hold=hold, seen_request=seen)
        if run.has_ended:
            break
        request = run.pending_request
        if request is not None:
            seen = request.id
            responder.meet(run, request)
        hold = run.transport.long_poll > 0
        if hold:
            continue
        now = (run.status, seen)
        seconds = _pace.next_wait(seconds, activity=now != last)
        last = now
        reader.rest(seconds, f"run {run.id} is {run.status}")
    _read_outcome(run, reader)


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


def _read_outcome(run: Run, reader: Reader) -> None:
    # The end is known; a conversation that may not be read must not spoil that.
    try:
        _read_from_the_end(run, reader)
    except DuvoError as error:
        logger.warning("the conversation of run %s cannot be read: %s", run.id, error)


def _read_from_the_end(run: Run, reader: Reader) -> None:
    path = _paths.messages(run.id)

    def read(offset: int) -> Page:
        params = [("limit", str(PAGE)), ("offset", str(offset))]
        return reader.read(lambda: Page(reader.send(path, params).data, offset, PAGE))

    page = read(0)
    end = page.total
    if end is None:
        run.outcome.note_page(page.messages)
        while not page.reaches_end:
            page = read(page.offset + len(page.messages))
            run.outcome.note_page(page.messages)
    elif end <= len(page.messages):
        run.outcome.note_page(page.messages)
    else:
        newest_first: list[Page] = []
        while end > 0:
            end = max(0, end - PAGE)
            newest_first.append(read(end))
            if any(one.get("role") == "assistant" for one in newest_first[-1].messages):
                break
        for page in reversed(newest_first):
            run.outcome.note_page(page.messages)
    run.outcome.is_read = True

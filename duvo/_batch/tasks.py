"""What is done for a run wherever an executor works: deciding on requests, reading answers.

Each may be done twice without harm, since a worker may be lost and its work
given to another.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from copy import copy

from .._run import waiting
from .._run.on_request import Responder
from .._run.polling import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._client import Client
    from .._models.messages import HumanRequest
    from .._resources.run import Run
    from .._run.answer import Outcome
    from .._run.on_request import OnRequest
    from .._run.replies import Answers

_MOST_CLIENTS = 8

_clients: OrderedDict[tuple[object, ...], Client] = OrderedDict()
_looking_up = threading.Lock()


def reply(
    run: Run,
    request: HumanRequest,
    on_request: OnRequest,
    answers: Answers | None,
    closed: threading.Event | None = None,
) -> bool:
    """Meet what a run asks; whether it was replied to.

    Args:
        run: the run.
        request: what it asks.
        on_request: as in `Run.wait`.
        answers: as in `Run.wait`.
        closed: when set, nobody waits for it any more; None in another process.

    Raises:
        Closed: it was closed.
        HumanRequestPending: nothing here may answer it.
        DuvoError: the reply does not fit, or cannot be sent.
    """
    # A handle of its own: what is read here may be older than what others read meanwhile.
    run = copy(_here(run))
    reader = Reader(run._transport, run.id, None, closed=closed)
    if run._client._is_copy:
        # Another worker may have replied, and been lost before it could tell.
        run._read(reader)
        pending = run.pending_request
        if pending is None or pending.id != request.id:
            return True
    return Responder(on_request, answers, warn=True).meet(run, request, reader)


def outcome(run: Run, closed: threading.Event | None = None) -> Outcome:
    """Read the last messages of a run that has ended.

    Args:
        run: the run.
        closed: as for `reply`.

    Raises:
        Closed: it was closed.
    """
    run = _here(run)
    waiting.read_outcome(run, Reader(run._transport, run.id, None, closed=closed))
    return run._outcome


def _here(run: Run) -> Run:
    """The run, with a client whose connections outlive this piece of work.

    In another process each piece comes with a client of its own.
    """
    client = run._client
    if client._is_copy:
        with _looking_up:
            run._client = _clients.setdefault(client._identity, client)
            _clients.move_to_end(client._identity)
            if len(_clients) > _MOST_CLIENTS:
                _clients.popitem(last=False)
    return run

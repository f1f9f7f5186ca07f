"""Starting runs from a few threads, each exactly once."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from concurrent.futures import CancelledError, wait

from .._errors import APIError, Conflict, DuvoError, InvalidRequest, JournalError, OutcomeUnknown
from .._http import paths, retries
from .._http.bodies import Closed
from .._http.clock import Deadline
from .._run.polling import Reader
from .adoption import Found, find_runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future

    from .._client import Client
    from .._resources.run import Run
    from .completions import Inbox
    from .entry import Entry
    from .journal import Journal, Row

logger = logging.getLogger("duvo")

APPEARS_WITHIN = 10.0
"""Seconds within which a run shows in the list, once nobody waits for its start any more."""

_REMEMBERED = 24 * 3600.0
"""Seconds for which a server that honours idempotency keys surely remembers one."""

_MOST_LOOKS = 30
_MOST_SENDS = 4
_LONGEST_END = 5.0
"""Seconds for which whoever leaves a batch waits for the starts that are on their way."""

_REFUSED = (InvalidRequest, Conflict)
"""What a server says of one start, not of all."""

_AT_ONCE = 8
"""Starts on their way, beyond which no other is taken up: as many as there are threads."""


class Starts:
    """The starts of a batch, from when they are sent until their runs are known.

    A start of unknown outcome is sent again to a server that honours its
    idempotency key. For any other the run is looked for; meanwhile nothing else
    is started, since a run that is looked for must not be one that is just
    coming to be.

    Args:
        client: what sends.
        agent_id: the agent.
        journal: has every start before it is sent, and is closed when all came back.
        pool: the threads that send.
        inbox: brings back what came of it.
        closed: when set, nothing is sent any more.
        known: called with each entry whose run is known now.
        failed: called with each that will have no run, and the error.
    """

    def __init__(
        self,
        client: Client,
        agent_id: str,
        journal: Journal,
        pool: Executor,
        inbox: Inbox,
        closed: threading.Event,
        known: Callable[[Entry], None],
        failed: Callable[[Entry, DuvoError], None],
    ):
        self._client = client
        self._agent_id = agent_id
        self._journal = journal
        self._pool = pool
        self._inbox = inbox
        self._closed = closed
        self._known = known
        self._failed = failed
        self._reader = Reader(client._transport, None, None, closed=closed)
        self._doubtful: list[Entry] = []
        self._held: list[Entry] = []
        self._looking = False
        self._under_way: dict[Future[Run], Entry] = {}
        self._not_noted: list[tuple[Row, str]] = []

    def send(self, entries: Sequence[Entry]) -> None:
        """Start a run for each, when nothing is looked for any more."""
        self._held += entries
        self._go_on()

    def take_up(self, entries: Sequence[Entry]) -> None:
        """Go on with starts that were sent, but whose answers never came."""
        for entry in entries:
            (self._held if self._is_remembered(entry) else self._doubtful).append(entry)
        self._go_on()

    def note(self) -> None:
        """Write the runs that became known since the last time into the journal."""
        runs, self._not_noted = self._not_noted, []
        if runs:
            self._journal.started(runs)

    def leave(self) -> None:
        """Note what still comes back, then let the journal go; nothing else is sent."""
        try:
            wait(self._sent(), timeout=_LONGEST_END)
        finally:
            if all(future.done() for future in self._sent()):
                self._end()
            else:
                # Nobody else may have the journal while a start may still be carried out.
                threading.Thread(target=self._end_later, name="duvo-map-end").start()

    def _is_remembered(self, entry: Entry) -> bool:
        sent_at = entry.row.sent_at
        is_fresh = sent_at is None or 0 <= time.time() - sent_at < _REMEMBERED
        return is_fresh and self._client._transport.honours_idempotency

    def _go_on(self) -> None:
        if self._doubtful:
            if not self._under_way and not self._looking:
                self._look()
            return
        # More than there are threads cannot be sent anyway; until then, what comes costs no
        # write of its own to the disk.
        if self._looking or not self._held or len(self._under_way) >= _AT_ONCE:
            return
        entries, self._held = self._held, []
        given = 0
        try:
            self._journal.sending([entry.row for entry in entries])
            for given, entry in enumerate(entries, 1):  # noqa: B007  read when it is cut short
                future = self._inbox.submit(self._pool, self._take_in, entry, self._start, entry)
                self._under_way[future] = entry
        except BaseException:
            # A Ctrl-C. What no thread was given is as new as it was.
            with contextlib.suppress(JournalError):
                self._give_up(entries[given:])
            raise

    # Sending

    def _start(self, entry: Entry) -> Run:
        # Errors that leave no doubt are borne here: the same start is sent again.
        reader = Reader(self._client._transport, None, None, closed=self._closed)
        return reader.read(
            lambda: self._client.runs._start(
                self._agent_id,
                entry.input.message,
                idempotency_key=entry.row.idempotency_key,
                closed=self._closed,
            )
        )

    def _take_in(self, entry: Entry, future: Future[Run]) -> None:
        self._under_way.pop(future, None)
        error = _error_of(future)
        if error is None:
            self._take_run(entry, future.result())
        elif isinstance(error, OutcomeUnknown):
            entry.sends += 1
            if entry.sends < _MOST_SENDS:
                self.take_up([entry])
            else:
                self._failed(entry, error)
        else:
            if _made_no_run(error):
                self._give_up([entry])
            if not isinstance(error, _REFUSED):
                raise error
            self._failed(entry, error)
        self._go_on()

    def _give_up(self, entries: Sequence[Entry]) -> None:
        # That nothing came of this start tells nothing of one that was sent before.
        self._journal.given_up([one.row for one in entries if not one.is_in_doubt])

    def _take_run(self, entry: Entry, run: Run) -> None:
        entry.run = run
        self._not_noted.append((entry.row, run.id))
        self._known(entry)

    # Looking for runs

    def _look(self) -> None:
        self._looking = True
        # What looks goes by the journal for whose a run is.
        self.note()
        entries, self._doubtful = self._doubtful, []
        for entry in entries:
            entry.looks += 1
        self._inbox.submit(self._pool, self._take_in_found, entries, self._find, entries)

    def _find(self, entries: Sequence[Entry]) -> list[Found]:
        transport, reader = self._client._transport, self._reader
        if not transport.honours_idempotency:
            # Nothing may have been heard from this server yet: any answer tells it.
            path = paths.runs(self._client.team_id)
            reader.read(lambda: reader.send(path, [("limit", "1")]))
        found = [Found()] * len(entries)
        if not all(map(self._is_remembered, entries)):
            found = reader.read(
                lambda: find_runs(
                    self._client,
                    self._agent_id,
                    [entry.input.message for entry in entries],
                    self._journal.mark,
                    has_run=self._journal.has_run,
                    deadline=Deadline(transport.clock, APPEARS_WITHIN),
                    closed=self._closed,
                )
            )
        pairs = zip(entries, found, strict=True)
        return [Found() if self._is_remembered(entry) else one for entry, one in pairs]

    def _take_in_found(self, entries: Sequence[Entry], future: Future[list[Found]]) -> None:
        self._looking = False
        for entry, one in zip(entries, future.result(), strict=True):
            if one.run is not None:
                self._take_run(entry, one.run)
            elif not one.undecided:
                self._held.append(entry)
            elif entry.looks < _MOST_LOOKS:
                self._doubtful.append(entry)
            else:
                self._failed(entry, _undecided(entry))
        self._go_on()

    # The end

    def _sent(self) -> list[Future[Run]]:
        return [future for future in self._under_way if not future.cancelled()]

    def _end_later(self) -> None:
        try:
            self._end()
        except JournalError as error:
            logger.warning("runs that were started are not noted: %s", error)

    def _end(self) -> None:
        try:
            wait(self._sent())
            for future, entry in self._under_way.items():
                error = _error_of(future)
                if error is None:
                    self._not_noted.append((entry.row, future.result().id))
                elif _made_no_run(error):
                    self._give_up([entry])
            self._under_way.clear()
            self.note()
        finally:
            self._journal.close()


def _error_of(future: Future[Run]) -> BaseException | None:
    return CancelledError() if future.cancelled() else future.exception()


def _made_no_run(error: BaseException) -> bool:
    """Whether a start that ended with this error was surely not carried out."""
    if isinstance(error, APIError) and error.status is not None and error.status < 500:
        return True
    if isinstance(error, DuvoError):
        return retries.surely_not_done(error)
    return isinstance(error, (CancelledError, Closed))


def _undecided(entry: Entry) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"whether a run was started for input {entry.input.index} cannot be told: its start was "
        "sent, the server honours no idempotency key, and there are runs that may be it; "
        "it is not sent again"
    )

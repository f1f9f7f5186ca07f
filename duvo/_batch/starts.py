"""Starting the runs of a batch, each exactly once."""

from __future__ import annotations

import contextlib
import logging
import time
from concurrent.futures import CancelledError

from attrs import frozen

from .._errors import APIError, Conflict, DuvoError, InvalidRequest, JournalError, OutcomeUnknown
from .._flow.steps import Closed, block
from .._http import paths, retries
from .._run import actions
from .._run.polling import Poller
from .._time.clock import Deadline
from . import fingerprints
from .adoption import Found, find_runs
from .completions import Spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._flow.steps import Flow
    from .._http.api import Api
    from .._run.state import RunState
    from .completions import Completion
    from .entry import Entry, Row
    from .journal import Journal

logger = logging.getLogger("duvo")

APPEARS_WITHIN = 10.0
"""Seconds within which a run appears in the list after its start was given up."""

_REMEMBERED = 24 * 3600.0
"""Seconds for which a server that honours idempotency keys certainly remembers them."""

_MOST_SEARCHES = 30
_MOST_SENDS = 4
_AT_ONCE = 8
"""Number of starts in progress at which no more are begun."""

_REFUSED = (InvalidRequest, Conflict)
"""Errors that concern one start, not all."""


@frozen
class Settled:
    """The outcome of a start: the run, or the error for which there will be none."""

    entry: Entry
    outcome: RunState | DuvoError


class Starts:
    """The starts of a batch, from when they are sent until their runs are known.

    A start of unknown outcome is sent again if the server honours idempotency
    keys. On other servers its run is searched for. Nothing is started during a
    search, which could mistake a new run for the missing run.
    """

    def __init__(self, api: Api, agent_id: str, journal: Journal):
        self._api = api
        self._agent_id = agent_id
        self._journal = journal
        self._doubtful: list[Entry] = []
        self._held: list[Entry] = []
        self._is_searching = False
        self._in_progress = 0
        self._not_spawned: list[Spawn] = []
        # Written by `write`, or by `finish` if the batch is closed before.
        self._known: list[tuple[Row, str]] = []
        self._given_up: list[Entry] = []

    def add(self, entries: Sequence[Entry]) -> None:
        """Start a run for each entry, or find the run of an earlier start."""
        for entry in entries:
            is_doubtful = entry.is_in_doubt and not self._is_remembered(entry)
            (self._doubtful if is_doubtful else self._held).append(entry)

    def step(self) -> Flow[None]:
        """Send the starts that can be sent, or search for the runs of doubtful starts."""
        if self._doubtful:
            if not self._in_progress and not self._is_searching:
                yield from self._search()
        elif self._held and not self._is_searching and self._in_progress < _AT_ONCE:
            # Starts that wait for a thread are recorded together, with one write to the disk.
            yield from self._send()

    def record(self, completion: Completion) -> list[Settled]:
        """Record a completion of kind `start` or `search`; return the starts that it settles.

        Raises:
            DuvoError: an error that concerns all starts.
        """
        subject = completion.spawn.subject
        if completion.spawn.kind == "search":
            self._is_searching = False
            return self._record_search(subject, completion.result())
        self._in_progress -= 1
        error = completion.error
        if error is None:
            return [self._started(subject, completion.value)]
        if isinstance(error, OutcomeUnknown):
            subject.sends += 1
            if subject.sends >= _MOST_SENDS:
                return [Settled(subject, error)]
            self.add([subject])
            return []
        if _made_no_run(error):
            self._given_up.append(subject)
        if not isinstance(error, _REFUSED):
            raise error
        return [Settled(subject, error)]

    def write(self) -> Flow[None]:
        """Write what was recorded since the last time into the journal."""
        if self._given_up:
            yield from block(self._give_up, self._given_up)
            self._given_up = []
        if self._known:
            yield from block(self._journal.started, self._known)
            self._known = []

    def finish(self, completions: Sequence[Completion]) -> None:
        """Record the last starts, and close the journal. It blocks."""
        for completion in completions:
            if completion.error is None:
                self._started(completion.spawn.subject, completion.value)
            elif _made_no_run(completion.error):
                self._given_up.append(completion.spawn.subject)
        try:
            if self._known:
                self._journal.started(self._known)
            if self._given_up:
                self._give_up(self._given_up)
            # Ctrl-C may have come between beginning the work and the end of its step.
            never_begun = [spawn.subject for spawn in self._not_spawned if not spawn.begun]
            if never_begun:
                # The batch may have been closed before it recorded these as being sent.
                with contextlib.suppress(JournalError):
                    self._give_up(never_begun)
        except JournalError as error:
            logger.warning("the journal does not record runs that were started: %s", error)
        finally:
            self._journal.close()

    # Sending

    def _send(self) -> Flow[None]:
        entries, self._held = self._held, []
        spawns = [Spawn("start", entry, self._start(entry)) for entry in entries]
        self._not_spawned = list(spawns)
        messages = [fingerprints.of_message(entry.input.message) for entry in entries]
        yield from block(self._journal.sending, [entry.row for entry in entries], messages)
        for spawn in spawns:
            yield spawn
            self._in_progress += 1
            self._not_spawned.remove(spawn)

    def _start(self, entry: Entry) -> Flow[RunState]:
        # After an error that leaves no doubt, the poller sends the same start again.
        poller = Poller(self._api, None, None)
        return poller.repeat(
            lambda: actions.start(
                self._api,
                self._agent_id,
                entry.input.message,
                idempotency_key=entry.row.idempotency_key,
            )
        )

    def _started(self, entry: Entry, state: RunState) -> Settled:
        self._known.append((entry.row, state.id))
        return Settled(entry, state)

    def _give_up(self, entries: Sequence[Entry]) -> None:
        # An earlier start of the same input may have made a run.
        self._journal.given_up([entry.row for entry in entries if not entry.is_in_doubt])

    # Searching

    def _search(self) -> Flow[None]:
        # The search looks up known runs in the journal.
        yield from self.write()
        entries, self._doubtful = self._doubtful, []
        for entry in entries:
            entry.searches += 1
        self._is_searching = True
        yield Spawn("search", entries, self._find(entries))

    def _find(self, entries: Sequence[Entry]) -> Flow[list[Found]]:
        poller = Poller(self._api, None, None)
        if not self._api.server.honours_idempotency:
            # If this is the first request, its response shows what the server offers.
            path = paths.runs((yield from self._api.team_id()))
            yield from poller.repeat(lambda: poller.get_once(path, [("limit", "1")]))
        found = [Found()] * len(entries)
        if not all(map(self._is_remembered, entries)):
            mark = yield from block(self._journal.read_mark)
            found = yield from poller.repeat(
                lambda: find_runs(
                    self._api,
                    self._agent_id,
                    [entry.input.message for entry in entries],
                    mark,
                    has_run=self._journal.has_run,
                    deadline=Deadline(self._api.clock, APPEARS_WITHIN),
                )
            )
        return [
            Found() if self._is_remembered(entry) else result
            for entry, result in zip(entries, found, strict=True)
        ]

    def _record_search(self, entries: Sequence[Entry], found: Sequence[Found]) -> list[Settled]:
        settled: list[Settled] = []
        for entry, result in zip(entries, found, strict=True):
            if result.state is not None:
                settled.append(self._started(entry, result.state))
            elif not result.undecided:
                self._held.append(entry)
            elif entry.searches < _MOST_SEARCHES:
                self._doubtful.append(entry)
            else:
                settled.append(Settled(entry, _undecided(entry)))
        return settled

    def _is_remembered(self, entry: Entry) -> bool:
        sent_at = entry.row.sent_at
        is_fresh = sent_at is None or 0 <= time.time() - sent_at < _REMEMBERED
        return is_fresh and self._api.server.honours_idempotency


def _made_no_run(error: BaseException) -> bool:
    """Whether a start that failed with this error certainly made no run."""
    if isinstance(error, APIError) and error.status is not None and error.status < 500:
        return True
    if isinstance(error, DuvoError):
        return retries.surely_not_done(error)
    return isinstance(error, (CancelledError, Closed))


def _undecided(entry: Entry) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"a run may or may not have been started for input {entry.input.index}: its start was "
        "sent, the server does not honour idempotency keys, and several runs may be its run; "
        "the start was not retried"
    )

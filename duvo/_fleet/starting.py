"""Starting runs from a few threads, each exactly once."""

from __future__ import annotations

import time

from .._clock import Deadline
from .._errors import OutcomeUnknown
from .._patience import Reader
from .finding import find_runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future
    from typing import Any

    from .._client import Client
    from .._run import Run
    from .entry import Entry
    from .finding import Found
    from .journal import Journal

_APPEARS_WITHIN = 10.0
"""Seconds within which a run that was started shows in the list."""

_MOST_LOOKS = 30


class Starts:
    """The starts of a batch, from when they are sent until their runs are known.

    A start of unknown outcome is sent again to a server that honours its
    idempotency key. For any other the run is looked for; meanwhile nothing else
    is started, since a run that is looked for must not be one that is just
    coming to be.

    Args:
        client: what sends.
        agent_id: the agent.
        journal: has every start before it is sent.
        pool: the threads that send.
        done: called, in those threads, with what came of a piece of work.
        closed: when set, nothing is sent any more.
    """

    def __init__(
        self,
        client: Client,
        agent_id: str,
        journal: Journal,
        pool: Executor,
        done: Callable[[str, Any, Future[Any]], None],
        closed: threading.Event,
    ):
        self._client = client
        self._agent_id = agent_id
        self._journal = journal
        self._pool = pool
        self._done = done
        self._closed = closed
        self._doubtful: list[Entry] = []
        self._held: list[Entry] = []
        self._looking = False
        self.under_way = 0
        """How many starts are being sent."""

    def send(self, entries: Sequence[Entry]) -> None:
        """Start a run for each, when nothing is looked for any more."""
        self._held += entries
        self._go_on()

    def take_up(self, entries: Sequence[Entry]) -> None:
        """Go on with starts that were sent, but whose answers never came."""
        if self._client._transport.honours_idempotency:
            self._held += entries
        else:
            self._doubtful += entries
        self._go_on()

    def returned(self) -> None:
        """One start came back, in whatever way."""
        self.under_way -= 1
        self._go_on()

    def looked(self, entries: Sequence[Entry], found: Sequence[Found]) -> list[Entry]:
        """Take in what was found; those whose run is known now, or never will be, come back.

        The latter have no run.
        """
        self._looking = False
        settled = []
        for entry, one in zip(entries, found, strict=True):
            entry.run = one.run
            if one.run is not None:
                settled.append(entry)
            elif not one.undecided:
                self._held.append(entry)
            elif entry.looks < _MOST_LOOKS:
                self._doubtful.append(entry)
            else:
                settled.append(entry)
        self._go_on()
        return settled

    def _go_on(self) -> None:
        if self._doubtful:
            if not self.under_way and not self._looking:
                self._look_for_runs()
            return
        if self._looking or not self._held:
            return
        entries, self._held = self._held, []
        self._journal.sending([entry.row for entry in entries])
        for entry in entries:
            self.under_way += 1
            self._submit("start", entry, self._start, entry)

    def _look_for_runs(self) -> None:
        self._looking = True
        entries, self._doubtful = self._doubtful, []
        for entry in entries:
            entry.looks += 1
        self._submit("look", entries, self._find, entries)

    def _submit(self, kind: str, about: Any, work: Callable[..., Any], *arguments: Any) -> None:
        future = self._pool.submit(work, *arguments)
        future.add_done_callback(lambda done: self._done(kind, about, done))

    def _start(self, entry: Entry) -> Run:
        def attempt() -> Run:
            return self._client.runs._start(
                self._agent_id, entry.input.message, idempotency_key=entry.row.idempotency_key
            )

        return Reader(self._client._transport, None, None, closed=self._closed).read(attempt)

    def _find(self, entries: Sequence[Entry]) -> list[Found]:
        # Of rows that an earlier process left, what was sent long ago shows by now.
        sent = [entry.row.sent_at or time.time() for entry in entries]
        seconds = _APPEARS_WITHIN - (time.time() - max(sent))
        clock = self._client._transport.clock
        reader = Reader(self._client._transport, None, None, closed=self._closed)
        return reader.read(
            lambda: find_runs(
                self._client,
                self._agent_id,
                [entry.input.message for entry in entries],
                self._journal.mark,
                has_run=self._journal.has_run,
                deadline=Deadline(clock, seconds) if seconds > 0 else None,
            )
        )


def undecided(entry: Entry) -> OutcomeUnknown:
    """The error for an input whose run could not be told from others."""
    return OutcomeUnknown(
        f"whether a run was started for input {entry.input.index} cannot be told: its start was "
        "sent, the server honours no idempotency key, and there are runs that may be it; "
        "it is not sent again"
    )

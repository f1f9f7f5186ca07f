"""Watching many runs by the list, and each by itself only when there is reason to."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque

from .._errors import NotFound, PermissionDenied
from .._models import wire
from .._run.conversation import ConversationReader
from .._run.polling import NEW_RUN_GRACE
from .events import Event
from .rounds import Rounds
from .watched import Watched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .._client import Client
    from .._errors import DuvoError
    from .._resources.run import Run
    from .._run.polling import Reader
    from .watched import Stamp

logger = logging.getLogger("duvo")

_SWEEP_EVERY = 2.0
"""Seconds between two reads that look for what the list may not tell."""

_READS_A_PAGE = 3
"""Runs that are read, where there are so many to read, before the list gets its turn."""

_URGENT = wire.FINISHED | {"waiting"}


class Watcher:
    """Reads about many runs, one request at a time.

    Rounds of the list tell which runs have changed; those are read by
    themselves where somebody wants what the list does not tell: messages, and
    what a run asks a human for. They go before the next pages, so that a round
    takes as long as there is something to read, and no longer. Beside that a
    slow sweep reads runs that seem quiet. Once it finds what the list did not
    tell, the list of this server is known not to tell it, and every run is read
    in turn.

    Args:
        client: the client.
        reader: what reads, with its patience and deadline.
        messages: whether the runs' messages are wanted.
        lost: called with a run that is not there any more; None: that is raised.
    """

    def __init__(
        self,
        client: Client,
        reader: Reader,
        *,
        messages: bool,
        lost: Callable[[Run, DuvoError], None] | None = None,
    ):
        self._transport = client._transport
        self._reader = reader
        self._messages = messages
        self._lost = lost
        # In the order in which they were looked at, the longest ago first.
        self._watched: OrderedDict[str, Watched] = OrderedDict()
        self._due: deque[Watched] = deque()
        self._rounds = Rounds(client, reader)
        self._reads = 0
        self._turns = 0
        self._changed = False
        self._next_sweep = 0.0
        self._known: list[Event] = []
        self.rest = 0.0
        """Seconds for which nothing more is due, after a step."""

    def __len__(self) -> int:
        """How many runs have not ended."""
        return len(self._watched)

    @property
    def is_busy(self) -> bool:
        """Whether there is more to read, or to tell."""
        return bool(self._watched or self._known)

    def add(self, run: Run) -> None:
        """Watch this run too."""
        if run.id.casefold() in self._watched:
            return
        conversation = ConversationReader(run.id, self._reader) if self._messages else None
        watched = Watched(run, conversation)
        self._watched[run.id.casefold()] = watched
        raw = _raw(run)
        if raw is None:
            return
        watched.created_at = _text(raw.get("created_at"))
        if run._has_ended:
            self._known += self._note_status(watched, raw)
            self._note_what_follows(watched)

    def drop(self, run: Run) -> None:
        """Watch this run no more."""
        self._watched.pop(run.id.casefold(), None)

    def answered(self, run: Run) -> None:
        """A reply was sent to what this run asks for."""
        watched = self._watched.get(run.id.casefold())
        if watched is not None:
            watched.was_answered = True

    def step(self) -> Iterator[Event]:
        """Read once, where something is due, and give what happened; then see `rest`.

        Raises:
            WaitTimeout: the reader's time is up.
            DuvoError: a run cannot be read.
        """
        self._reader.check()
        self.rest = 0.0
        known, self._known = self._known, []
        yield from known
        if not self._watched:
            return
        now = self._reader.clock.now()
        if not self._rounds.is_open and now >= self._rounds.next_at:
            self._begin_round()
        is_busy = self._reads < _READS_A_PAGE and (self._due or self._turns)
        if self._rounds.is_open and not is_busy:
            self._reads = 0
            yield from self._read_list()
            return
        self._reads += 1
        if self._due:
            yield from self._read_one(self._due.popleft())
        elif self._turns:
            yield from self._read_next()
        elif now >= self._next_sweep:
            self._next_sweep = now + _SWEEP_EVERY
            yield from self._sweep()
        else:
            self.rest = max(0.0, self._rounds.next_at - now)

    # The list

    def _begin_round(self) -> None:
        for one in self._watched.values():
            if not one.is_listed:
                self._put_due(one)
        listed = {key: one for key, one in self._watched.items() if one.is_listed}
        raws = [_raw(one.run) for one in listed.values()]
        agents = {None if raw is None else raw.get("agent_id") for raw in raws}
        agent = agents.pop() if len(agents) == 1 else None
        times = {key: one.created_at for key, one in listed.items()}
        self._rounds.begin(times, agent if isinstance(agent, str) else None)

    def _read_list(self) -> Iterator[Event]:
        if not self._rounds.is_through:
            for item in self._rounds.read():
                watched = self._watched.get(item["id"].casefold())
                if watched is not None:
                    yield from self._note(watched, item)
        if self._rounds.is_through:
            self._end_round()

    def _end_round(self) -> None:
        missed, may_be_listed = self._rounds.end(changed=self._changed)
        self._changed = False
        for key in missed:
            watched = self._watched.get(key)
            if watched is not None:
                watched.is_listed = may_be_listed or self._is_new(watched)
                self._put_due(watched)
        if not self._transport.list_tells_all:
            self._turns = len(self._watched)

    def _note(self, watched: Watched, raw: dict[str, Any]) -> Iterator[Event]:
        """Note what the list tells of a run."""
        stamp = _stamp(raw)
        if watched.told_nothing is not None:
            if stamp == watched.told_nothing:
                self._transport.list_tells_all = False
            watched.told_nothing = None
        if stamp == watched.stamp:
            if watched.was_answered:
                self._put_due(watched)
            return
        watched.run._take_listed(raw)
        yield from self._note_status(watched, raw)
        self._note_what_follows(watched)

    def _note_what_follows(self, watched: Watched) -> None:
        if watched.conversation is not None or watched.status == "waiting":
            self._put_due(watched)
        elif watched.run._has_ended:
            self._known.append(self._finished(watched))

    def _note_status(self, watched: Watched, raw: dict[str, Any]) -> Iterator[Event]:
        self._changed = True
        watched.created_at = watched.created_at or _text(raw.get("created_at"))
        stamp = _stamp(raw)
        before, watched.status, watched.stamp = watched.status, stamp[0], stamp
        if watched.status != "waiting":
            watched.was_answered = False
        if watched.status != before:
            yield Event(type="status", run=watched.run)

    # One run

    def _put_due(self, watched: Watched) -> None:
        # Ends and requests are waited for more than what is said in between.
        is_urgent = watched.status in _URGENT
        if watched.is_due:
            if not is_urgent:
                return
            self._due.remove(watched)
        watched.is_due = True
        if is_urgent:
            self._due.appendleft(watched)
        else:
            self._due.append(watched)

    def _read_one(self, watched: Watched, *, wholly: bool = False) -> Iterator[Event]:
        watched.is_due = False
        if watched.run.id.casefold() not in self._watched:
            return
        run = watched.run
        if wholly or self._needs_a_look(watched):
            if not self._read_run(watched):
                return
            if _stamp(run._raw_run) != watched.stamp:
                yield from self._note_status(watched, run._raw_run)
        ended = run._has_ended
        yield from self._new_messages(watched, ended=ended)
        request = None if run._listed else run.pending_request
        if request is not None and request.id != watched.request_id:
            watched.request_id = request.id
            watched.was_answered = False
            self._changed = True
            yield Event(type="human_request", run=run, request=request)
        if ended:
            yield self._finished(watched)

    def _needs_a_look(self, watched: Watched) -> bool:
        """Whether there is more to know of the run, beside its messages, than the list tells."""
        if watched.stamp is None or not watched.is_listed or watched.status == "waiting":
            return True
        return watched.run.is_finished and not watched.run._has_ended

    def _read_run(self, watched: Watched) -> bool:
        """Read the run itself; whether it could be."""
        try:
            watched.run._read(self._reader)
        except NotFound as error:
            if self._is_new(watched):
                return False
            if self._lost is None:
                raise
            self.drop(watched.run)
            self._lost(watched.run, error)
            return False
        return True

    def _new_messages(self, watched: Watched, *, ended: bool) -> Iterator[Event]:
        conversation = watched.conversation
        if conversation is None:
            return
        conversation.cursor.grows_only = self._transport.long_poll > 0
        try:
            for message in conversation.up_to_now(proven=ended):
                self._changed = True
                yield Event(type="message", run=watched.run, message=message)
        except (NotFound, PermissionDenied) as error:
            # What cannot be read of one run must not spoil what can be read of it, and of others.
            logger.warning("the messages of run %s cannot be read: %s", watched.run.id, error)
            watched.conversation = None
            return
        if ended:
            conversation.outcome.is_read = True
            watched.run._outcome = conversation.outcome

    def _finished(self, watched: Watched) -> Event:
        del self._watched[watched.run.id.casefold()]
        self._changed = True
        return Event(type="finished", run=watched.run)

    def _is_new(self, watched: Watched) -> bool:
        began = watched.run._started_here_at
        return began is not None and self._reader.clock.now() - began < NEW_RUN_GRACE

    # What the list may not tell

    def _is_worth_a_look(self, watched: Watched) -> bool:
        return watched.stamp is not None and (
            watched.conversation is not None or watched.status == "waiting"
        )

    def _next_quiet(self) -> Watched | None:
        """The run that was looked at longest ago."""
        for _ in range(len(self._watched)):
            key, watched = next(iter(self._watched.items()))
            self._watched.move_to_end(key)
            if self._is_worth_a_look(watched) and not watched.is_due:
                return watched
        return None

    def _read_next(self) -> Iterator[Event]:
        """Read the next run in turn, on a server whose list does not tell what it says."""
        self._turns -= 1
        quiet = self._next_quiet()
        if quiet is None:
            self._turns = 0
        else:
            yield from self._read_one(quiet)

    def _sweep(self) -> Iterator[Event]:
        watched = self._next_quiet()
        if watched is None:
            return
        before = watched.stamp
        found = False
        for event in self._read_one(watched, wholly=True):
            found = found or event.type in ("message", "human_request")
            yield event
        if found:
            # Whether the list will tell it shows when it is read next.
            watched.told_nothing = before


def _raw(run: Run) -> dict[str, Any] | None:
    return None if run._answer is None else run._raw_run


def _stamp(raw: dict[str, Any]) -> Stamp:
    return wire.status(raw["status"]), raw.get("updated_at")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

"""Watching many runs by the list of runs, and reading a run itself only when needed."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque

from .._errors import NotFound, PermissionDenied
from .._flow.steps import Give
from .._models import wire
from .._run.actions import poll
from .._run.conversation import Conversation
from .._run.polling import NEW_RUN_GRACE
from .rounds import Rounds
from .watched import RunEvent, Watched, stamp_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .._flow.steps import Flow
    from .._run.polling import Poller
    from .._run.state import RunState

logger = logging.getLogger("duvo")

_SWEEP_EVERY = 2.0
"""Seconds between two reads of runs that seem unchanged."""

_READS_A_PAGE = 3
"""Maximum number of runs that are read before the next page of the list."""

_URGENT = wire.FINISHED | {"waiting"}


class Watcher:
    """Watches runs, with one request at a time.

    Rounds over the list show which runs have changed. A run that changed is read
    itself if more is wanted than the list shows: messages and human requests.
    These reads come before the next pages, so that a round takes as long as there
    is something to read. A slow sweep also reads runs that seem unchanged. If it
    finds a change that the list did not show, the list of this server cannot be
    trusted, and every run is read in turn.

    Args:
        messages: whether the runs' messages are wanted.
        tolerates_lost: whether to collect runs that no longer exist in `lost`,
            and not to raise an error.

    Attributes:
        rest: seconds for which nothing is due after a step.
        lost: runs that no longer exist, with their errors; the caller clears it.
    """

    def __init__(self, poller: Poller, *, messages: bool, tolerates_lost: bool = False):
        self.rest = 0.0
        self.lost: list[tuple[RunState, NotFound]] = []
        self._api = poller.api
        self._poller = poller
        self._messages = messages
        self._tolerates_lost = tolerates_lost
        # The least recently checked run comes first.
        self._watched: OrderedDict[str, Watched] = OrderedDict()
        self._due: deque[Watched] = deque()
        self._rounds = Rounds(poller)
        self._reads = 0
        self._turns = 0
        self._changed = False
        self._next_sweep = 0.0
        self._pending: list[RunEvent] = []

    def __len__(self) -> int:
        """The number of runs that have not ended."""
        return len(self._watched)

    @property
    def is_busy(self) -> bool:
        """Whether there is more to read, or to report."""
        return bool(self._watched or self._pending)

    def add(self, state: RunState) -> None:
        """Start watching a run."""
        if state.id.casefold() in self._watched:
            return
        conversation = Conversation(state.id, self._poller) if self._messages else None
        watched = Watched(state, conversation)
        self._watched[watched.key] = watched
        if not state.is_loaded:
            return
        raw = state.raw_run
        watched.created_at = _text(raw.get("created_at"))
        if state.has_ended(self._now):
            self._pending += self._record_status(watched, raw)
            self._schedule(watched)

    def drop(self, state: RunState) -> None:
        """Stop watching a run."""
        self._watched.pop(state.id.casefold(), None)

    def record_reply(self, state: RunState) -> None:
        """Record that a reply was sent to a run's request."""
        watched = self._watched.get(state.id.casefold())
        if watched is not None:
            watched.was_answered = True

    def step(self) -> Flow[None]:
        """Give the events of one read, if any is due, and set `rest`."""
        self._poller.check_deadline()
        self.rest = 0.0
        if self._pending:
            # Before a read, which may fail.
            pending, self._pending = self._pending, []
            yield Give(pending)
            return
        if not self._watched:
            return
        now = self._now
        if not self._rounds.is_open and now >= self._rounds.next_at:
            if self._rounds.next_at:
                self._poller.check_look()
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
            yield from self._read_next_in_turn()
        elif now >= self._next_sweep:
            self._poller.check_look()
            self._next_sweep = now + _SWEEP_EVERY
            yield from self._sweep()
        else:
            self.rest = max(0.0, self._rounds.next_at - now)

    @property
    def _now(self) -> float:
        return self._api.clock.now()

    # The list

    def _begin_round(self) -> None:
        for watched in self._watched.values():
            if not watched.is_listed:
                self._put_due(watched)
        listed = {key: watched for key, watched in self._watched.items() if watched.is_listed}
        agents = {
            watched.state.raw_run.get("agent_id") if watched.state.is_loaded else None
            for watched in listed.values()
        }
        agent = agents.pop() if len(agents) == 1 else None
        times = {key: watched.created_at for key, watched in listed.items()}
        self._rounds.begin(times, agent if isinstance(agent, str) else None)

    def _read_list(self) -> Flow[None]:
        if not self._rounds.is_read:
            for item in (yield from self._rounds.read_page()):
                watched = self._watched.get(item["id"].casefold())
                if watched is not None:
                    events = list(self._record_item(watched, item))
                    if events:
                        yield Give(events)
        if self._rounds.is_read:
            self._end_round()

    def _end_round(self) -> None:
        missed = self._rounds.end(changed=self._changed)
        self._changed = False
        for key in missed:
            watched = self._watched.get(key)
            if watched is not None:
                watched.is_listed = self._is_new(watched)
                self._put_due(watched)
        if not self._api.server.list_shows_changes:
            self._turns = len(self._watched)

    def _record_item(self, watched: Watched, raw: dict[str, Any]) -> Iterator[RunEvent]:
        stamp = stamp_of(raw)
        if watched.unreported_at is not None:
            if stamp == watched.unreported_at:
                self._api.server.list_shows_changes = False
            watched.unreported_at = None
        if stamp == watched.stamp:
            if watched.was_answered:
                self._put_due(watched)
            return
        watched.state.update_from_list(raw)
        yield from self._record_status(watched, raw)
        self._schedule(watched)

    def _schedule(self, watched: Watched) -> None:
        if watched.conversation is not None or watched.status == "waiting":
            self._put_due(watched)
        elif watched.state.has_ended(self._now):
            self._pending.append(self._finish(watched))

    def _record_status(self, watched: Watched, raw: dict[str, Any]) -> Iterator[RunEvent]:
        self._changed = True
        watched.created_at = watched.created_at or _text(raw.get("created_at"))
        stamp = stamp_of(raw)
        before, watched.status, watched.stamp = watched.status, stamp[0], stamp
        if watched.status != "waiting":
            watched.was_answered = False
        if watched.status != before:
            yield RunEvent("status", watched.state)

    # One run

    def _put_due(self, watched: Watched) -> None:
        # Ends and human requests are more urgent than messages.
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

    def _read_one(self, watched: Watched, *, wholly: bool = False) -> Flow[bool]:
        """Read a run; return whether it had a new message or human request."""
        watched.is_due = False
        if watched.key not in self._watched:
            return False
        state = watched.state
        if wholly or watched.needs_read(self._now):
            if not (yield from self._read_run(watched)):
                return False
            if stamp_of(state.raw_run) != watched.stamp:
                events = list(self._record_status(watched, state.raw_run))
                if events:
                    yield Give(events)
        ended = state.has_ended(self._now)
        has_news = yield from self._give_messages(watched, ended=ended)
        request = None if state.listed else state.pending_request
        if request is not None and request.id != watched.request_id:
            watched.request_id = request.id
            watched.was_answered = False
            self._changed = has_news = True
            yield Give([RunEvent("human_request", state, request=request)])
        if ended:
            yield Give([self._finish(watched)])
        return has_news

    def _read_run(self, watched: Watched) -> Flow[bool]:
        """Read the run itself; return whether it exists."""
        try:
            yield from poll(self._poller, watched.state)
        except NotFound as error:
            if self._is_new(watched):
                return False
            if not self._tolerates_lost:
                raise
            self.drop(watched.state)
            self.lost.append((watched.state, error))
            return False
        return True

    def _give_messages(self, watched: Watched, *, ended: bool) -> Flow[bool]:
        conversation = watched.conversation
        if conversation is None:
            return False
        conversation.cursor.grows_only = self._api.server.long_poll > 0
        try:
            arrived = yield from conversation.give_new(
                proven=ended,
                wrap=lambda message: RunEvent("message", watched.state, message=message),
            )
        except (NotFound, PermissionDenied) as error:
            # This run's status, and the other runs, can still be read.
            logger.warning("the messages of run %s cannot be read: %s", watched.state.id, error)
            watched.conversation = None
            return False
        self._changed = self._changed or arrived
        if ended:
            conversation.final_answer.is_read = True
            watched.state.final_answer = conversation.final_answer
        return arrived

    def _finish(self, watched: Watched) -> RunEvent:
        del self._watched[watched.key]
        self._changed = True
        return RunEvent("finished", watched.state)

    def _is_new(self, watched: Watched) -> bool:
        started_at = watched.state.started_here_at
        return started_at is not None and self._now - started_at < NEW_RUN_GRACE

    # Changes that the list may not show

    def _next_quiet(self) -> Watched | None:
        """Return the least recently checked run, or None."""
        for _ in range(len(self._watched)):
            key, watched = next(iter(self._watched.items()))
            self._watched.move_to_end(key)
            if watched.needs_sweep and not watched.is_due:
                return watched
        return None

    def _read_next_in_turn(self) -> Flow[None]:
        """Read the next run, on a server whose list does not show all changes."""
        self._turns -= 1
        quiet = self._next_quiet()
        if quiet is None:
            self._turns = 0
        else:
            yield from self._read_one(quiet)

    def _sweep(self) -> Flow[None]:
        watched = self._next_quiet()
        if watched is None:
            return
        before = watched.stamp
        if (yield from self._read_one(watched, wholly=True)):
            # The next page of the list shows whether it has the change.
            watched.unreported_at = before


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

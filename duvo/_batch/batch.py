"""The loop of a batch: it takes inputs, and starts, watches and answers their runs."""

from __future__ import annotations

import os
from collections import Counter, deque
from itertools import islice

from .. import _errors
from .._flow.drivers import collect
from .._flow.steps import Call, Give, block
from .._run.on_request import Responder
from .._run.polling import Poller
from .._run.state import RunState
from .._settings.arguments import checked_count
from .._watch.watcher import Watcher
from . import tasks
from .adoption import newest_mark
from .completions import Await, Spawn
from .entry import Entry, Progress, outcome, restored, stored
from .journal import Journal
from .starts import Starts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from .._flow.perform import Driver
    from .._flow.perform_async import AsyncDriver
    from .._flow.steps import Flow
    from .._models.human_requests import HumanRequest
    from .._models.types import Answers, AsyncOnRequest
    from .._tables.results_csv import Outcome
    from .._watch.watched import RunEvent
    from .completions import Completion
    from .entry import Changes
    from .inputs import Inputs

_AT_ONCE = 100
"""Maximum number of inputs that are taken, and recorded, together."""

_OF_ONE_RUN = (
    _errors.HumanRequestPending,
    _errors.InvalidReply,
    _errors.InvalidRequest,
    _errors.Conflict,
    _errors.NotFound,
)
"""Errors of a reply that concern only its run."""


class Batch:
    """A running batch; `Runs.map` explains its arguments.

    Args:
        driver: has the API; also passed to executors.
        concurrency: maximum number of unfinished entries at a time.
        make_run: makes the user's object for a run.
    """

    def __init__(
        self,
        driver: Driver | AsyncDriver,
        find_agent: Callable[[], Flow[str]],
        inputs: Inputs,
        journal: str | None,
        *,
        concurrency: int,
        on_request: AsyncOnRequest,
        answers: Answers | None,
        retry_failed: bool,
        make_run: Callable[[RunState], Any],
    ):
        if retry_failed and journal is None:
            raise _errors.ConfigError("retry_failed needs a journal, which has the earlier runs")
        self._driver = driver
        self._api = driver.api
        self._find_agent = find_agent
        self._inputs = inputs
        self._file = journal
        self._concurrency = concurrency
        self._on_request = on_request
        self._answers = answers
        self._retry_failed = retry_failed
        self._make_run = make_run
        self._is_prepared = False
        self._opened: Journal | None = None
        self._poller = Poller(driver.api, None, None)
        self._watcher = Watcher(self._poller, messages=False, tolerates_lost=True)
        # An entry is unfinished until its result is in the journal or it has failed. Its
        # run is first started, then watched, by id, and may wait for a human at times.
        self._unfinished: set[Entry] = set()
        self._watched: dict[str, Entry] = {}
        self._waiting: set[Entry] = set()
        # Entries with a result, first to be recorded in the journal, then to be given.
        self._to_record: list[Entry] = []
        self._to_give: deque[Entry] = deque()
        self._warned: set[str] = set()
        # Rows whose runs wait for a human, who is not waited for.
        self._left: set[int] = set()
        self._failures: list[tuple[int, Any, _errors.DuvoError]] = []
        # Numbers of entries with a result, by the status of the run.
        self._finished: Counter[str] = Counter()

    @property
    def progress(self) -> Progress:
        """The progress; may be read from any thread."""
        waiting = len(self._waiting)
        return Progress(
            completed=self._finished["completed"],
            failed=self._finished["failed"] + len(self._failures),
            stopped=self._finished["stopped"],
            running=max(0, len(self._unfinished) - waiting),
            waiting=waiting,
        )

    def prepare(self) -> Flow[None]:
        """Find the agent and the team, and open the journal. Repeated calls do nothing."""
        if self._is_prepared:
            return
        self._agent_id = yield from self._find_agent()
        team_id = yield from self._api.team_id()
        self._journal = yield from block(self._open_journal, team_id)
        self._starts = Starts(self._api, self._agent_id, self._journal)
        self._is_prepared = True

    def _open_journal(self, team_id: str) -> Journal:
        # An interrupted batch may never receive what this returns: `finish` closes it.
        if self._opened is None:
            self._opened = Journal(
                self._file, self._api.base_url, team_id, self._agent_id, self._inputs.named_by
            )
        return self._opened

    def compare(self, inputs: Iterable[Any]) -> Flow[Changes]:
        """Compare all inputs with the journal."""
        yield from self.prepare()
        named = (self._inputs.for_journal(*item) for item in enumerate(inputs))
        return (yield from block(self._journal.compare, named))

    def write_csv(
        self, file: str | os.PathLike[str], inputs: Iterable[Any], delimiter: str
    ) -> Flow[None]:
        """Write all inputs and their outcomes, by the journal."""
        if self._file is None:
            raise _errors.ConfigError("a CSV of results is made from a journal; give a journal")
        yield from self.prepare()
        yield from block(self._write_csv, file, inputs, delimiter)

    def _write_csv(
        self, file: str | os.PathLike[str], inputs: Iterable[Any], delimiter: str
    ) -> None:
        from .._tables.results_csv import write_csv

        with self._journal.reading():
            write_csv(file, self._outcomes(inputs), delimiter)

    def _outcomes(self, inputs: Iterable[Any]) -> Iterator[tuple[Any, Outcome]]:
        from .._tables.results_csv import Outcome

        waiting = {entry.row.id for entry in self._waiting} | self._left
        numbered = enumerate(inputs)
        while some := list(islice(numbered, _AT_ONCE)):
            rows = self._journal.look_up([self._inputs.name(*item) for item in some])
            for (_, value), row in zip(some, rows, strict=True):
                is_waiting = row is not None and row.id in waiting
                yield value, Outcome("waiting") if is_waiting else outcome(row)

    def drop_inputs(self) -> None:
        """Take no more inputs: end the wait for the next one of an async iterable."""
        self._inputs.drop()

    def finish(self, completions: Sequence[Completion]) -> None:
        """Record the last starts, and close the journal. It blocks."""
        if self._is_prepared:
            self._starts.finish(completions)
        elif self._opened is not None:
            self._opened.close()

    def give_finished(self) -> Flow[None]:
        """Give each entry whose run has ended; at the end, raise an error if some have none."""
        yield from self.prepare()
        if (yield from block(self._journal.read_mark)) is None:
            mark = yield from self._poller.repeat(lambda: newest_mark(self._api, self._agent_id))
            yield from block(self._journal.set_mark, mark)
        while (yield from self._take_inputs()) or self._unfinished or self._to_give:
            yield from self._starts.step()
            yield from self._give_recorded()
            for event in (yield from collect(self._watcher.step())):
                yield from self._handle(event)
            self._fail_lost()
            completions = yield Await(self._patience())
            yield from self._record_all(completions)
            yield from self._starts.step()
        incomplete = _incomplete(self._failures) if self._failures else None
        if self._inputs.error is not None:
            raise self._inputs.error from incomplete
        if incomplete is not None:
            raise incomplete

    def _give_recorded(self) -> Flow[None]:
        while self._to_give:
            entry = self._to_give.popleft()
            yield Give([entry])
            if not entry.row.delivered:
                yield from block(self._journal.delivered, [entry.row])

    def _patience(self) -> float | None:
        """Return the seconds to wait for a completion; None for no limit."""
        if self._to_give or self._has_room or not self._unfinished:
            return 0.0
        return self._watcher.rest if self._watcher.is_busy else None

    # Inputs

    @property
    def _has_room(self) -> bool:
        return not self._inputs.are_taken and len(self._unfinished) < self._concurrency

    def _take_inputs(self) -> Flow[bool]:
        """Take as many inputs as there is room for; return whether there may be more."""
        if self._has_room:
            room = self._concurrency - len(self._unfinished)
            take = self._inputs.take_async if self._driver.may_await else self._inputs.take
            taken = yield Call(take, min(room, _AT_ONCE))
            rows = yield from block(self._journal.take, [item.name for item in taken])
            if self._retry_failed:
                rows = yield from block(self._journal.retry_failed, rows)
            pairs = zip(rows, taken, strict=True)
            self._begin([Entry(row, item) for row, item in pairs if not row.repeated])
        return not self._inputs.are_taken

    def _begin(self, entries: list[Entry]) -> None:
        to_start: list[Entry] = []
        for entry in entries:
            row = entry.row
            if row.state == "finished":
                assert row.run_id is not None and row.result is not None
                self._set_run(entry, restored(row.run_id, row.result))
                self._add_result(entry)
                continue
            self._unfinished.add(entry)
            if row.run_id is not None:
                self._watch(entry, RunState(row.run_id))
            elif entry.was_sent_differently:
                self._fail(entry, _sent_differently(entry))
            else:
                to_start.append(entry)
        self._starts.add(to_start)

    # Runs

    def _set_run(self, entry: Entry, state: RunState) -> None:
        entry.state, entry.run = state, self._make_run(state)

    def _watch(self, entry: Entry, state: RunState) -> None:
        self._set_run(entry, state)
        self._watched[state.id] = entry
        self._watcher.add(state)

    def _handle(self, event: RunEvent) -> Flow[None]:
        state = event.state
        entry = self._watched[state.id]
        if event.type == "status":
            (self._waiting.add if state.status == "waiting" else self._waiting.discard)(entry)
        elif event.type == "finished":
            flow = tasks.final_answer(self._api, state)
            in_executor = (tasks.final_answer_in_executor, (self._driver, state))
            yield Spawn("final answer", entry, flow, in_executor)
        elif event.request is not None:
            yield self._reply(entry, state, event.request)

    def _reply(self, entry: Entry, state: RunState, request: HumanRequest) -> Spawn:
        on_request, answers = self._on_request, self._answers
        responder = Responder(
            on_request,
            answers,
            warn=True,
            may_await=self._driver.may_await,
            warned=self._warned,
        )
        flow = tasks.reply(self._api, state, request, responder)
        arguments = (self._driver, state, request, on_request, answers)
        return Spawn("reply", entry, flow, (tasks.reply_in_executor, arguments))

    def _record_all(self, completions: Sequence[Completion]) -> Flow[None]:
        failure: Exception | None = None
        for completion in completions:
            # An error that ends the batch must not lose other completions.
            try:
                self._record(completion)
            except Exception as error:
                failure = failure or error
        yield from self._write()
        if failure is not None:
            raise failure

    def _record(self, completion: Completion) -> None:
        kind = completion.spawn.kind
        if kind in ("start", "search"):
            for settled in self._starts.record(completion):
                if isinstance(settled.outcome, RunState):
                    self._watch(settled.entry, settled.outcome)
                else:
                    self._fail(settled.entry, settled.outcome)
            return
        entry: Entry = completion.spawn.subject
        assert entry.state is not None
        if kind == "final answer":
            entry.state.final_answer = completion.result()
            self._to_record.append(entry)
            return
        try:
            if completion.result():
                self._watcher.record_reply(entry.state)
        except _OF_ONE_RUN as error:
            if isinstance(error, _errors.RunError):
                error.run = entry.run
            # A reply to a run that has ended does not matter.
            if not entry.state.has_ended(self._api.clock.now()):
                self._fail(entry, error)

    def _write(self) -> Flow[None]:
        """Write what was recorded into the journal."""
        yield from self._starts.write()
        entries, self._to_record = self._to_record, []
        if entries:
            rows = [(entry.row, stored(entry.state)) for entry in entries if entry.state]
            yield from block(self._journal.finished, rows)
            for entry in entries:
                self._forget(entry)
                self._add_result(entry)

    def _add_result(self, entry: Entry) -> None:
        assert entry.state is not None
        self._finished[entry.state.status] += 1
        self._to_give.append(entry)

    def _fail_lost(self) -> None:
        lost, self._watcher.lost = self._watcher.lost, []
        for state, error in lost:
            self._fail(self._watched[state.id], error)

    def _fail(self, entry: Entry, error: _errors.DuvoError) -> None:
        # A run may vanish while its request is being handled.
        if self._forget(entry):
            if isinstance(error, _errors.HumanRequestPending):
                self._left.add(entry.row.id)
            self._failures.append((entry.input.index, entry.input.value, error))

    def _forget(self, entry: Entry) -> bool:
        """Forget an entry; return whether it was unfinished until now."""
        if entry not in self._unfinished:
            return False
        self._unfinished.remove(entry)
        self._waiting.discard(entry)
        if entry.state is not None:
            self._watched.pop(entry.state.id, None)
            self._watcher.drop(entry.state)
        return True


def check_arguments(
    concurrency: int, on_request: AsyncOnRequest, answers: Answers | None, *, may_await: bool
) -> None:
    """Check the arguments of a batch."""
    checked_count(concurrency, "concurrency", 1)
    Responder(on_request, answers, warn=False, may_await=may_await)


def checked_file(journal: str | os.PathLike[str]) -> str:
    """Return the name of a journal's file."""
    file = os.fspath(journal) if isinstance(journal, os.PathLike) else journal
    if not isinstance(file, str):
        raise _errors.ConfigError(f"journal must be the name of a file, not {journal!r:.80}")
    return file


def _sent_differently(entry: Entry) -> _errors.OutcomeUnknown:
    # Sent again under its idempotency key it would be refused, and no search finds its run.
    return _errors.OutcomeUnknown(
        f"a run may or may not have been started for input {entry.input.index}: its start was "
        "sent with another message; give that message again to find out"
    )


def _incomplete(failures: Sequence[tuple[int, Any, _errors.DuvoError]]) -> _errors.MapIncomplete:
    index, _, error = failures[0]
    inputs = "1 input has" if len(failures) == 1 else f"{len(failures)} inputs have"
    return _errors.MapIncomplete(
        f"{inputs} no finished run; the first is input {index}: {error}", failures=failures
    )

"""A batch at work: inputs are taken, their runs are started, watched and answered."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import BrokenExecutor, CancelledError, ThreadPoolExecutor

from .. import _errors
from .._http.bodies import Closed
from .._run.polling import Reader
from .._watch.watcher import Watcher
from . import tasks
from .adoption import newest_mark
from .completions import Inbox
from .entry import Entry
from .results import Progress, Result, restored, stored
from .starts import Starts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor, Future
    from typing import Any

    from .._client import Client
    from .._resources.run import Run
    from .._run.on_request import OnRequest
    from .._run.replies import Answers
    from .._watch.events import Event
    from .inputs import Inputs
    from .journal import Journal, Row

_THREADS = 8
_AT_ONCE = 100
"""Inputs that are taken, and noted, together."""

_OF_ONE_RUN = (
    _errors.HumanRequestPending,
    _errors.InvalidReply,
    _errors.InvalidRequest,
    _errors.Conflict,
    _errors.NotFound,
)
"""What goes wrong with a reply to one run, and says nothing of the others."""


class Batch:
    """What is done for the inputs, by the thread that asks for the results.

    Args:
        client: the client.
        agent_id: the agent.
        inputs: what runs are started for.
        journal: keeps what becomes of them; closed at the end.
        concurrency: runs at work at once.
        on_request: as in `Run.wait`.
        answers: as in `Run.wait`.
        executor: where requests are decided on and answers are read; None for our threads.
    """

    def __init__(
        self,
        client: Client,
        agent_id: str,
        inputs: Inputs,
        journal: Journal,
        *,
        concurrency: int,
        on_request: OnRequest,
        answers: Answers | None,
        executor: Executor | None,
    ):
        self._client = client
        self._agent_id = agent_id
        self._inputs = inputs
        self._journal = journal
        self._concurrency = concurrency
        self._choice = (on_request, answers)
        self._closed = threading.Event()
        self._is_left = False
        self._inbox = Inbox()
        self._threads = ThreadPoolExecutor(min(_THREADS, concurrency), "duvo-map")
        # Of their own: who takes long to decide must not hold up the rest.
        self._deciders = ThreadPoolExecutor(min(_THREADS, concurrency), "duvo-reply")
        self._decides = self._deciders if executor is None else executor
        self._reads = self._threads if executor is None else executor
        # No other process can see that nobody waits any more.
        self._for_work = None if executor is not None else self._closed
        self._starts = Starts(
            client,
            agent_id,
            journal,
            self._threads,
            self._inbox,
            self._closed,
            known=self._watch,
            failed=self._fail,
        )
        self._reader = Reader(client._transport, None, None, closed=self._closed)
        self._watcher = Watcher(client, self._reader, messages=False, lost=self._lost)
        self._at_work: dict[int, Entry] = {}
        self._of_run: dict[str, Entry] = {}
        self._waiting: set[str] = set()
        self._finished: list[Entry] = []
        self._ready: deque[tuple[Result, Row]] = deque()
        self._ended = {"completed": 0, "failed": 0, "stopped": 0}
        self._failures: list[tuple[int, Any, _errors.DuvoError]] = []

    @property
    def progress(self) -> Progress:
        """How it stands; from any thread."""
        waiting = len(self._waiting)
        return Progress(
            completed=self._ended["completed"],
            failed=self._ended["failed"] + len(self._failures),
            stopped=self._ended["stopped"],
            running=max(0, len(self._at_work) - waiting),
            waiting=waiting,
        )

    def results(self) -> Iterator[Result]:
        """Carry it on, and give each result.

        Raises:
            MapIncomplete: at the end: some inputs have no finished run.
            DuvoError: runs can be neither started nor read.
        """
        try:
            if self._journal.mark is None:
                mark = self._reader.read(lambda: newest_mark(self._client, self._agent_id))
                self._journal.set_mark(mark)
            while self._take_inputs() or self._at_work or self._ready:
                while self._ready:
                    result, row = self._ready.popleft()
                    yield result
                    if not result.delivered:
                        self._journal.delivered([row])
                for event in self._watcher.step():
                    self._handle(event)
                try:
                    self._inbox.take_in(self._patience())
                finally:
                    self._note()
                if self._closed.is_set():
                    raise Closed
        finally:
            self.leave()
        incomplete = _incomplete(self._failures) if self._failures else None
        if self._inputs.fault is not None:
            raise self._inputs.fault from incomplete
        if incomplete is not None:
            raise incomplete

    def close(self) -> None:
        """Have whoever iterates leave it; from any thread."""
        self._closed.set()
        self._inbox.wake()

    def leave(self) -> None:
        """End it; runs that are at work go on."""
        if not self._is_left:
            self._is_left = True
            self._closed.set()
            for ours in (self._threads, self._deciders):
                ours.shutdown(wait=False, cancel_futures=True)
            self._starts.leave()

    def _patience(self) -> float | None:
        """Seconds to wait for something to come back; None for as long as it takes."""
        if self._ready or self._has_room or not self._at_work:
            return 0.0
        return self._watcher.rest if self._watcher.is_busy else None

    # Inputs

    @property
    def _has_room(self) -> bool:
        return not self._inputs.are_taken and len(self._at_work) < self._concurrency

    def _take_inputs(self) -> bool:
        """Take as many as there is room for; whether there may be more."""
        if self._has_room:
            room = self._concurrency - len(self._at_work)
            taken = self._inputs.take(min(room, _AT_ONCE))
            rows = self._journal.take([(one.index, one.name) for one in taken])
            pairs = zip(rows, taken, strict=True)
            self._set_to_work([Entry(row, one) for row, one in pairs if not row.repeated])
        return not self._inputs.are_taken

    def _set_to_work(self, entries: list[Entry]) -> None:
        new: list[Entry] = []
        doubtful: list[Entry] = []
        for entry in entries:
            row = entry.row
            if row.state == "finished":
                assert row.run_id is not None and row.result is not None
                entry.run = restored(self._client, row.run_id, row.result)
                self._hand_over(entry)
                continue
            self._at_work[row.id] = entry
            if row.run_id is not None:
                entry.run = self._client.runs.run(row.run_id)
                self._watch(entry)
            else:
                (doubtful if row.state == "sending" else new).append(entry)
        if doubtful:
            self._starts.take_up(doubtful)
        if new:
            self._starts.send(new)

    # Runs

    def _watch(self, entry: Entry) -> None:
        assert entry.run is not None
        self._of_run[entry.run.id] = entry
        self._watcher.add(entry.run)

    def _handle(self, event: Event) -> None:
        run = event.run
        entry = self._of_run[run.id]
        if event.type == "status":
            (self._waiting.add if run.status == "waiting" else self._waiting.discard)(run.id)
        elif event.type == "finished":
            self._submit(self._reads, self._take_outcome, entry, tasks.outcome, run, self._for_work)
        elif event.request is not None:
            self._submit(
                self._decides,
                self._take_reply,
                entry,
                tasks.reply,
                run,
                event.request,
                *self._choice,
                self._for_work,
            )

    def _submit(
        self,
        executor: Executor,
        take_in: Callable[[Entry, Future[Any]], None],
        entry: Entry,
        work: Callable[..., Any],
        *arguments: Any,
    ) -> None:
        try:
            self._inbox.submit(executor, take_in, entry, work, *arguments)
        except Exception as error:
            raise self._failed(error) from None

    def _result_of(self, future: Future[Any]) -> Any:
        try:
            return future.result()
        except (BrokenExecutor, CancelledError) as error:
            raise self._failed(error) from None
        except Exception as error:
            # Dask's words for work whose workers were lost again and again.
            if type(error).__name__ in ("KilledWorker", "FutureCancelledError"):
                raise self._failed(error) from None
            raise

    def _failed(self, error: BaseException) -> _errors.DuvoError:
        # What an executor tells may hold the whole work, and with it the key.
        told = " ".join(str(error).replace(self._client.settings.api_key, "[key]").split())
        return _errors.DuvoError(
            f"the executor failed ({type(error).__name__}: {told:.300}); the runs go on, and "
            "with a journal the same call goes on with them"
        )

    def _take_reply(self, entry: Entry, future: Future[bool]) -> None:
        assert entry.run is not None
        try:
            if self._result_of(future):
                self._watcher.answered(entry.run)
        except _OF_ONE_RUN as error:
            # A run that has ended meanwhile asks nobody any more: its end is what counts.
            if not entry.run._has_ended:
                self._fail(entry, error)

    def _take_outcome(self, entry: Entry, future: Future[Any]) -> None:
        assert entry.run is not None
        entry.run._outcome = self._result_of(future)
        self._finished.append(entry)

    def _note(self) -> None:
        """Note what came back, and have results of it."""
        self._starts.note()
        entries, self._finished = self._finished, []
        if not entries:
            return
        self._journal.finished([(one.row, stored(one.run)) for one in entries if one.run])
        for entry in entries:
            self._forget(entry)
            self._hand_over(entry)

    def _hand_over(self, entry: Entry) -> None:
        run, row, taken = entry.run, entry.row, entry.input
        assert run is not None
        self._ended[run.status] = self._ended.get(run.status, 0) + 1
        result = Result.of(
            taken.given, run, index=taken.index, key=taken.key, delivered=row.delivered
        )
        self._ready.append((result, row))

    def _lost(self, run: Run, error: _errors.DuvoError) -> None:
        self._fail(self._of_run[run.id], error)

    def _fail(self, entry: Entry, error: _errors.DuvoError) -> None:
        # A run may vanish while somebody still decides on what it asked.
        if self._forget(entry):
            self._failures.append((entry.input.index, entry.input.given, error))

    def _forget(self, entry: Entry) -> bool:
        """Whether it was at work until now."""
        if entry.run is not None:
            self._waiting.discard(entry.run.id)
            self._of_run.pop(entry.run.id, None)
            self._watcher.drop(entry.run)
        return self._at_work.pop(entry.row.id, None) is not None


def _incomplete(failures: list[tuple[int, Any, _errors.DuvoError]]) -> _errors.MapIncomplete:
    index, _, error = failures[0]
    inputs = "1 input has" if len(failures) == 1 else f"{len(failures)} inputs have"
    return _errors.MapIncomplete(
        f"{inputs} no finished run; the first is input {index}: {error}", failures=failures
    )

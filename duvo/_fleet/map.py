"""A run for each input, many at once."""

from __future__ import annotations

import queue
import time
from collections import deque
from concurrent.futures import BrokenExecutor, CancelledError, ThreadPoolExecutor

from .. import _errors
from .._bodies import Closed
from .._on_request import Responder
from .._patience import Reader
from .._stream import Stream
from . import tending
from .entry import Entry
from .finding import newest_mark
from .inputs import Inputs
from .journal import Journal
from .results import Progress, Result, restored, stored
from .starting import Starts, undecided
from .watcher import Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future
    from typing import Any

    from .._client import Client
    from .._on_request import OnRequest
    from .._replies import Answers
    from .._run import Run
    from .events import Event
    from .journal import Changes, Row

_THREADS = 8
_AT_ONCE = 100
_LONGEST_END = 5.0
"""Seconds to wait for the answers of starts that are on their way, when a batch is left."""

_REFUSED = (_errors.InvalidRequest, _errors.Conflict)
"""What a server says of one input, not of all."""


class Results(Stream[Result]):
    """The results of a batch as its runs end: an iterator of `(input, run)`.

    Runs are started and answered while it is iterated over. When it is left
    early, runs that are at work go on.
    """

    def __init__(
        self,
        client: Client,
        agent: str,
        inputs: Iterable[Any],
        *,
        concurrency: int,
        on_request: OnRequest,
        answers: Answers | None,
        message: Callable[[Any], str] | None,
        key: str | Callable[[Any], str] | None,
        journal: str | os.PathLike[str] | None,
        executor: Executor | None,
    ):
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise _errors.ConfigError(f"concurrency must be 1 or more, not {concurrency!r}")
        super().__init__()
        # Bad ones are refused now, not by the first run that asks.
        Responder(on_request, answers, warn=False)
        self._client = client
        self._inputs = Inputs(inputs, message=message, key=key, are_kept=journal is not None)
        self._concurrency = concurrency
        self._on_request, self._answers = on_request, answers
        self._executor = executor
        self._agent_id = client.agents.id_of(agent)
        self._journal = Journal(
            None if journal is None else str(journal),
            server=client.base_url,
            team_id=client.team_id,
            agent_id=self._agent_id,
        )
        self._inbox: queue.SimpleQueue[tuple[str, Any, Future[Any] | None]] = queue.SimpleQueue()
        reader = Reader(client._transport, None, None, closed=self._closed)
        self._watcher = Watcher(client, reader, messages=False, lost=self._lost)
        self._at_work: dict[int, Entry] = {}
        self._of_run: dict[str, Entry] = {}
        self._waiting: set[str] = set()
        self._ready: deque[tuple[Result, Row]] = deque()
        self._ended = {"completed": 0, "failed": 0, "stopped": 0}
        self._failures: list[tuple[int, Any, _errors.DuvoError]] = []

    @property
    def progress(self) -> Progress:
        """How the batch stands; from any thread."""
        waiting = len(self._waiting)
        return Progress(
            completed=self._ended["completed"],
            failed=self._ended["failed"] + len(self._failures),
            stopped=self._ended["stopped"],
            running=max(0, len(self._at_work) - waiting),
            waiting=waiting,
        )

    def compare(self, inputs: Iterable[Any]) -> Changes:
        """What these inputs hold beside the journal; sends nothing.

        Args:
            inputs: all of them, as they will be given.
        """
        return self._journal.compare(self._inputs.name(*one) for one in enumerate(inputs))

    def close(self) -> None:
        """Leave the batch; runs that are at work go on. Also from another thread."""
        super().close()
        self._inbox.put(("wake", None, None))
        # Not begun, or left between two results; whoever iterates just now ends it there.
        if not getattr(self._items, "gi_running", False):
            self._items.close()  # type: ignore[attr-defined]
            self._journal.close()

    def _produce(self) -> Iterator[Result]:
        pool = ThreadPoolExecutor(min(_THREADS, self._concurrency), "duvo-map")
        self._pool: Executor = self._executor or pool
        self._starts = Starts(
            self._client, self._agent_id, self._journal, pool, self._put, self._closed
        )
        try:
            if self._journal.mark is None:
                self._journal.set_mark(newest_mark(self._client, self._agent_id))
            while self._take_inputs() or self._at_work or self._ready:
                while self._ready:
                    result, row = self._ready.popleft()
                    yield result
                    if not result.delivered:
                        self._journal.delivered([row])
                for event in self._watcher.step():
                    self._handle(event)
                self._collect(self._patience())
        finally:
            self._leave(pool)
        if self._inputs.fault is not None:
            raise self._inputs.fault
        if self._failures:
            raise _incomplete(self._failures)

    # Inputs

    def _take_inputs(self) -> bool:
        """Take as many as there is room for; whether there may be more."""
        inputs = self._inputs
        while not inputs.are_taken and len(self._ready) < _AT_ONCE:
            room = self._concurrency - len(self._at_work)
            if room <= 0:
                break
            taken = inputs.take(min(room, _AT_ONCE))
            rows = self._journal.take([(one.index, one.name) for one in taken])
            pairs = zip(rows, taken, strict=True)
            self._set_to_work([Entry(row, one) for row, one in pairs if not row.repeated])
        return not inputs.are_taken

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
        if event.type == "status":
            (self._waiting.add if run.status == "waiting" else self._waiting.discard)(run.id)
        elif event.type == "finished":
            self._submit("outcome", self._of_run[run.id], tending.outcome, run)
        elif event.request is not None:
            choice, answers = self._on_request, self._answers
            self._submit(
                "reply", self._of_run[run.id], tending.reply, run, event.request, choice, answers
            )

    def _submit(self, kind: str, entry: Entry, work: Callable[..., Any], *arguments: Any) -> None:
        try:
            future = self._pool.submit(work, *arguments)
        except RuntimeError as error:
            raise _broken(error) from error
        future.add_done_callback(lambda done: self._put(kind, entry, done))

    def _lost(self, run: Run, error: _errors.DuvoError) -> None:
        self._fail(self._of_run[run.id], error)

    def _fail(self, entry: Entry, error: _errors.DuvoError) -> None:
        self._failures.append((entry.input.index, entry.input.given, error))
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        self._at_work.pop(entry.row.id, None)
        if entry.run is not None:
            self._waiting.discard(entry.run.id)
            self._of_run.pop(entry.run.id, None)
            self._watcher.drop(entry.run)

    def _hand_over(self, entry: Entry) -> None:
        run, row = entry.run, entry.row
        assert run is not None
        self._ended[run.status] = self._ended.get(run.status, 0) + 1
        result = Result.of(
            entry.input.given,
            run,
            index=entry.input.index,
            key=entry.input.key,
            delivered=row.delivered,
        )
        self._ready.append((result, row))

    # What comes back from the threads

    def _put(self, kind: str, about: Any, future: Future[Any]) -> None:
        self._inbox.put((kind, about, future))

    def _patience(self) -> float | None:
        """Seconds to wait for something to come back; None for as long as it takes."""
        if self._ready or self._has_room:
            return 0.0
        return self._watcher.rest if self._watcher.is_busy else None

    @property
    def _has_room(self) -> bool:
        return not self._inputs.are_taken and len(self._at_work) < self._concurrency

    def _collect(self, seconds: float | None) -> None:
        started: list[tuple[Row, str]] = []
        finished: list[Entry] = []
        if not self._at_work:
            return
        try:
            if seconds == 0.0:
                self._take_in(*self._inbox.get_nowait(), started, finished)
            else:
                self._take_in(*self._inbox.get(timeout=seconds), started, finished)
            while True:
                self._take_in(*self._inbox.get_nowait(), started, finished)
        except queue.Empty:
            pass
        finally:
            self._journal.started(started)
        if self._closed.is_set():
            raise Closed
        self._journal.finished([(one.row, stored(one.run)) for one in finished if one.run])
        for entry in finished:
            self._forget(entry)
            self._hand_over(entry)

    def _take_in(
        self,
        kind: str,
        about: Any,
        future: Future[Any] | None,
        started: list[tuple[Row, str]],
        finished: list[Entry],
    ) -> None:
        if future is None:
            return
        if kind == "start":
            self._take_start(about, future, started)
        elif kind == "look":
            for entry in self._starts.looked(about, future.result()):
                self._take_found(entry, started)
        elif kind == "outcome":
            about.run._outcome = _result_of(future)
            finished.append(about)
        else:
            try:
                if _result_of(future):
                    self._watcher.answered(about.run)
            except _errors.HumanRequestPending as error:
                self._fail(about, error)

    def _take_start(
        self, entry: Entry, future: Future[Any], started: list[tuple[Row, str]]
    ) -> None:
        try:
            entry.run = future.result()
        except CancelledError:
            self._journal.given_up([entry.row])
        except _REFUSED as error:
            self._journal.given_up([entry.row])
            self._fail(entry, error)
        except _errors.OutcomeUnknown:
            self._starts.take_up([entry])
        else:
            self._take_found(entry, started)
        finally:
            self._starts.returned()

    def _take_found(self, entry: Entry, started: list[tuple[Row, str]]) -> None:
        if entry.run is None:
            self._fail(entry, undecided(entry))
            return
        started.append((entry.row, entry.run.id))
        self._watch(entry)

    def _leave(self, pool: ThreadPoolExecutor) -> None:
        """Note what is still coming back, and let the journal go."""
        self._closed.set()
        pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + _LONGEST_END
        started: list[tuple[Row, str]] = []
        while self._starts.under_way and (left := deadline - time.monotonic()) > 0:
            try:
                kind, about, future = self._inbox.get(timeout=left)
            except queue.Empty:
                break
            if kind == "start" and future is not None:
                self._starts.under_way -= 1
                if future.cancelled():
                    self._journal.given_up([about.row])
                elif future.exception() is None:
                    started.append((about.row, future.result().id))
        self._journal.started(started)
        self._journal.close()


def _result_of(future: Future[Any]) -> Any:
    try:
        return future.result()
    except (BrokenExecutor, CancelledError) as error:
        raise _broken(error) from error
    except Exception as error:
        # Dask's word for work whose workers were lost again and again.
        if type(error).__name__ in ("KilledWorker", "FutureCancelledError"):
            raise _broken(error) from error
        raise


def _broken(error: BaseException) -> _errors.DuvoError:
    return _errors.DuvoError(
        f"the executor lost its work ({type(error).__name__}: {error}); the runs go on, and "
        "with a journal the same call goes on with them"
    )


def _incomplete(failures: list[tuple[int, Any, _errors.DuvoError]]) -> _errors.MapIncomplete:
    index, _, error = failures[0]
    inputs = "1 input has" if len(failures) == 1 else f"{len(failures)} inputs have"
    return _errors.MapIncomplete(
        f"{inputs} no finished run; the first is input {index}: {error}", failures=failures
    )

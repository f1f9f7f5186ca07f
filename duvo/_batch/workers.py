"""The background work of a batch, in threads and the caller's executor."""

from __future__ import annotations

import pickle
import queue
import threading
from concurrent.futures import BrokenExecutor, CancelledError, ThreadPoolExecutor, wait
from functools import partial

from .._advice import words
from .._errors import ConfigError, DuvoError
from .._flow.drivers import run
from .._flow.steps import Closed
from .._settings.credentials import without_key
from .completions import LONGEST_END, Await, Completion, Spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Executor, Future
    from typing import Any, TypeVar

    from .._flow.perform import Driver
    from .._flow.steps import Flow
    from .._models.types import OnRequest
    from .batch import Batch

    T = TypeVar("T")

_THREADS = 8


class Workers:
    """Performs the steps of a batch.

    Args:
        driver: performs all other steps.
        batch: the batch.
        concurrency: maximum number of threads for one kind of work, up to 8.
        executor: the caller's, for replies and final answers; None for threads.
    """

    def __init__(self, driver: Driver, batch: Batch, concurrency: int, executor: Executor | None):
        self._driver = driver
        self._batch = batch
        self._executor = executor
        self._queue: queue.SimpleQueue[Completion | None] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(min(_THREADS, concurrency), "duvo-map")
        # Separate: a slow callable must not delay other work.
        self._deciders = ThreadPoolExecutor(min(_THREADS, concurrency), "duvo-reply")
        self._closed = threading.Event()
        # Starts whose completions the batch has not seen.
        self._starts: dict[Spawn, Future[Completion | None]] = {}

    def run(self, flow: Flow[T]) -> T:
        """Run a flow and return its result."""
        return self._driver.run(flow)

    def perform(self, step: Any, closed: threading.Event) -> Any:
        """Perform one step."""
        kind = type(step)
        if kind in (Spawn, Await) and closed.is_set():
            raise Closed
        if kind is Spawn:
            return self._spawn(step)
        if kind is Await:
            return self._await(step)
        return self._driver.perform(step, closed)

    def _spawn(self, spawn: Spawn) -> None:
        if self._executor is not None and spawn.for_executor is not None:
            function, arguments = spawn.for_executor
            try:
                future = self._executor.submit(function, *arguments)
            except Exception as error:
                raise self._failed(error) from None
            future.add_done_callback(partial(self._put, spawn))
            return
        pool = self._deciders if spawn.kind == "reply" else self._threads
        future = pool.submit(self._work, spawn)
        if spawn.kind == "start":
            self._starts.setdefault(spawn, future)

    def _work(self, spawn: Spawn) -> Completion | None:
        # After Ctrl-C the same step may be performed again.
        if spawn.begun:
            return None
        spawn.begun = True
        try:
            result = run(spawn.flow, partial(self._driver.perform, closed=self._closed))
            completion = Completion(spawn, result)
        except BaseException as error:
            completion = Completion(spawn, error=error)
        self._queue.put(completion)
        return completion

    def _await(self, step: Await) -> list[Completion]:
        completions = step.completions
        block = step.seconds != 0.0 and not completions
        try:
            while True:
                completion = self._queue.get(block=block, timeout=step.seconds if block else None)
                block = False
                if completion is not None:
                    self._starts.pop(completion.spawn, None)
                    completions.append(completion)
        except queue.Empty:
            pass
        return completions

    def _put(self, spawn: Spawn, future: Future[Any]) -> None:
        try:
            completion = Completion(spawn, future.result())
        except BaseException as error:
            # Dask's errors, for work that lost its workers repeatedly, are known by name.
            failed = isinstance(error, (BrokenExecutor, CancelledError)) or (
                type(error).__name__ in ("KilledWorker", "FutureCancelledError")
            )
            completion = Completion(spawn, error=self._failed(error) if failed else error)
        self._queue.put(completion)

    def _failed(self, error: BaseException) -> DuvoError:
        # An executor's error may quote the work, and with it the key.
        text = " ".join(without_key(str(error), self._driver.api.api_key).split())
        return ExecutorFailed(
            f"the executor failed ({type(error).__name__}: {text:.300}); the runs are still "
            f"running, and {words().continue_batch()}"
        )

    def interrupt(self) -> None:
        """End the work, and a pending `Await`, from any thread."""
        self._closed.set()
        self._queue.put(None)

    def finish(self) -> None:
        """End the work. Starts that were sent are still recorded, after 5 s in a thread."""
        self._closed.set()
        for pool in (self._threads, self._deciders):
            pool.shutdown(wait=False, cancel_futures=True)
        pending = [future for future in self._starts.values() if not future.cancelled()]
        _, unfinished = wait(pending, timeout=LONGEST_END)
        if not unfinished:
            self._record_last(pending)
        else:
            threading.Thread(target=self._record_last, args=(pending,), name="duvo-map-end").start()

    def _record_last(self, pending: list[Future[Completion | None]]) -> None:
        cancelled = [
            Completion(spawn, error=CancelledError())
            for spawn, future in self._starts.items()
            if future.cancelled()
        ]
        done = [completion for future in pending if (completion := future.result()) is not None]
        self._batch.finish(done + cancelled)


def check_executor(executor: Executor | None, on_request: OnRequest) -> None:
    """Check that an executor can be used, and that `on_request` can be sent to it."""
    if executor is not None and not hasattr(executor, "submit"):
        raise ConfigError(f"executor must be an Executor, not {executor!r:.80}")
    # Other executors, such as Dask's, have their own ways to send a function.
    if any(base.__name__ == "ProcessPoolExecutor" for base in type(executor).__mro__):
        try:
            pickle.dumps(on_request)
        except Exception as error:
            raise ConfigError(
                f"on_request cannot be sent to another process ({error}); "
                "give a function at the top level of a module"
            ) from None


class ExecutorFailed(DuvoError):
    """The caller's executor failed, and cannot do any more work."""

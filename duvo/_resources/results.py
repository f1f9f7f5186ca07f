"""The results of a batch, as they are iterated over."""

from __future__ import annotations

import pickle
import threading

from .. import _errors
from .._batch.batch import Batch
from .._batch.journal import Journal
from .._batch.workers import Workers
from .._flow.drivers import convert
from .._flow.iterators import ClosableIterator
from .._run.on_request import Responder
from .events import Result
from .run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from concurrent.futures import Executor
    from typing import Any

    from .._batch.entry import Entry
    from .._batch.inputs import Inputs
    from .._batch.journal import Changes
    from .._batch.results import Progress
    from .._flow.perform import Driver
    from .._run.on_request import OnRequest
    from .._run.replies import Answers


class Results(ClosableIterator[Result[Run]]):
    """The results of a batch as its runs end: an iterator of `(input, run)`.

    Runs are started and answered while it is iterated over. When it is closed
    early, unfinished runs are still running.
    """

    def __init__(
        self,
        driver: Driver,
        agent_id: str,
        team_id: str,
        inputs: Inputs,
        *,
        concurrency: int,
        on_request: OnRequest,
        answers: Answers | None,
        journal: str | os.PathLike[str] | None,
        executor: Executor | None,
    ):
        self._inputs = inputs
        self._journal = Journal(
            None if journal is None else str(journal),
            server=driver.api.base_url,
            team_id=team_id,
            agent_id=agent_id,
        )
        self._batch = Batch(
            driver,
            agent_id,
            self._inputs,
            self._journal,
            concurrency=concurrency,
            on_request=on_request,
            answers=answers,
            make_run=lambda state: Run(driver, state),
        )
        self._workers = Workers(driver, concurrency, executor)
        self._iterating = threading.Lock()
        self._is_left = False
        super().__init__(convert(self._batch.give_finished(), _results), self._workers.perform)

    @property
    def progress(self) -> Progress:
        """The progress of the batch, from any thread."""
        return self._batch.progress

    def compare(self, inputs: Iterable[Any]) -> Changes:
        """Compare inputs with the journal. Sends nothing.

        Args:
            inputs: all of them, as they will be given.
        """
        return self._journal.compare(self._inputs.name(*item) for item in enumerate(inputs))

    def __next__(self) -> Result[Run]:
        try:
            with self._iterating:
                return super().__next__()
        except (StopIteration, Exception):
            self._leave()
            raise
        finally:
            if self._closed.is_set():
                self.close()

    def close(self) -> None:
        """Leave the batch, also from another thread; unfinished runs are still running."""
        super().close()
        self._workers.close()
        # While another thread iterates, that thread leaves.
        if self._iterating.acquire(blocking=False):
            try:
                self._leave()
            finally:
                self._iterating.release()

    def _leave(self) -> None:
        if not self._is_left:
            self._is_left = True
            self._workers.leave(self._batch.starts.finish)

    def __del__(self) -> None:
        if hasattr(self, "_is_left"):
            self.close()


def check_arguments(
    concurrency: int, on_request: OnRequest, answers: Answers | None, executor: Executor | None
) -> None:
    """Check the arguments of a batch before anything is done.

    Raises:
        ConfigError: one of them cannot work.
    """
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise _errors.ConfigError(f"concurrency must be 1 or more, not {concurrency!r}")
    if executor is not None and not hasattr(executor, "submit"):
        raise _errors.ConfigError(f"executor must be an Executor, not {executor!r:.80}")
    Responder(on_request, answers, warn=False, may_await=False)
    # Other executors, such as Dask's, have ways of their own to send a function.
    if any(base.__name__ == "ProcessPoolExecutor" for base in type(executor).__mro__):
        try:
            pickle.dumps(on_request)
        except Exception as error:
            raise _errors.ConfigError(
                f"on_request cannot be sent to another process ({error}); "
                "give a function at the top level of a module"
            ) from None


def _results(entries: Sequence[Entry]) -> list[Result[Run]]:
    return [
        Result.of(
            entry.input.given,
            entry.run,
            index=entry.input.index,
            key=entry.input.key,
            delivered=entry.row.delivered,
        )
        for entry in entries
    ]

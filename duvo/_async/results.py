"""Made from _resources/results.py by docs/async_classes.py; change that file instead."""

from __future__ import annotations

from collections import deque
from typing import Any, Generic

from .._batch.async_workers import AsyncWorkers
from .._batch.batch import Batch
from .._flow.drivers import convert
from .._flow.iterators import AsyncClosableIterator
from .._resources.events import Result, T
from .run import AsyncRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from .._batch.entry import Changes, Entry, Progress


class AsyncResults(AsyncClosableIterator[Result[T, AsyncRun]], Generic[T]):
    """The results of a batch as its runs end: an iterator of `(input, run)`.

    Runs are started and answered during the iteration. When it is closed early,
    unfinished runs keep running.
    """

    def __init__(self, batch: Batch, workers: AsyncWorkers):
        # Kept for display. The flow must not refer to this object: once it is dropped, it is
        # collected, which closes the batch.
        latest = self._latest = deque[Result[T, AsyncRun]](maxlen=20)

        def results(entries: Sequence[Entry]) -> list[Result[T, AsyncRun]]:
            new = _results(entries)
            latest.extend(new)
            return new

        super().__init__(convert(batch.give_finished(), results), workers)
        self._batch = batch
        self._shown: list[Result[T, AsyncRun]] = []

    @property
    def progress(self) -> Progress:
        """The progress of the batch."""
        return self._batch.progress

    async def show(self) -> list[Result[T, AsyncRun]]:
        """Iterate to the end, and show the progress and the results as they come.

        In a notebook it is one output, updated at most four times a second, with the latest
        20 results; elsewhere, a line is printed for each result. After a
        cancellation, it can be called again, and continues.

        Returns:
            All results that were shown, by earlier calls too.

        Raises:
            MapIncomplete: at the end: some inputs have no finished run.
            DuvoError: runs cannot be started or read.
        """
        from .._notebook.live import Live
        from .._resources.html import result_line

        shown = self._shown
        with Live(self) as live:
            async for result in self:
                shown.append(result)
                live.add(result_line(result.index, result.key, result.run))
            live.add(self.progress.describe())
        return shown

    async def compare(self, inputs: Iterable[Any]) -> Changes:
        """Compare inputs with the journal, also after the iteration. Sends nothing.

        Args:
            inputs: all inputs, as they will be given.

        Raises:
            JournalError: the journal cannot be read, or the batch has ended without one.
        """
        changes: Changes = await self._driver.run(self._batch.compare(inputs))
        return changes

    async def to_csv(
        self, file: str | os.PathLike[str], inputs: Iterable[Any], *, delimiter: str = ","
    ) -> None:
        """Write a CSV of all inputs, in their order, with their results so far. Sends nothing.

        Its columns are the fields of the inputs, then `status`, `answer`, `failure`
        and `run_id`. An input whose run has not ended has a status only: `running`,
        `waiting`, `starting` or `not started`. The file is replaced at once when all
        is written. During or after the iteration, the journal has the results.

        Args:
            file: the file, created or replaced.
            inputs: all inputs, as they were given.
            delimiter: the character between the columns.

        Raises:
            ConfigError: the batch has no journal.
            JournalError: the journal cannot be read.
            OSError: the file cannot be written.
        """
        await self._driver.run(self._batch.write_csv(file, inputs, delimiter))

    def __repr__(self) -> str:
        return f"<AsyncResults {self.progress.describe()}>"

    def _repr_html_(self) -> str:
        from .._resources.html import of_results

        return of_results(self.progress, tuple(self._latest))

    def __del__(self) -> None:
        if hasattr(self, "_batch"):
            self._abandon()


def _results(entries: Sequence[Entry]) -> list[Result[Any, AsyncRun]]:
    return [
        Result.of(
            entry.input.value,
            entry.run,
            index=entry.input.index,
            key=entry.input.key,
            delivered=entry.row.delivered,
        )
        for entry in entries
    ]

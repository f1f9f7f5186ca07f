"""The iterator over the results of a batch."""

from __future__ import annotations

from collections import deque
from typing import Any, Generic

from .._batch.batch import Batch
from .._batch.workers import Workers
from .._flow.drivers import convert
from .._flow.iterators import ClosableIterator
from .events import Result, T
from .run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from .._batch.entry import Changes, Entry, Progress


class Results(ClosableIterator[Result[T, Run]], Generic[T]):
    """The results of a batch as its runs end: an iterator of `(input, run)`.

    Runs are started and answered during the iteration. When it is closed early,
    or ended by Ctrl-C, unfinished runs keep running.
    """

    def __init__(self, batch: Batch, workers: Workers):
        # Kept for display. The flow must not refer to this object: once it is dropped, it is
        # collected, which closes the batch.
        latest = self._latest = deque[Result[T, Run]](maxlen=20)

        def results(entries: Sequence[Entry]) -> list[Result[T, Run]]:
            new = _results(entries)
            latest.extend(new)
            return new

        super().__init__(convert(batch.give_finished(), results), workers)
        self._batch = batch
        self._shown: list[Result[T, Run]] = []
        self._is_resumable = False  # sync

    @property
    def progress(self) -> Progress:
        """The progress of the batch, from any thread."""
        return self._batch.progress

    def show(self) -> list[Result[T, Run]]:
        """Iterate to the end, and show the progress and the results as they come.

        In a notebook it is one output, updated at most four times a second, with the latest
        20 results; elsewhere, a line is printed for each result. After Ctrl-C in an
        interactive session, it can be called again, and continues.

        Returns:
            All results that were shown, by earlier calls too.

        Raises:
            MapIncomplete: at the end: some inputs have no finished run.
            DuvoError: runs cannot be started or read.
        """
        from .._notebook.live import Live
        from .html import result_line

        shown = self._shown
        with Live(self) as live:
            for result in self:
                shown.append(result)
                live.add(result_line(result.index, result.key, result.run))
            live.add(self.progress.describe())
        return shown

    def compare(self, inputs: Iterable[Any]) -> Changes:
        """Compare inputs with the journal, also after the iteration. Sends nothing.

        Args:
            inputs: all inputs, as they will be given.

        Raises:
            JournalError: the journal cannot be read, or the batch has ended without one.
        """
        changes: Changes = self._driver.run(self._batch.compare(inputs))
        return changes

    def to_csv(
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
        self._driver.run(self._batch.write_csv(file, inputs, delimiter))

    def __repr__(self) -> str:
        return f"<Results {self.progress.describe()}>"

    def _repr_html_(self) -> str:
        from .html import of_results

        return of_results(self.progress, tuple(self._latest))

    def __del__(self) -> None:
        if hasattr(self, "_batch"):
            self.close()


def _results(entries: Sequence[Entry]) -> list[Result[Any, Run]]:
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

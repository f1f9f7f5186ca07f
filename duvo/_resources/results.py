"""The iterator over the results of a batch."""

from __future__ import annotations

from collections import deque

from .._batch.batch import Batch
from .._batch.workers import Workers
from .._flow.drivers import convert
from .._flow.iterators import ClosableIterator
from .events import Result
from .run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from typing import Any

    from .._batch.entry import Changes, Entry, Progress


class Results(ClosableIterator[Result[Run]]):
    """The results of a batch as its runs end: an iterator of `(input, run)`.

    Runs are started and answered during the iteration. When it is closed early,
    or ended by Ctrl-C, unfinished runs keep running.
    """

    def __init__(self, batch: Batch, workers: Workers):
        # To be shown. What the flow refers to does not refer to this object: it can be
        # collected, which closes the batch.
        latest = self._latest = deque[Result[Run]](maxlen=20)

        def results(entries: Sequence[Entry]) -> list[Result[Run]]:
            new = _results(entries)
            latest.extend(new)
            return new

        super().__init__(convert(batch.give_finished(), results), workers)
        self._batch = batch
        self._is_resumable = False  # sync

    @property
    def progress(self) -> Progress:
        """The progress of the batch, from any thread."""
        return self._batch.progress

    def compare(self, inputs: Iterable[Any]) -> Changes:
        """Compare inputs with the journal. Sends nothing.

        Args:
            inputs: all inputs, as they will be given.
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


def _results(entries: Sequence[Entry]) -> list[Result[Run]]:
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

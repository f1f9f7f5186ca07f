"""A run for each input, many at once."""

from __future__ import annotations

import pickle
import threading

from .. import _errors
from .._flow import Stream
from .._run.on_request import Responder
from .batch import Batch
from .inputs import Inputs
from .journal import Journal
from .results import Progress, Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor
    from typing import Any

    from .._client import Client
    from .._run.on_request import OnRequest
    from .._run.replies import Answers
    from .journal import Changes


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
        if executor is not None and not hasattr(executor, "submit"):
            raise _errors.ConfigError(f"executor must be an Executor, not {executor!r:.80}")
        # Bad ones are refused now, not by the first run that asks.
        Responder(on_request, answers, warn=False)
        _check_that_it_travels(executor, on_request)
        self._inputs = Inputs(inputs, message=message, key=key, are_kept=journal is not None)
        agent_id = client.agents.id_of(agent)
        self._journal = Journal(
            None if journal is None else str(journal),
            server=client.base_url,
            team_id=client.team_id,
            agent_id=agent_id,
        )
        # It does not know this object: who drops the iterator has left the batch at once.
        self._batch = Batch(
            client,
            agent_id,
            self._inputs,
            self._journal,
            concurrency=concurrency,
            on_request=on_request,
            answers=answers,
            executor=executor,
        )
        self._iterating = threading.Lock()
        super().__init__()

    @property
    def progress(self) -> Progress:
        """How the batch stands; from any thread."""
        return self._batch.progress

    def compare(self, inputs: Iterable[Any]) -> Changes:
        """What these inputs hold beside the journal; sends nothing.

        Args:
            inputs: all of them, as they will be given.
        """
        return self._journal.compare(self._inputs.name(*one) for one in enumerate(inputs))

    def close(self) -> None:
        """Leave the batch; runs that are at work go on. Also from another thread."""
        super().close()
        self._batch.close()
        # Where somebody iterates just now, it is that one which leaves; to close
        # a generator that another thread is in would crash the interpreter.
        if self._iterating.acquire(blocking=False):
            try:
                self._items.close()  # type: ignore[attr-defined]
                self._batch.leave()
            finally:
                self._iterating.release()

    def _produce(self) -> Iterator[Result]:
        return self._batch.results()

    def __next__(self) -> Result:
        try:
            with self._iterating:
                return super().__next__()
        finally:
            if self._closed.is_set():
                self.close()

    def __del__(self) -> None:
        if hasattr(self, "_items"):
            self.close()


def _check_that_it_travels(executor: Executor | None, on_request: OnRequest) -> None:
    # Others, such as Dask's, have ways of their own to send a function.
    if not any(one.__name__ == "ProcessPoolExecutor" for one in type(executor).__mro__):
        return
    try:
        pickle.dumps(on_request)
    except Exception as error:
        raise _errors.ConfigError(
            f"on_request cannot be sent to another process ({error}); "
            "give a function that stands at the top of a module"
        ) from None

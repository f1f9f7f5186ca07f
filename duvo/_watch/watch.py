"""Watching many runs: events as they happen, and runs as they end."""

from __future__ import annotations

from .._errors import ConfigError
from .._flow import Stream
from .._resources.run import Run
from .._run import waiting
from .._run.on_request import Responder
from .._run.polling import Reader
from .events import Event
from .watcher import Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._client import Client
    from .._run.on_request import OnRequest
    from .._run.replies import Answers


class Watch(Stream[Event]):
    """What happens to many runs: an iterator of events that ends when all runs have ended."""

    def __init__(
        self, client: Client, runs: Iterable[Run | str], *, messages: bool, timeout: float | None
    ):
        super().__init__()
        self._reader = Reader(client._transport, None, timeout, closed=self._closed)
        self._watcher = Watcher(client, self._reader, messages=messages)
        for run in handles(client, runs):
            self._watcher.add(run)

    def _produce(self) -> Iterator[Event]:
        watcher = self._watcher
        while watcher.is_busy:
            yield from watcher.step()
            if watcher.rest:
                self._reader.rest(watcher.rest, f"{len(watcher)} runs are watched")


class Completed(Stream[Run]):
    """Runs as they end, each with its `answer` and `failure`."""

    def __init__(
        self,
        client: Client,
        runs: Iterable[Run | str],
        *,
        timeout: float | None,
        on_request: OnRequest,
        answers: Answers | None,
    ):
        super().__init__()
        # Bad ones are refused now, not by the first run that asks.
        Responder(on_request, answers, warn=True)
        self._choice = (on_request, answers)
        self._reader = Reader(client._transport, None, timeout, closed=self._closed)
        self._watcher = Watcher(client, self._reader, messages=False)
        for run in handles(client, runs):
            self._watcher.add(run)

    def _produce(self) -> Iterator[Run]:
        watcher = self._watcher
        while watcher.is_busy:
            for event in watcher.step():
                if event.type == "human_request":
                    self._meet(event)
                elif event.type == "finished":
                    waiting.read_outcome(event.run, self._reader)
                    yield event.run
            if watcher.rest:
                self._reader.rest(watcher.rest, f"{len(watcher)} runs have not ended")

    def _meet(self, event: Event) -> None:
        assert event.request is not None
        responder = Responder(*self._choice, warn=True)
        if responder.meet(event.run, event.request, self._reader):
            self._watcher.answered(event.run)


def handles(client: Client, runs: Iterable[Run | str]) -> list[Run]:
    """Handles on runs that are given as such or by id, each once.

    Raises:
        ConfigError: something among them is no run.
    """
    if isinstance(runs, (str, Run)):
        raise ConfigError("give several runs, as a list of runs or of ids")
    found: dict[str, Run] = {}
    for run in runs:
        if not isinstance(run, (str, Run)):
            raise ConfigError(f"{run!r} is no run; give runs, or ids of runs")
        handle = run if isinstance(run, Run) else client.runs.run(run)
        found.setdefault(handle.id.casefold(), handle)
    return list(found.values())

"""Iterators over many runs: their events, or the runs as they end."""

from __future__ import annotations

from .. import _errors
from .._flow.drivers import convert
from .._flow.iterators import ClosableIterator
from .._run.on_request import Responder
from .._run.polling import Poller
from .._run.state import RunState
from .._watch.watching import give_events, give_finished
from .events import Event
from .run import Run, state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._flow.perform import Driver
    from .._models.types import Answers, OnRequest
    from .._watch.watched import RunEvent


class Watch(ClosableIterator[Event[Run]]):
    """Events of many runs. The iteration ends when all runs have ended."""

    def __init__(
        self,
        driver: Driver,
        runs: Iterable[Run | str],
        *,
        messages: bool,
        timeout: float | None,
    ):
        handles = distinct_runs(driver, runs)
        states = [state_of(run) for run in handles.values()]

        def events(items: Sequence[RunEvent]) -> list[Event[Run]]:
            return [
                Event(
                    type=item.type,
                    run=handles[item.state.id.casefold()],
                    message=item.message,
                    request=item.request,
                )
                for item in items
            ]

        poller = Poller(driver.api, None, timeout)
        flow = give_events(poller, states, messages=messages)
        super().__init__(convert(flow, events), driver, poller)
        self._count = len(handles)

    def __repr__(self) -> str:
        return f"<Watch of {count_of_runs(self._count)}>"


class Completed(ClosableIterator[Run]):
    """Runs as they end, each with its `answer` and `failure`."""

    def __init__(
        self,
        driver: Driver,
        runs: Iterable[Run | str],
        *,
        timeout: float | None,
        on_request: OnRequest,
        answers: Answers | None,
    ):
        def responder() -> Responder:
            return Responder(on_request, answers, warn=True, may_await=driver.may_await)

        def as_runs(states: Sequence[RunState]) -> list[Run]:
            return [handles[state.id.casefold()] for state in states]

        # Invalid arguments are refused now, not at the first human request.
        responder()
        handles = distinct_runs(driver, runs)
        states = [state_of(run) for run in handles.values()]
        poller = Poller(driver.api, None, timeout)
        flow = give_finished(poller, states, responder)
        super().__init__(convert(flow, as_runs), driver, poller)
        self._count = len(handles)

    def __repr__(self) -> str:
        return f"<Completed of {count_of_runs(self._count)}>"


def count_of_runs(count: int) -> str:
    """Return a number of runs in words."""
    return "1 run" if count == 1 else f"{count} runs"


def distinct_runs(driver: Driver, runs: Iterable[Run | str]) -> dict[str, Run]:
    """Return runs, given as objects or ids, each once, by id in lower case."""
    return {run.id.casefold(): run for run in given_runs(driver, runs)}


def given_runs(driver: Driver, runs: Iterable[Run | str]) -> list[Run]:
    """Return runs, given as objects or ids; of a run that is given twice, the same object."""
    if isinstance(runs, (str, Run)):
        raise _errors.ConfigError("give a list of runs or run ids, not a single run")
    if not hasattr(runs, "__iter__"):
        raise _errors.ConfigError(f"give a list of runs or run ids, not {runs!r:.80}")
    found: dict[str, Run] = {}
    given = []
    for run in runs:
        if not isinstance(run, (str, Run)):
            raise _errors.ConfigError(f"{run!r} is not a run; give runs or run ids")
        handle = run if isinstance(run, Run) else Run(driver, RunState(run))
        given.append(found.setdefault(handle.id.casefold(), handle))
    return given

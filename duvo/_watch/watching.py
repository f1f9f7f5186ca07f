"""Watching runs until all have ended: every event, or only the ends."""

from __future__ import annotations

from .._flow.drivers import collect
from .._flow.steps import Give
from .._run.waiting import read_final_answer
from .watcher import Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._flow.steps import Flow
    from .._run.on_request import Responder
    from .._run.polling import Poller
    from .._run.state import RunState


def give_events(poller: Poller, runs: Iterable[RunState], *, messages: bool) -> Flow[None]:
    """Give the events of runs, until all have ended."""
    return _give_events(_watcher(poller, runs, messages=messages), poller)


def _give_events(watcher: Watcher, poller: Poller) -> Flow[None]:
    while watcher.is_busy:
        yield from watcher.step()
        if watcher.rest:
            yield from poller.rest(watcher.rest, f"{len(watcher)} runs are watched")


def give_finished(
    poller: Poller, runs: Iterable[RunState], make_responder: Callable[[], Responder]
) -> Flow[None]:
    """Give runs as they end, each with its final answer; see `give_events`."""
    return _give_finished(_watcher(poller, runs, messages=False), poller, make_responder)


def _give_finished(
    watcher: Watcher, poller: Poller, make_responder: Callable[[], Responder]
) -> Flow[None]:
    while watcher.is_busy:
        for event in (yield from collect(watcher.step())):
            if event.type == "human_request":
                responder = make_responder()
                if (yield from responder.handle(event.state, event.request, poller)):
                    watcher.record_reply(event.state)
            elif event.type == "finished":
                yield from read_final_answer(event.state, poller)
                yield Give([event.state])
        if watcher.rest:
            yield from poller.rest(watcher.rest, f"{len(watcher)} runs have not ended")


def _watcher(poller: Poller, runs: Iterable[RunState], *, messages: bool) -> Watcher:
    watcher = Watcher(poller, messages=messages)
    for state in runs:
        watcher.add(state)
    return watcher

"""Background work for a run: handling a request, reading the final answer.

It may be done in another process. Doing it twice does no harm: the work of a lost
worker is given to another.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from copy import copy

from .._forks import call_in_child
from .._run.actions import poll
from .._run.on_request import Responder
from .._run.polling import Poller
from .._run.waiting import read_final_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._flow.perform import Driver
    from .._flow.steps import Flow
    from .._http.api import Api
    from .._models.human_requests import HumanRequest
    from .._models.types import Answers, AsyncOnRequest
    from .._run.answer import FinalAnswer
    from .._run.state import RunState

_MOST_DRIVERS = 8

_drivers: OrderedDict[tuple[object, ...], Driver] = OrderedDict()
_drivers_lock = threading.Lock()


@call_in_child
def _renew() -> None:
    global _drivers_lock
    _drivers_lock = threading.Lock()


def reply(
    api: Api,
    state: RunState,
    request: HumanRequest,
    responder: Responder,
    *,
    may_be_answered: bool = False,
) -> Flow[bool]:
    """Handle a run's request; return whether a reply was sent.

    Args:
        may_be_answered: whether another worker may have replied and been lost
            before it could report the reply.
    """
    # A copy: the batch may read a newer state in the meantime.
    own = copy(state)
    if state.handle is not None:
        own.handle = state.handle
    poller = Poller(api, own.id, None)
    if may_be_answered:
        yield from poll(poller, own)
        pending = own.pending_request
        if pending is None or pending.id != request.id:
            return True
    return (yield from responder.handle(own, request, poller))


def final_answer(api: Api, state: RunState) -> Flow[FinalAnswer]:
    """Read the final answer of a run that has ended."""
    yield from read_final_answer(state, Poller(api, state.id, None))
    return state.final_answer


def reply_in_executor(
    driver: Driver,
    state: RunState,
    request: HumanRequest,
    on_request: AsyncOnRequest,
    answers: Answers | None,
) -> bool:
    """Handle a run's request in an executor; see `reply`."""
    driver = _kept(driver)
    responder = Responder(on_request, answers, warn=True, may_await=False)
    return driver.run(reply(driver.api, state, request, responder, may_be_answered=driver.is_copy))


def final_answer_in_executor(driver: Driver, state: RunState) -> FinalAnswer:
    """Read the final answer of a run in an executor; see `final_answer`."""
    driver = _kept(driver)
    return driver.run(final_answer(driver.api, state))


def _kept(driver: Driver) -> Driver:
    """Return an equal driver whose connections are kept for further work.

    In another process, each piece of work comes with its own driver.
    """
    if not driver.is_copy:
        return driver
    with _drivers_lock:
        kept = _drivers.setdefault(driver.identity, driver)
        _drivers.move_to_end(driver.identity)
        if len(_drivers) > _MOST_DRIVERS:
            _drivers.popitem(last=False)
    return kept

"""Sending a request: the rate limit, attempts, and the unknown outcome of a change."""

from __future__ import annotations

import logging

from .._errors import DuvoError
from .._flow.steps import Closed, Send
from .._settings.credentials import without_key
from . import response as responses
from . import retries
from .request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._flow.steps import Flow
    from .api import Api
    from .response import Response

logger = logging.getLogger("duvo")


def get(api: Api, path: str, **options: Any) -> Flow[Response]:
    """Send a GET; the options are those of `Request`."""
    return send(api, Request("GET", path, **options))


def post(api: Api, path: str, **options: Any) -> Flow[Response]:
    """Send a POST; the options are those of `Request`."""
    return send(api, Request("POST", path, **options))


def send(api: Api, request: Request) -> Flow[Response]:
    """Send a request, with retries where they are safe.

    Raises `OutcomeUnknown` for a change that may or may not have happened.
    """
    most = api.max_retries if request.retries is None else request.retries
    # Stays True: a later attempt that certainly failed does not undo an earlier one.
    may_have_happened = False
    began = api.clock.now()

    def attempt() -> Flow[Response]:
        nonlocal may_have_happened
        try:
            return (yield from _exchange(api, request))
        except DuvoError as error:
            may_have_happened = may_have_happened or retries.leaves_outcome_unknown(error)
            raise

    def may_retry(error: BaseException) -> bool:
        # Read each time: the failed response itself may show that the key is honoured.
        repeatable = request.repeatable or api.server.honours_idempotency
        return (
            isinstance(error, DuvoError)
            and retries.may_retry(error, repeatable=repeatable)
            and not retries.is_elsewhere(error, api.clock.now() - began)
            and not (request.deadline is not None and request.deadline.passed)
        )

    try:
        return (yield from retries.retry(attempt, may_retry, most, request.deadline))
    except (DuvoError, Closed) as error:
        if request.repeatable or not may_have_happened or retries.is_verdict(error):
            raise
        raise request.outcome_unknown(error) from error


def _exchange(api: Api, request: Request) -> Flow[Response]:
    number = yield from api.rate_limit.enter(request.kind, api.clock, request.deadline)
    if number is None:
        raise request.out_of_time("no time was left to send it")
    began = api.clock.now()
    try:
        response: Response = yield Send(request)
    except DuvoError as error:
        logger.debug("%s %s failed: %s", request.method, request.target, error)
        raise
    seconds = api.clock.now() - began
    api.rate_limit.record(response.headers, number, api.clock)
    api.server.record(response.headers, may_hold=api.may_hold)
    response.request_id = without_key(response.request_id or "", api.api_key) or None
    logger.debug(
        "%s %s -> %d in %.0f ms (request id %s)",
        request.method,
        request.target,
        response.status,
        seconds * 1000,
        response.request_id or "none",
    )
    retry_after = None
    if response.status >= 400:
        retry_after = retries.retry_after(response.headers, api.clock.unix())
        if response.status == 429:
            api.rate_limit.record_429(retry_after, api.clock)
    responses.check(response, request, api, retry_after)
    return response

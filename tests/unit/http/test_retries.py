"""Retries: which requests are sent again, and which never are."""

from __future__ import annotations

import itertools
import socket
import time
from email.utils import formatdate
from typing import Any

import pytest

import duvo
from duvo._http import retries
from duvo._http.rate_limit import quota
from tests.servers.fake_api import AGENT, KEY, TEAM, DropConnection, FakeAPI, ReceivedRequest
from tests.support.clients import Connect
from tests.support.clocks import StoppedClock


def starts(fake_api: FakeAPI) -> list[ReceivedRequest]:
    return [one for one in fake_api.requests if one.method == "POST"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_read_is_retried_after_a_temporary_error(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, status: int
) -> None:
    run_id = fake_api.start()
    answers = itertools.count()
    fake_api.before = lambda seen: (status, {"error": "x"}) if next(answers) < 3 else None
    assert client.runs.get(run_id).status == "running"
    assert len(fake_api.requests) == 4
    assert len(clock.sleeps) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refused_request_is_not_retried(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, status: int
) -> None:
    fake_api.before = lambda seen: (status, {"error": "no", "message": "because"})
    with pytest.raises(duvo.APIError, match="because") as caught:
        client.runs.get(fake_api.start())
    assert caught.value.status == status
    assert len(fake_api.requests) == 1


def test_a_read_that_keeps_failing_raises_after_max_retries(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    fake_api.before = lambda seen: (500, {"error": "x"})
    with pytest.raises(duvo.ServerError):
        client.runs.get(fake_api.start())
    assert len(fake_api.requests) == 4


@pytest.mark.parametrize("cut", ["dropped", "short body", "cut json", "html", "empty"])
def test_a_read_whose_response_is_broken_is_retried(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, cut: str
) -> None:
    run_id = fake_api.start()
    answers = itertools.count()

    def break_once(seen: ReceivedRequest) -> Any:
        if next(answers):
            return None
        if cut == "dropped":
            raise DropConnection
        if cut == "short body":
            return 200, b'{"run": {"id"', {"content-length": "400"}
        if cut == "cut json":
            return 200, b'{"run": {"id"'
        if cut == "empty":
            return 200, b""
        return 200, b"<html>sign in</html>", {"content-type": "text/html"}

    fake_api.before = break_once
    assert client.runs.get(run_id).id == run_id
    assert len(fake_api.requests) == 2


def test_html_in_every_response_is_an_error_that_names_the_server_and_a_proxy(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    fake_api.before = lambda seen: (200, b"<html>sign in</html>", {"content-type": "text/html"})
    with pytest.raises(
        duvo.UnexpectedAnswer,
        match=rf"from {fake_api.base_url} with text/html that is not JSON.*proxy",
    ):
        client.runs.get(fake_api.start())


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_start_whose_connection_drops_is_never_sent_twice(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, moment: str
) -> None:
    def drop(seen: ReceivedRequest) -> None:
        raise DropConnection

    setattr(fake_api, moment, drop)
    with pytest.raises(duvo.OutcomeUnknown, match=rf"runs\.list\(agent='{AGENT}'\)"):
        client.runs.start(AGENT, message="go")
    assert len(starts(fake_api)) == 1


@pytest.mark.parametrize("status", [500, 502, 504, 503])
def test_a_start_that_ends_in_a_server_error_has_an_unknown_outcome(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, status: int
) -> None:
    fake_api.before = lambda seen: (status, {"error": "x"})
    with pytest.raises(duvo.OutcomeUnknown) as caught:
        client.runs.start(AGENT)
    assert isinstance(caught.value.__cause__, duvo.ServerError)
    assert len(starts(fake_api)) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_start_that_was_certainly_not_carried_out_is_retried_with_the_same_key_and_body(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, status: int
) -> None:
    answers = itertools.count()
    fake_api.before = lambda seen: (
        (status, {"error": "x"}, {"retry-after": "2"}) if not next(answers) else None
    )
    client.runs.start(AGENT, message="go")
    first, second = starts(fake_api)
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert clock.sleeps == [2]
    client.runs.start(AGENT, message="go")
    assert starts(fake_api)[2].headers["idempotency-key"] != first.headers["idempotency-key"]


def test_a_start_is_retried_when_nothing_listens(connect: Connect) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    client = connect(KEY, base_url, TEAM)
    clock = client._driver.api.clock = StoppedClock()
    with pytest.raises(duvo.ConnectionError, match=r"nothing listens.*duvo.local.Server") as caught:
        client.runs.start(AGENT)
    assert not caught.value.arrived
    assert len(clock.sleeps) == 3


def test_a_dropped_start_is_retried_if_the_server_honours_idempotency_keys(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    fake_api.headers["duvo-idempotency"] = "honoured"
    client.runs.get(fake_api.start())
    answers = itertools.count()

    def drop(seen: ReceivedRequest) -> None:
        if not next(answers):
            raise DropConnection

    fake_api.after = drop
    client.runs.start(AGENT)
    first, second = starts(fake_api)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_a_start_that_may_have_happened_stays_unknown_after_later_refusals(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    fake_api.headers["duvo-idempotency"] = "honoured"
    client.runs.get(fake_api.start())
    answers = itertools.count()

    def drop_then_refuse(seen: ReceivedRequest) -> Any:
        if not next(answers):
            raise DropConnection
        return 503, {"error": "busy"}, {"retry-after": "1"}

    fake_api.before = drop_then_refuse
    with pytest.raises(duvo.OutcomeUnknown):
        client.runs.start(AGENT)
    assert len(starts(fake_api)) == 4


@pytest.mark.parametrize("status", [429, 503])
def test_a_call_without_time_for_a_retry_reports_the_failure_before_it(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, status: int
) -> None:
    fake_api.before = lambda seen: (status, {"error": "busy"}, {"retry-after": "60"})
    with pytest.raises(duvo.WaitTimeout, match="busy") as caught:
        client.runs.ask(AGENT, "go", timeout=5)
    assert isinstance(caught.value.__cause__, duvo.APIError)
    assert len(starts(fake_api)) == 1
    assert clock.time == pytest.approx(1005.0)


def test_a_dropped_start_inside_the_handling_of_another_error_has_an_unknown_outcome(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, connect: Connect
) -> None:
    def drop(seen: ReceivedRequest) -> None:
        raise DropConnection

    fake_api.after = drop
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with connect(api_key="k", base_url=nowhere, max_retries=0) as other:
            try:
                other.runs.get(AGENT)
            except duvo.ConnectionError:
                # Still being handled while the start fails.
                with pytest.raises(duvo.OutcomeUnknown):
                    client.runs.start(AGENT)
    assert len(starts(fake_api)) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_retry_of_a_start_that_may_have_happened_has_an_unknown_outcome(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, status: int
) -> None:
    fake_api.headers["duvo-idempotency"] = "honoured"
    client.runs.get(fake_api.start())
    answers = itertools.count()

    def drop_then_refuse(seen: ReceivedRequest) -> Any:
        if not next(answers):
            raise DropConnection
        return status, {"error": "no"}

    fake_api.after = drop_then_refuse
    with pytest.raises(duvo.OutcomeUnknown, match=str(status)):
        client.runs.start(AGENT)
    assert len(starts(fake_api)) == 2


def test_a_stop_is_retried_because_it_is_idempotent(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    run_id = fake_api.start()
    answers = itertools.count()

    def drop(seen: ReceivedRequest) -> None:
        if not next(answers):
            raise DropConnection

    fake_api.after = drop
    assert client.runs.run(run_id).stop().status == "stopped"


def test_a_retry_after_of_more_than_a_minute_is_raised_at_once(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    fake_api.before = lambda seen: (429, {"error": "slow down"}, {"retry-after": "61"})
    with pytest.raises(duvo.RateLimited) as caught:
        client.runs.get(fake_api.start())
    assert caught.value.retry_after == 61
    assert clock.sleeps == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        (formatdate(1_800_000_030, usegmt=True), 30.0),
        (formatdate(1_799_999_000, usegmt=True), 0.0),
        ("soon", None),
        ("nan", None),
        ("-3", 0.0),
    ],
)
def test_retry_after_is_read_as_seconds_decimals_and_a_date(
    value: str, seconds: float | None
) -> None:
    assert retries.retry_after({"retry-after": value}, 1_800_000_000.0) == seconds


@pytest.mark.parametrize(
    "form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_every_form_of_an_http_date_is_in_utc(
    monkeypatch: pytest.MonkeyPatch, form: str, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        headers = {
            "date": time.strftime(form, time.gmtime(1_800_000_000)),
            "retry-after": time.strftime(form, time.gmtime(1_800_000_030)),
            "x-ratelimit-remaining": "7",
            "x-ratelimit-reset": "1800000042",
        }
        assert retries.retry_after(headers, 1_700_000_000.0) == 30
        reported = quota(headers, 1_700_000_000.0)
        assert reported is not None and reported.seconds == 42
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("ahead", [-7200, 3600])
def test_a_retry_after_with_a_date_is_measured_by_the_servers_clock(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, status: int, ahead: int
) -> None:
    run_id = fake_api.start()
    fake_api.end(run_id)

    def refuse_first(seen: ReceivedRequest) -> Any:
        now = clock.unix() + ahead
        headers = {
            "date": formatdate(now, usegmt=True),
            "retry-after": formatdate(now + 12, usegmt=True),
        }
        return (status, {"error": "x"}, headers) if len(fake_api.requests) == 1 else None

    fake_api.before = refuse_first
    began = clock.time
    assert client.runs.run(run_id).wait(timeout=60).status == "completed"
    assert 11 <= clock.time - began <= 20


@pytest.mark.parametrize("date", ["Fri, 15 Jan 99999999999 08:00:02 GMT", "soon", ""])
def test_a_date_that_cannot_be_read_is_ignored(date: str) -> None:
    assert retries.retry_after({"retry-after": date}, 0.0) is None
    later = formatdate(1_800_000_030, usegmt=True)
    assert retries.retry_after({"retry-after": later, "date": date}, 1_800_000_000.0) == 30


def test_a_long_pause_before_a_retry_is_logged_at_info(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "duvo")
    answers = itertools.count()
    fake_api.before = lambda seen: (
        (429, {"error": "x"}, {"retry-after": "20"}) if not next(answers) else None
    )
    client.runs.get(fake_api.start())
    assert ["20 s" in one.getMessage() for one in caplog.records] == [True]


def test_reading_a_conversation_without_follow_fails_after_max_retries(
    fake_api: FakeAPI, client: duvo.Client, clock: StoppedClock
) -> None:
    fake_api.before = lambda seen: (502, {"error": "x"})
    with pytest.raises(duvo.ServerError):
        list(client.runs.run(fake_api.start()).messages())
    assert len(fake_api.requests) == 4


@pytest.mark.blocking_only
def test_connections_are_kept_between_requests_of_a_follow(
    fake_api: FakeAPI, client: duvo.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    import urllib3.util.connection

    opened: list[object] = []
    create = urllib3.util.connection.create_connection

    def counted(*args: Any, **rest: Any) -> socket.socket:
        opened.append(args)
        return create(*args, **rest)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", counted)
    run_id = fake_api.start()
    for number in range(300):
        fake_api.say(run_id, str(number))
    fake_api.end(run_id)
    assert len(list(client.runs.run(run_id).messages(follow=True, timeout=20))) == 300
    assert len(fake_api.requests) > 6
    assert len(opened) == 1

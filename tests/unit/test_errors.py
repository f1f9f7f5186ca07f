"""Every error: its text says what failed, and it survives pickling and copying."""

from __future__ import annotations

import copy
import inspect
import json
import pickle

import pytest

import duvo
from duvo import _errors
from duvo._http.api import Api
from duvo._http.failures import Destination
from duvo._http.request import Request
from duvo._http.response import Response, check
from duvo._time.clock import Clock

ALL = [
    kind
    for _, kind in inspect.getmembers(_errors, inspect.isclass)
    if issubclass(kind, duvo.DuvoError)
]


def made(kind: type[duvo.DuvoError]) -> duvo.DuvoError:
    if issubclass(kind, duvo.APIError):
        return kind(
            "GET /v2/teams returned 418 (teapot)",
            method="GET",
            path="/v2/teams",
            status=418,
            code="teapot",
            message="short and stout",
            request_id="req-1",
            retry_after=2.5,
        )
    if issubclass(kind, (duvo.ConnectionError, duvo.TimeoutError)):
        return kind("GET /v2/teams: no answer", method="GET", path="/v2/teams", arrived=False)
    return kind("GET /v2/teams: what went wrong")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling_and_copying(kind: type[duvo.DuvoError]) -> None:
    error = made(kind)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert str(again) == str(error) != ""
        assert again.__dict__ == error.__dict__


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_is_public_under_its_own_name(kind: type[duvo.DuvoError]) -> None:
    assert getattr(duvo, kind.__name__) is kind
    assert kind.__name__ in duvo.__all__


def test_the_tree_in_the_docstring_matches_the_classes() -> None:
    drawn = [line for line in (_errors.__doc__ or "").splitlines() if "──" in line]
    names = [line.split("──")[1].split()[0] for line in drawn]
    assert sorted(names) == sorted(kind.__name__ for kind in ALL if kind is not duvo.DuvoError)


def error_of(response: Response, method: str, api_key: str = "dv_secret") -> duvo.APIError:
    api = Api(max_retries=0, timeout=1.0, clock=Clock(), may_hold=False)
    api.api_key = api_key
    with pytest.raises(duvo.APIError) as caught:
        check(response, Request(method, "/v2/x"), api, None)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, duvo.InvalidRequest),
        (401, duvo.AuthenticationError),
        (403, duvo.PermissionDenied),
        (404, duvo.NotFound),
        (409, duvo.Conflict),
        (413, duvo.InvalidRequest),
        (418, duvo.InvalidRequest),
        (422, duvo.InvalidRequest),
        (429, duvo.RateLimited),
        (500, duvo.ServerError),
        (599, duvo.ServerError),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        {"error": "teapot", "message": "short\nand stout"},
        {"code": "teapot", "message": "short and stout", "request_id": "req-9", "details": {}},
    ],
)
def test_both_forms_of_error_bodies_are_read(
    status: int, kind: type[duvo.APIError], body: dict[str, object]
) -> None:
    headers = {"x-request-id": "req-9"}
    error = error_of(Response(status, headers, json.dumps(body).encode()), "POST")
    assert type(error) is kind
    assert (error.status, error.code, error.request_id) == (status, "teapot", "req-9")
    text = str(error)
    assert text.startswith(f"POST /v2/x returned {status} (teapot: short and stout)")
    assert "req-9" in text
    assert "\n" not in text


def nested(levels: int, kind: str) -> bytes:
    opening, closing = (b'{"a":', b"}") if kind == "object" else (b"[", b"]")
    return b'{"error":"x","details":' + opening * levels + b"1" + closing * levels + b"}"


@pytest.mark.parametrize("levels", [40, 300, 800, 100_000])
@pytest.mark.parametrize("kind", ["object", "array"])
def test_a_deeply_nested_body_gives_an_error_that_can_be_copied(levels: int, kind: str) -> None:
    error = error_of(Response(502, {}, nested(levels, kind)), "GET")
    assert isinstance(error, duvo.ServerError)
    assert str(error).startswith("GET /v2/x returned 502")
    for other in (copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert repr(other.body) == repr(error.body)


def test_an_error_body_whose_error_is_an_object_is_read() -> None:
    body = {"error": {"code": "teapot", "message": "short dv_secret", "details": ["dv_secret"]}}
    error = error_of(Response(400, {}, json.dumps(body).encode()), "POST")
    assert (error.code, error.message) == ("teapot", "short [key]")
    assert str(error) == "POST /v2/x returned 400 (teapot: short [key]) ['[key]']"


@pytest.mark.parametrize(
    "text",
    [
        "Bearer {}",
        "https://api.example/?key={}&x=1",
        "https://user:{}@host",
        "a%20{}%20b",
        '{{"Authorization": "{}"}}',
        "'{}'",
        "x\\n{}\\n",
        "{0}{0}",
        "key_{}_1",
    ],
)
def test_no_text_of_an_error_contains_the_key_wherever_it_is(text: str) -> None:
    body = {"error": text.format("dv_secret"), "message": "no", text.format("dv_secret"): [text]}
    error = error_of(Response(401, {}, json.dumps(body).encode()), "GET")
    assert error.code == text.format("[key]")
    assert "dv_secret" not in f"{error!r} {error.message} {error.body}"


@pytest.mark.parametrize("api_key", ["k", "a", "e", "key", "[key]", "]"])
def test_a_key_that_cannot_be_one_does_not_mangle_texts(api_key: str) -> None:
    body = {"error": "unauthorized", "message": "the key is missing"}
    error = error_of(Response(401, {}, json.dumps(body).encode()), "GET", api_key)
    assert "returned 401 (unauthorized: the key is missing); check the API key" in str(error)
    assert error.body == body


def test_a_part_of_the_key_is_not_left_at_the_end_of_a_reason() -> None:
    for cut in range(290, 301):
        reason = Destination("https://x.example", "dv_secret").reason(
            [ValueError("x" * cut + "dv_secret")]
        )
        assert "dv" not in reason


@pytest.mark.parametrize("body", [None, [], "text", {"error": {"nested": 1}}, {"message": None}])
def test_a_body_of_another_form_gives_an_error_of_its_status(body: object) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    error = error_of(Response(500, {}, content), "GET")
    assert str(error) == "GET /v2/x returned 500"

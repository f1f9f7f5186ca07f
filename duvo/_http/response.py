"""Responses, and the errors for unsuccessful ones."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

from .. import _errors
from .._advice import words
from .._settings.credentials import without_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .api import Api
    from .request import Request


class Response:
    """A successful response.

    Attributes:
        status: the HTTP status.
        headers: the headers; names in any case.
        content: the body's bytes.
        data: the body as JSON, or None if it is empty.
        request_id: the server's id of the request, or None.
    """

    __slots__ = ("content", "data", "headers", "request_id", "status")

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes):
        self.status = status
        self.headers = headers
        self.content = content
        self.data: Any = None
        self.request_id = headers.get("x-request-id")

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self.content)} bytes>"


def check(response: Response, request: Request, api: Api, retry_after: float | None) -> None:
    """Check a response, and decode its body into `data`; remove the key from error texts."""
    status, content = response.status, response.content
    data, readable = _decode(content)
    if readable and data is not None:
        api.server.speaks_json = True
    if status >= 400:
        raise _error(response, request, data, api.api_key, retry_after)
    # Truncated headers look like the headers of a response without a body.
    cut = not content and status == 200 and request.method == "GET"
    if cut or not readable or not 200 <= status < 300:
        kind = response.headers.get("content-type", "no content type").split(";")[0]
        # Truncated JSON comes from the API.
        is_json = content.lstrip()[:1] in (b"", b"{", b"[")
        from_elsewhere = 200 <= status < 300 and not is_json and not api.server.speaks_json
        reason = "the base URL is wrong" if from_elsewhere else "the response was truncated"
        raise request.error(
            _errors.UnexpectedAnswer,
            f" returned {status} from {api.base_url} with {kind} that is not JSON "
            f"({len(content)} bytes); a proxy or a login page may be in between, or {reason} "
            f"(the base URL comes from {api.base_url_source})",
            may_pass=True,
            from_elsewhere=from_elsewhere,
        )
    response.data = data


_BY_STATUS: dict[int, type[_errors.APIError]] = {
    401: _errors.AuthenticationError,
    403: _errors.PermissionDenied,
    404: _errors.NotFound,
    409: _errors.Conflict,
    429: _errors.RateLimited,
}

_DEEPEST = 50
"""Levels of an error's body that are kept: more could be neither printed nor pickled."""

_ADVICE = {
    403: "this key may not do that",
    404: "check the id; it may also belong to another team",
    413: "send less",
    429: "wait, or send fewer requests",
}


def _error(
    response: Response, request: Request, body: Any, secret: str, retry_after: float | None
) -> _errors.APIError:
    """Return the error for a status of 400 or more.

    Reads both shapes of error bodies, `{error, message?}` and `{code, message,
    request_id, details?}`, and the second one as the `error` of another object.
    """
    status = response.status
    body = _without(secret, body)
    fields = body if isinstance(body, dict) else {}
    if isinstance(fields.get("error"), dict):
        fields = {**fields, "error": None, **fields["error"]}
    code = _text(fields.get("code"), secret) or _text(fields.get("error"), secret)
    message = _text(fields.get("message"), secret)
    request_id = _text(response.request_id, secret) or _text(fields.get("request_id"), secret)
    default = _errors.ServerError if status >= 500 else _errors.InvalidRequest
    kind = _BY_STATUS.get(status, default)
    if status == 400 and (not_an_id := _bad_run_id(request.path)):
        kind = _errors.NotFound
        message = f"{not_an_id!r} is not a run id"
    reason = ": ".join(dict.fromkeys(word for word in (code, message) if word))
    text = f" returned {status}"
    if reason:
        text += f" ({reason})"
    details = fields.get("details")
    if details:
        text += f" {_text(str(details), secret)}"
    if retry_after is not None:
        text += f"; the server asks to wait {retry_after:g} s"
    advice = words().check_key() if status == 401 else _ADVICE.get(status)
    if advice is not None:
        text += f"; {advice}"
    if request_id:
        text += f" [request id {request_id}]"
    return request.error(
        kind,
        text,
        status=status,
        code=code,
        message=message,
        request_id=request_id,
        retry_after=retry_after,
        body=body,
        headers={
            name.lower(): without_key(value, secret)
            for name, value in response.headers.items()
            if name.lower() != "set-cookie"
        },
    )


def _decode(content: bytes) -> tuple[Any, bool]:
    """Return a body's JSON, None for an empty body, and whether it could be decoded."""
    if not content.strip():
        return None, True
    try:
        return json.loads(content), True
    except (ValueError, RecursionError):
        return None, False


def _bad_run_id(path: str) -> str | None:
    found = re.match(r"/v2/runs/([^/?]+)", path)
    if found is None or re.fullmatch(
        r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", found[1]
    ):
        return None
    return unquote(found[1])


def _without(secret: str, body: Any, level: int = 0) -> Any:
    if isinstance(body, str):
        return without_key(body, secret)
    if not isinstance(body, (dict, list)):
        return body
    if level == _DEEPEST:
        return "…"
    if isinstance(body, list):
        return [_without(secret, item, level + 1) for item in body]
    return {
        _without(secret, key): _without(secret, value, level + 1) for key, value in body.items()
    }


def _text(value: object, secret: str) -> str | None:
    if not isinstance(value, str):
        return None
    return without_key(" ".join(value.split()), secret)[:1000] or None

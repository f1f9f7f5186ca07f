"""API errors: HTTP status and body."""

from __future__ import annotations

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "payload_too_large",
    422: "unprocessable",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}


class ApiError(Exception):
    """An error response; the message says what was wrong, and what to do."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status
        self.message = message

    def body(self) -> dict[str, str]:
        return {"error": _CODES.get(self.status, "error"), "message": self.message}


def no_run() -> ApiError:
    return ApiError(404, "there is no such run, or it belongs to another team")

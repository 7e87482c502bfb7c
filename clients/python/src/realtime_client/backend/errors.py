"""What a request to the HTTP API raises."""

from __future__ import annotations

from ..models import FieldError, Problem


class BackendError(Exception):
    """A request was refused. ``message`` is the server's, for a person; ``code`` is one of docs/protocol.md.

    ``errors`` has each refused field: ``{"path": "/payload/total", "message": "must be at least 0"}``.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem['code']}: {problem['detail']}")
        self.code: str = problem["code"]
        self.message: str = problem["detail"]
        self.status: int = problem["status"]
        self.retry: bool = problem["retry"]
        self.after_ms: int | None = problem.get("after_ms")
        self.errors: list[FieldError] = problem.get("errors", [])


class BadRequest(BackendError):
    """The request is malformed, too large, or has an invalid value (400, 413, 422): see ``errors``."""


class PayloadInvalid(BadRequest):
    """The payload does not fit the schema of its type, or another field has an invalid value (422): see ``errors``."""


class Unauthorized(BackendError):
    """The API key is missing or not accepted (401)."""


class Forbidden(BackendError):
    """The key does not allow this (403)."""


class NotFound(BackendError):
    """It is unknown (404)."""


class Conflict(BackendError):
    """In conflict with the current state (409), such as an idempotency key of another message."""


class TooMany(BackendError):
    """A rate or a limit of the server is reached (429)."""


class Unavailable(BackendError):
    """The server can't do it now (5xx), or could not be reached (``status`` 0). The call was repeated until its deadline."""


_BY_STATUS: dict[int, type[BackendError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: BadRequest,
    422: BadRequest,
    429: TooMany,
}


def error_of(problem: Problem) -> BackendError:
    """The exception of a problem."""
    status = problem["status"]
    if problem["code"] == "payload_invalid":
        return PayloadInvalid(problem)
    return _BY_STATUS.get(status, Unavailable if status == 0 or status >= 500 else BackendError)(problem)


def unavailable(status: int, detail: str, retry: bool = True) -> Unavailable:
    """``status`` 0: there was no response."""
    return Unavailable(
        {
            "type": "urn:realtime:error:unavailable",
            "title": "unavailable",
            "status": status,
            "detail": detail,
            "code": "unavailable",
            "retry": retry,
        }
    )

"""The error of the client: what the server refused, or what the client itself could not do."""

from __future__ import annotations

from .machine.values import Failure, FieldError


class RealtimeError(Exception):
    """``code`` is one of docs/protocol.md, "Error codes", or the client's own (``status`` 0).

    The client's own codes: ``stopped``, ``unsubscribed``, ``limit_exceeded``, ``timeout``, ``disconnected``,
    ``token_failed``, ``load_failed``, ``bad_frame``. ``retry``: a later attempt may succeed, not before ``after_ms``.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.code: str = failure.code
        self.message: str = failure.message
        self.status: int = failure.status
        self.retry: bool = failure.retry
        self.after_ms: float | None = failure.after_ms
        self.errors: tuple[FieldError, ...] = failure.errors


def refusal_of(error: Exception) -> Failure | None:
    """What the server refused and will refuse again: a status of 4xx without ``retry``; ``None`` for any other error."""
    if not isinstance(error, RealtimeError) or error.retry or not 400 <= error.status < 500:
        return None
    return Failure(error.code, error.message, error.status, errors=error.errors)

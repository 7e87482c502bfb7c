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

"""One call of the HTTP API without I/O: the bytes of a request and its response, and when it is sent again.

HTTP/1.1 is `h11`'s. What opens a connection, reads, writes and waits is `blocking` and `asynchronous`.
"""

from __future__ import annotations

import json
import random
import ssl
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, Union, cast
from urllib.parse import urlsplit

import h11

from ..models import Problem
from .calls import Call
from .errors import BackendError, error_of, unavailable

T = TypeVar("T")

FIRST_PAUSE = 0.1
"""Seconds before the first repetition; each further one doubles it, with jitter."""
LONGEST_PAUSE = 2.0
MAX_BODY = 32 * 1024 * 1024
"""Bytes of a response that are read at most."""
READ = 65_536
"""Bytes that are read at once."""


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes


class Address:
    """Where the server is. Raises ``ValueError`` for a URL that is not one of HTTP."""

    def __init__(self, url: str, api_key: str, tls: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url: must be like http://127.0.0.1:8080 or https://example.com")
        self.tls = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        self.host = parts.hostname
        self.port = parts.port or (443 if self.tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._headers = [("Host", parts.netloc.rpartition("@")[2]), ("Authorization", f"Bearer {api_key}")]

    def request(self, call: Call[Any]) -> tuple[h11.Request, bytes]:
        body = b"" if call.body is None else json.dumps(call.body, ensure_ascii=False, allow_nan=False).encode()
        headers = [*self._headers, ("Content-Length", str(len(body)))]
        if body:
            headers.append(("Content-Type", "application/json"))
        target = f"{self._prefix}/api/v1{call.path}"
        return h11.Request(method=call.method, target=target, headers=headers), body


class Exchange:
    """One request and its response, over one connection. Raises ``OSError`` for what is no response."""

    def __init__(self, connection: h11.Connection) -> None:
        self._connection = connection
        self._status = 0
        self._parts: list[bytes] = []
        self._size = 0

    def request(self, head: h11.Request, body: bytes) -> bytes:
        """The bytes to send."""
        pieces = (head, h11.Data(body), h11.EndOfMessage())
        return b"".join(self._connection.send(piece) or b"" for piece in pieces)

    def response(self, data: bytes) -> Response | None:
        """Takes what was read; empty: the server closed the connection. ``None``: more must be read."""
        if not data and self._status == 0:
            raise OSError("the server closed the connection before its response")
        try:
            self._connection.receive_data(data)
            return self._read()
        except h11.ProtocolError as error:
            raise OSError(f"the response is not HTTP: {error}") from error

    def _read(self) -> Response | None:
        while True:
            event = self._connection.next_event()
            if isinstance(event, h11.Response):
                self._status = event.status_code
            elif isinstance(event, h11.Data):
                self._parts.append(bytes(event.data))
                self._size += len(event.data)
                if self._size > MAX_BODY:
                    raise OSError(f"the response is larger than {MAX_BODY} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return Response(self._status, b"".join(self._parts))
            elif not isinstance(event, h11.InformationalResponse):
                return None


def reusable(connection: h11.Connection) -> bool:
    """Whether another request may follow; if so, the connection is ready for it."""
    done = connection.our_state is h11.DONE and connection.their_state is h11.DONE
    if done:
        connection.start_next_cycle()
    return done


class Attempts(Generic[T]):
    """The attempts of one call. ``error`` is what its deadline raises: the last refusal."""

    def __init__(self, call: Call[T], timeout: float) -> None:
        self._call = call
        self.error: BackendError = unavailable(0, f"no response within {timeout} s")
        self.fresh = not call.repeat
        """Whether the next attempt needs a new connection: the server may be closing a kept one."""
        self.pause = 0.0
        """Seconds before the next attempt."""
        self._pauses = FIRST_PAUSE

    def result(self, outcome: Union[Response, OSError]) -> T | None:
        """The result; ``None``: the request is sent again after ``pause``. Raises the error of the call."""
        if isinstance(outcome, Response):
            answer = _object(outcome)
            if outcome.status < 300 and answer is not None:
                return self._call.read(answer)
            self.error = _refusal(outcome, answer)
        else:
            self.fresh = True
            self.error = unavailable(0, f"the server has not been reached: {outcome}")
        if not self._call.repeat or not self.error.retry:
            raise self.error
        self.pause = max((self.error.after_ms or 0) / 1_000, self._pauses * (0.5 + random.random() / 2))
        self._pauses = min(LONGEST_PAUSE, self._pauses * 2)
        return None


def _object(response: Response) -> dict[str, Any] | None:
    try:
        answer = json.loads(response.body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _refusal(response: Response, answer: dict[str, Any] | None) -> BackendError:
    if answer and {"code", "detail", "status", "retry"} <= answer.keys():
        return error_of(cast(Problem, answer))
    status = response.status
    detail = f"the response with the status {status} is not the server's: is there a proxy in front of it?"
    return unavailable(status, detail, retry=status in (502, 503, 504))

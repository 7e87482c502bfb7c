"""The HTTP API of the server, for backends: ``pip install realtime-client[backend]``.

Requests and responses are the typed dicts of ``realtime_client.models``, generated from the server's OpenAPI document.
A field that a later server adds is there too. What is refused raises a `BackendError` with the server's own message.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import uuid
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode, urlsplit

import h11

from .http import Pool
from .machine.types import Position
from .models import (
    Audience,
    ConnectionList,
    Disconnected,
    DisconnectRequest,
    Explanation,
    FieldError,
    HistoryPage,
    PresencePage,
    Problem,
    PublishRequest,
    Receipt,
    UserTopicChange,
)

if TYPE_CHECKING:
    from typing_extensions import Self

FIRST_PAUSE = 0.1
"""Seconds before the first repetition; each further one doubles it, with jitter."""
LONGEST_PAUSE = 2.0


class BackendError(Exception):
    """A request was refused. ``message`` is the server's, for a person; ``code`` is one of docs/protocol.md."""

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


class Unauthorized(BackendError):
    """The API key is missing or not accepted (401)."""


class Forbidden(BackendError):
    """The key is not for this (403)."""


class NotFound(BackendError):
    """It is unknown (404)."""


class Conflict(BackendError):
    """In conflict with the current state (409), such as an idempotency key of another message."""


class TooMany(BackendError):
    """A rate or a limit of the server is reached (429)."""


class Unavailable(BackendError):
    """The server can't do it now (5xx), or has not been reached (``status`` 0). It was repeated until the deadline."""


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
    """The exception of a problem; ``batch`` returns the problems of single messages."""
    status = problem["status"]
    return _BY_STATUS.get(status, Unavailable if status == 0 or status >= 500 else BackendError)(problem)


class Backend:
    """``async with Backend("http://127.0.0.1:8080", api_key) as backend``.

    ``connections`` are kept at most; ``timeout`` seconds is the deadline of a call with all its repetitions. A call is
    repeated if that is safe: a publication has an idempotency key, the others read or set. ``disconnect`` is sent once.
    """

    def __init__(
        self, url: str, api_key: str, *, connections: int = 8, timeout: float = 10, tls: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url: must be like http://127.0.0.1:8080 or https://example.com")
        if parts.scheme == "https" and tls is None:
            tls = ssl.create_default_context()
        port = parts.port or (443 if tls else 80)
        self._pool = Pool(parts.hostname, port, tls if parts.scheme == "https" else None, connections)
        self._prefix = parts.path.rstrip("/")
        self._headers = [("Host", parts.netloc.rpartition("@")[2]), ("Authorization", f"Bearer {api_key}")]
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def publish(
        self,
        to: Audience,
        type: str,
        payload: Any,
        *,
        idempotency_key: str | None = None,
        except_client: str | None = None,
        timestamp: str | None = None,
        history: bool | None = None,
    ) -> Receipt:
        """Publishes once. ``to`` is like ``{"topic": "order:123"}``, ``{"user": "alice"}``, ``"all"`` or a list of them."""
        rest = {"except_client": except_client, "timestamp": timestamp, "history": history}
        body = {"to": to, "type": type, "payload": payload, "idempotency_key": idempotency_key or str(uuid.uuid4())}
        body |= {name: value for name, value in rest.items() if value is not None}
        return cast(Receipt, await self._call("POST", "/publish", body))

    async def batch(self, publications: list[PublishRequest]) -> list[Receipt | Problem]:
        """Publishes 1 to 1,000 messages, in order. Returns for each its receipt, or the problem: see `error_of`."""
        keyed = [{**one, "idempotency_key": one.get("idempotency_key") or str(uuid.uuid4())} for one in publications]
        answer = await self._call("POST", "/publish/batch", {"publications": keyed})
        return cast("list[Receipt | Problem]", answer["results"])

    async def history(
        self,
        stream: str,
        *,
        since: Position | None = None,
        limit: int | None = None,
        reverse: bool | None = None,
    ) -> HistoryPage:
        """A page of ``topic:order:123``, ``user:alice``, ``role:admin`` or ``all``; ``limit=0``: the position alone."""
        kind, _, name = stream.partition(":")
        folder = {"topic": "topics", "user": "users", "role": "roles"}.get(kind)
        if stream != "all" and (folder is None or not name):
            raise ValueError("stream: must be topic:TOPIC, user:USER, role:ROLE or all")
        path = "/all/history" if folder is None else f"/{folder}/{quote(name, safe='')}/history"
        query = {
            "epoch": since.epoch if since else None,
            "offset": since.offset if since else None,
            "limit": limit,
            "reverse": reverse,
        }
        return cast(HistoryPage, await self._call("GET", path, query=query))

    async def presence(
        self, topic: str, *, names: bool | None = None, limit: int | None = None, after: str | None = None
    ) -> PresencePage:
        """Who is on a topic: a page of users; ``names=False``: their number alone."""
        query = {"names": names, "limit": limit, "after": after}
        return cast(PresencePage, await self._call("GET", f"/topics/{quote(topic, safe='')}/presence", query=query))

    async def connections(self, user: str) -> ConnectionList:
        """A user's connections to this node."""
        return cast(ConnectionList, await self._call("GET", f"/users/{quote(user, safe='')}/connections"))

    async def disconnect(
        self,
        *,
        connection: str | None = None,
        user: str | None = None,
        code: int | None = None,
        reason: str | None = None,
        block_for: str | None = None,
    ) -> Disconnected:
        """Closes one connection, or all of a user. ``block_for`` (``"10m"``) keeps the client out for that time."""
        if (connection is None) == (user is None):
            raise ValueError("connection, user: give one of them")
        path = f"/connections/{quote(connection, safe='')}" if connection else f"/users/{quote(user or '', safe='')}/connections"
        given = {"code": code, "reason": reason, "block_for": block_for}
        body = cast(DisconnectRequest, {name: value for name, value in given.items() if value is not None})
        return cast(Disconnected, await self._call("DELETE", path, body, repeat=False))

    async def give_topic(self, user: str, topic: str) -> UserTopicChange:
        """Subscribes every connection of a user to a topic, those of now and those that are opened later."""
        return cast(UserTopicChange, await self._call("PUT", _user_topic(user, topic)))

    async def take_topic(self, user: str, topic: str) -> UserTopicChange:
        """Takes a topic away from a user."""
        return cast(UserTopicChange, await self._call("DELETE", _user_topic(user, topic)))

    async def user_topics(self, user: str) -> list[str]:
        """The topics that were given to a user, sorted."""
        answer = await self._call("GET", f"/users/{quote(user, safe='')}/topics")
        return cast("list[str]", answer["topics"])

    async def explain(
        self, user: str, *, message: str | None = None, to: Audience | None = None, except_client: str | None = None
    ) -> Explanation:
        """Why a user received a message, or did not; or whether one ``to`` these recipients would reach the user."""
        given = {"user": user, "message": message, "to": to, "except_client": except_client}
        body = {name: value for name, value in given.items() if value is not None}
        return cast(Explanation, await self._call("POST", "/explain", body))

    async def _call(
        self, method: str, path: str, body: object = None, *, query: dict[str, Any] | None = None, repeat: bool = True
    ) -> dict[str, Any]:
        given = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        target = f"{self._prefix}/api/v1{path}" + (f"?{urlencode(given)}" if given else "")
        data = b"" if body is None else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        headers = [*self._headers, ("Content-Length", str(len(data)))]
        if data:
            headers.append(("Content-Type", "application/json"))
        request = h11.Request(method=method, target=target, headers=headers)
        last = Unavailable(_problem(0, f"no response within {self._timeout} s"))
        try:
            return await asyncio.wait_for(self._repeat(request, data, repeat, last), self._timeout)
        except asyncio.TimeoutError:
            raise last from None

    async def _repeat(self, request: h11.Request, data: bytes, repeat: bool, last: BackendError) -> dict[str, Any]:
        pause = FIRST_PAUSE
        while True:
            try:
                status, body = await self._pool.exchange(request, data, fresh=not repeat)
                answer = _parsed(status, body)
                if status < 300:
                    return answer
                error = error_of(cast(Problem, answer))
                if not error.retry or not repeat:
                    raise error
            except OSError as fault:
                error = Unavailable(_problem(0, f"the server has not been reached: {fault}"))
                if not repeat:
                    raise error from fault
            # What the deadline raises is the last refusal.
            last.args, last.__dict__ = error.args, error.__dict__
            await asyncio.sleep(max((error.after_ms or 0) / 1_000, pause * (0.5 + random.random() / 2)))
            pause = min(LONGEST_PAUSE, pause * 2)


def _user_topic(user: str, topic: str) -> str:
    return f"/users/{quote(user, safe='')}/topics/{quote(topic, safe='')}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _problem(status: int, detail: str) -> Problem:
    kind = "urn:realtime:error:unavailable"
    head: Problem = {"type": kind, "title": "unavailable", "status": status, "detail": detail, "code": "unavailable", "retry": True}
    return head


def _parsed(status: int, body: bytes) -> dict[str, Any]:
    """The body; that of a proxy, which is no problem of the server's, becomes one."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    known = isinstance(answer, dict) and (status < 300 or {"code", "detail", "status", "retry"} <= answer.keys())
    if known:
        return cast("dict[str, Any]", answer)
    problem = _problem(status, f"the response with the status {status} is not the server's: is a proxy before it?")
    problem["retry"] = status in (502, 503, 504)
    if status < 300:
        raise Unavailable(problem)
    return cast("dict[str, Any]", problem)

"""The client of the HTTP API on asyncio."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, Union

import h11

from . import calls
from .calls import Call
from .errors import unavailable
from .exchange import READ, Address, Attempts, Exchange, Response, reusable

if TYPE_CHECKING:
    from typing_extensions import Self

P = ParamSpec("P")
T = TypeVar("T")


def _method(call: Callable[P, Call[T]]) -> Callable[Concatenate[Backend, P], Coroutine[Any, Any, T]]:
    @functools.wraps(call)
    async def method(self: Backend, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._send(call(*args, **kwargs))

    return calls.with_self(method, call)


class Backend:
    """``async with Backend("http://127.0.0.1:8080", api_key) as backend``.

    ``connections`` are kept at most, and a further call waits for one; ``timeout`` seconds is the deadline of a call with
    all its repetitions. A call is repeated if that is safe: a publication has an idempotency key, the others read or set.
    ``disconnect`` is sent once. Used in one event loop.
    """

    def __init__(
        self, url: str, api_key: str, *, connections: int = 8, timeout: float = 10, tls: ssl.SSLContext | None = None
    ) -> None:
        self._address = Address(url, api_key, tls)
        self._timeout = timeout
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[_Wire] = []
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the kept connections. A later call raises `Unavailable`."""
        self._closed = True
        wires, self._idle = self._idle, []
        for wire in wires:
            wire.writer.close()
        for wire in wires:
            try:
                await asyncio.wait_for(wire.writer.wait_closed(), 2)
            except (OSError, asyncio.TimeoutError):
                wire.writer.transport.abort()

    publish = _method(calls.publish)
    batch = _method(calls.batch)
    history = _method(calls.history)
    presence = _method(calls.presence)
    connections = _method(calls.connections)
    disconnect = _method(calls.disconnect)
    give_topic = _method(calls.give_topic)
    take_topic = _method(calls.take_topic)
    user_topics = _method(calls.user_topics)
    explain = _method(calls.explain)

    async def _send(self, call: Call[T]) -> T:
        head, body = self._address.request(call)
        attempts = Attempts(call, self._timeout)
        try:
            return await asyncio.wait_for(self._repeat(attempts, head, body), self._timeout)
        except asyncio.TimeoutError:
            raise attempts.error from None

    async def _repeat(self, attempts: Attempts[T], head: h11.Request, body: bytes) -> T:
        while True:
            outcome: Union[Response, OSError]
            try:
                outcome = await self._exchange(head, body, attempts.fresh)
            except OSError as error:
                outcome = error
            result = attempts.result(outcome)
            if result is not None:
                return result
            await asyncio.sleep(attempts.pause)

    async def _exchange(self, head: h11.Request, body: bytes, fresh: bool) -> Response:
        async with self._slots:
            if self._closed:
                raise unavailable(0, "the client is closed", retry=False)
            wire = await self._wire(fresh)
            kept = False
            try:
                response = await wire.exchange(head, body)
                kept = reusable(wire.connection) and not self._closed
            finally:
                if not kept:
                    wire.writer.close()
            if kept:
                self._idle.append(wire)
            return response

    async def _wire(self, fresh: bool) -> _Wire:
        while self._idle and not fresh:
            wire = self._idle.pop()
            if not wire.reader.at_eof() and not wire.writer.is_closing():
                return wire
            wire.writer.close()
        at = self._address
        name = at.host if at.tls else None
        return _Wire(*await asyncio.open_connection(at.host, at.port, ssl=at.tls, server_hostname=name))


@dataclass(slots=True)
class _Wire:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    connection: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))

    async def exchange(self, head: h11.Request, body: bytes) -> Response:
        exchange = Exchange(self.connection)
        self.writer.write(exchange.request(head, body))
        await self.writer.drain()
        while True:
            response = exchange.response(await self.reader.read(READ))
            if response is not None:
                return response

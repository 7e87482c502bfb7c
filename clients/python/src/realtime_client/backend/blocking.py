"""The client of the HTTP API that blocks, for Django, Flask and scripts."""

from __future__ import annotations

import functools
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, Union

import h11

from . import calls
from .calls import Call
from .errors import unavailable
from .exchange import READ, Address, Attempts, Exchange, Response, reusable

if TYPE_CHECKING:
    from typing_extensions import Self

P = ParamSpec("P")
T = TypeVar("T")


def _method(call: Callable[P, Call[T]]) -> Callable[Concatenate[SyncBackend, P], T]:
    @functools.wraps(call)
    def method(self: SyncBackend, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._send(call(*args, **kwargs))

    return calls.with_self(method, call)


class SyncBackend:
    """``backend = SyncBackend("http://127.0.0.1:8080", api_key)``, once for a process, such as in a module.

    Any thread may call any method at any time, and a process that was forked may go on with it: it opens connections of
    its own. ``connections`` are kept at most, and a further call waits for one; ``timeout`` seconds is the deadline of a
    call with all its repetitions (the resolver of the system has its own deadline for a name). A call is repeated if that
    is safe: a publication has an idempotency key, the others read or set. ``disconnect`` is sent once.
    """

    def __init__(
        self, url: str, api_key: str, *, connections: int = 8, timeout: float = 10, tls: ssl.SSLContext | None = None
    ) -> None:
        self._address = Address(url, api_key, tls)
        self._timeout = timeout
        self._limit = connections
        self._pool = _Pool(self._address, connections)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the kept connections. A later call raises `Unavailable`."""
        self._own_pool().close()

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

    def _own_pool(self) -> _Pool:
        """After a fork the sockets are the parent's, and its locks may be held by threads that are not here."""
        pool = self._pool
        if pool.process != os.getpid():
            pool = self._pool = _Pool(self._address, self._limit)
        return pool

    def _send(self, call: Call[T]) -> T:
        deadline = time.monotonic() + self._timeout
        head, body = self._address.request(call)
        attempts = Attempts(call, self._timeout)
        pool = self._own_pool()
        while True:
            outcome: Union[Response, OSError]
            try:
                outcome = pool.exchange(head, body, attempts.fresh, deadline)
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise attempts.error from error
                outcome = error
            result = attempts.result(outcome)
            if result is not None:
                return result
            left = deadline - time.monotonic()
            if attempts.pause >= left:
                time.sleep(max(0, left))
                raise attempts.error
            time.sleep(attempts.pause)


class _Pool:
    """The connections of one process."""

    def __init__(self, address: Address, limit: int) -> None:
        self.process = os.getpid()
        self._address = address
        self._slots = threading.Semaphore(limit)
        self._lock = threading.Lock()
        self._idle: list[_Wire] = []
        self._closed = False

    def exchange(self, head: h11.Request, body: bytes, fresh: bool, deadline: float) -> Response:
        """Raises ``OSError``, also when ``deadline`` passes."""
        if not self._slots.acquire(timeout=max(0, deadline - time.monotonic())):
            raise TimeoutError("every connection is in use")
        try:
            wire = self._kept(fresh) or self._open(deadline)
            kept = False
            try:
                response = wire.exchange(head, body, deadline)
                kept = reusable(wire.connection)
            finally:
                if not (kept and self._keep(wire)):
                    wire.sock.close()
            return response
        finally:
            self._slots.release()

    def _kept(self, fresh: bool) -> _Wire | None:
        with self._lock:
            if self._closed:
                raise unavailable(0, "the client is closed", retry=False)
            while self._idle and not fresh:
                wire = self._idle.pop()
                if wire.silent():
                    return wire
                wire.sock.close()
        return None

    def _keep(self, wire: _Wire) -> bool:
        with self._lock:
            if not self._closed:
                self._idle.append(wire)
            return not self._closed

    def _open(self, deadline: float) -> _Wire:
        at = self._address
        plain = socket.create_connection((at.host, at.port), timeout=_left(deadline))
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _Wire(at.tls.wrap_socket(plain, server_hostname=at.host) if at.tls else plain)
        except BaseException:
            plain.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._closed = True
            wires, self._idle = self._idle, []
        for wire in wires:
            wire.sock.close()


@dataclass(slots=True)
class _Wire:
    sock: socket.socket
    connection: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))

    def silent(self) -> bool:
        """A connection that has something to read before a request is one that the server is closing."""
        poll = select.poll() if hasattr(select, "poll") else None
        if poll is None:
            return not select.select([self.sock], [], [], 0)[0]
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def exchange(self, head: h11.Request, body: bytes, deadline: float) -> Response:
        exchange = Exchange(self.connection)
        self.sock.settimeout(_left(deadline))
        self.sock.sendall(exchange.request(head, body))
        while True:
            self.sock.settimeout(_left(deadline))
            response = exchange.response(self.sock.recv(READ))
            if response is not None:
                return response


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline of the call has passed")
    return left

"""Requests over a few kept connections: the rules of HTTP/1.1 are `h11`'s, the sockets asyncio's."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

import h11

MAX_BODY = 32 * 1024 * 1024
"""Bytes of a response that are read at most."""


@dataclass(slots=True)
class _Wire:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    state: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))

    async def exchange(self, request: h11.Request, body: bytes) -> tuple[int, bytes]:
        data = self.state.send(request) or b""
        data += self.state.send(h11.Data(body)) or b""
        data += self.state.send(h11.EndOfMessage()) or b""
        self.writer.write(data)
        await self.writer.drain()
        status, parts, size = 0, [], 0
        while True:
            event = self.state.next_event()
            if event is h11.NEED_DATA:
                received = await self.reader.read(65_536)
                if not received and status == 0:
                    raise OSError("the server closed the connection before its response")
                self.state.receive_data(received)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                parts.append(bytes(event.data))
                size += len(event.data)
                if size > MAX_BODY:
                    raise OSError(f"the response is larger than {MAX_BODY} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return status, b"".join(parts)

    @property
    def kept(self) -> bool:
        return self.state.our_state is h11.DONE and self.state.their_state is h11.DONE


class Pool:
    """``limit`` connections at most; a request waits for one."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, limit: int) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._slots = asyncio.Semaphore(limit)
        self._idle: list[_Wire] = []
        self._closed = False

    async def exchange(self, request: h11.Request, body: bytes, *, fresh: bool) -> tuple[int, bytes]:
        """``fresh``: not over a connection that the server may be closing. Raises ``OSError``."""
        async with self._slots:
            if self._closed:
                raise OSError("the client is closed")
            wire = self._idle.pop() if self._idle and not fresh else await self._open()
            kept = False
            try:
                answer = await wire.exchange(request, body)
                kept = wire.kept and not self._closed
            except h11.ProtocolError as error:
                raise OSError(f"the response is not HTTP: {error}") from error
            finally:
                if not kept:
                    wire.writer.close()
            if kept:
                wire.state.start_next_cycle()
                self._idle.append(wire)
            return answer

    async def _open(self) -> _Wire:
        name = self._host if self._tls else None
        return _Wire(*await asyncio.open_connection(self._host, self._port, ssl=self._tls, server_hostname=name))

    async def aclose(self) -> None:
        self._closed = True
        wires, self._idle = self._idle, []
        for wire in wires:
            wire.writer.close()
        for wire in wires:
            try:
                await asyncio.wait_for(wire.writer.wait_closed(), 2)
            except (OSError, asyncio.TimeoutError):
                wire.writer.transport.abort()

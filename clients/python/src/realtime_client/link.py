"""One WebSocket: a task that dials, reads and writes, and ends with a close that is not waited for without limit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

CLOSE_DEADLINE = 2.0
"""Seconds for a close handshake."""
MAX_FRAME = 16 * 1024 * 1024
"""Bytes of one frame from the server: a page of a history is the largest."""
MAX_UNSENT = 1_000
"""Frames that wait for a slow network. The machine sends fewer: commands in flight are bounded."""

_log = logging.getLogger("realtime_client.websocket")
# At DEBUG the library logs the headers of the handshake, and the token is one of them.
_log.setLevel(logging.WARNING)


class _Connect(connect):
    """Follows no redirect: the token is for the host that the application named."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def address(url: str, query: dict[str, str]) -> str:
    """The URL with these parameters in place of its own of the same names."""
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in query]
    return urlunsplit(parts._replace(query=urlencode([*kept, *query.items()])))


class Link:
    def __init__(
        self,
        url: str,
        protocols: tuple[str, ...],
        frame: Callable[[str], None],
        closed: Callable[[int, str], None],
        room: Callable[[], Awaitable[None]],
        headers: dict[str, str],
    ) -> None:
        self._frame = frame
        self._closed = closed
        self._room = room
        self._code = 1000
        self._dropped = False
        self.socket: ClientConnection | None = None
        self._unsent: asyncio.Queue[str] = asyncio.Queue(MAX_UNSENT)
        self.task = asyncio.create_task(self._run(url, protocols, headers))

    def send(self, text: str) -> None:
        try:
            self._unsent.put_nowait(text)
        except asyncio.QueueFull:
            # Nothing was read from here for a long time: the reader's end says that the connection is lost.
            self.task.cancel()

    def drop(self, code: int) -> None:
        """Nothing of this socket counts from now on."""
        self._dropped = True
        self._code = code
        self.task.cancel()

    async def _run(self, url: str, protocols: tuple[str, ...], headers: dict[str, str]) -> None:
        code, reason = 1006, ""
        try:
            socket = await _Connect(
                url,
                subprotocols=[Subprotocol(name) for name in protocols],
                additional_headers=headers,
                compression=None,
                open_timeout=None,
                ping_interval=None,
                close_timeout=CLOSE_DEADLINE,
                max_size=MAX_FRAME,
                logger=_log,
            )
            code, reason = await self._serve(socket)
        except asyncio.CancelledError:
            reason = "the connection was abandoned"
        except Exception as error:
            reason = str(error) or type(error).__name__
        if not self._dropped:
            self._closed(code, reason)

    async def _serve(self, socket: ClientConnection) -> tuple[int, str]:
        self.socket = socket
        writer = asyncio.create_task(self._write(socket))
        try:
            while True:
                text = await socket.recv()
                if self._dropped:
                    break
                self._frame(text if isinstance(text, str) else text.decode("utf-8", "replace"))
                await self._room()
        except ConnectionClosed:
            pass
        finally:
            writer.cancel()
            await socket.close(self._code)
        return socket.close_code or 1006, socket.close_reason or ""

    async def _write(self, socket: ClientConnection) -> None:
        try:
            while True:
                await socket.send(await self._unsent.get())
        except ConnectionClosed:
            # The reader sees the same, and says so.
            pass

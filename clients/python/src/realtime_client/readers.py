"""Readers of a pattern that have a queue of their own: iterators and ``async`` handlers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Union

from .errors import RealtimeError
from .feed import Feed
from .listeners import Listener, Listeners, Remove
from .machine.values import Message
from .machine.signals import Received

Handler = Callable[[Message], Union[object, Awaitable[object]]]


class Readers:
    """``spawn`` starts a task that the client ends."""

    def __init__(
        self,
        listeners: Listeners,
        feed: Callable[[], Feed],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        report: Callable[[Exception], None],
    ) -> None:
        self._listeners = listeners
        self._feed = feed
        self._spawn = spawn
        self._report = report
        self._feeds: list[Feed] = []
        self._waiting: list[tuple[Feed, Handler]] = []
        """Handlers that were added before the first start."""
        self.closed = False

    def listen(self, pattern: str, type: str | None) -> tuple[Feed, Remove]:
        feed = self._feed()
        remove = self._listeners.add(Listener(pattern, type, feed.push))
        self._feeds.append(feed)

        def end() -> None:
            remove()
            feed.end(None)
            if feed in self._feeds:
                self._feeds.remove(feed)

        return feed, end

    def handle(self, pattern: str, type: str | None, handler: Handler, runs: bool) -> Remove:
        """Calls an ``async`` handler for one message after the other; ``runs``: the client is started."""
        feed, end = self.listen(pattern, type)
        if runs:
            self._spawn(self._work(feed, handler))
        else:
            self._waiting.append((feed, handler))
        return end

    def revive(self) -> None:
        """The client starts."""
        for feed in self._feeds:
            feed.revive()
        for feed, handler in self._waiting:
            self._spawn(self._work(feed, handler))
        self._waiting = []

    def end(self, error: Exception | None) -> None:
        """The client has stopped."""
        for feed in self._feeds:
            feed.end(error)

    async def _work(self, feed: Feed, handler: Handler) -> None:
        while not self.closed:
            with suppress(RealtimeError):
                await self._hand_on(feed, handler)
            if feed not in self._feeds:
                return
            # stop() was called; start() may follow.
            await feed.revived()

    async def _hand_on(self, feed: Feed, handler: Handler) -> None:
        async for item in feed.items():
            if not isinstance(item, Received):
                continue
            try:
                result = handler(item.message)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:
                self._report(error)

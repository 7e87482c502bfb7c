"""A subscription in the hands of the application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Optional, Union

from .errors import RealtimeError
from .feed import Feed
from .machine.signals import Received
from .machine.values import Failure, Gap, LoadReason, Message, Position, SubscriptionStatus

GetState = Callable[[str, LoadReason], Awaitable[Optional[Position]]]
"""Loads the application's state of a topic, and returns the position at which it was read (read the position first);
``None`` if the topic has no history."""


@dataclass(frozen=True, slots=True)
class Ready:
    """``recovered`` messages were missed and have come."""

    position: Position | None
    recovered: int


class Subscription:
    """Iterate over it for its messages, or over ``events()`` for messages and gaps. ``async with`` unsubscribes."""

    def __init__(
        self, topic: str, get_state: GetState | None, feed: Feed | None, leave: Callable[[Subscription], None]
    ) -> None:
        self.topic = topic
        self.state = SubscriptionStatus("pending")
        self._get_state = get_state
        self._feed = feed
        self._leave = leave
        self._left = False
        self._failure: Failure | None = None
        self._handlers: list[Callable[[SubscriptionStatus], object]] = []
        self._waiting: set[asyncio.Future[Ready]] = set()

    async def ready(self) -> Ready:
        """Returns when the server has subscribed this client.

        Raises ``RealtimeError`` if it refuses, and after ``unsubscribe`` or ``stop``.
        """
        if self._failure:
            raise RealtimeError(self._failure)
        if self.state.phase == "live":
            return Ready(self.state.position, self.state.recovered)
        future: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            return await future
        finally:
            self._waiting.discard(future)

    def on_state(self, handler: Callable[[SubscriptionStatus], object]) -> Callable[[], None]:
        """Returns its own remover."""
        self._handlers.append(handler)
        return lambda: self._handlers.remove(handler) if handler in self._handlers else None

    def unsubscribe(self) -> None:
        """Nothing of this subscription is delivered from now on. A reader comes to its end."""
        if self._left:
            return
        self._left = True
        self._fail(Failure("unsubscribed", "unsubscribe() was called"))
        if self._feed:
            self._feed.end(None)
        self._leave(self)

    async def events(self) -> AsyncIterator[Union[Message, Gap]]:
        """Messages, and gaps in their place between them.

        Ends after ``unsubscribe`` and ``stop``; raises ``RealtimeError`` if the server ends the subscription, or
        refuses the client.
        """
        if self._feed is None:
            raise RuntimeError("this subscription has a handler: its messages go there")
        async for item in self._feed.items():
            yield item.message if isinstance(item, Received) else item.gap

    async def __aiter__(self) -> AsyncIterator[Message]:
        async for event in self.events():
            if isinstance(event, Message):
                yield event

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unsubscribe()

    def _change(self, status: SubscriptionStatus) -> list[Callable[[SubscriptionStatus], object]]:
        """Returns the handlers that run now."""
        if self._left or self.state.phase == status.phase:
            return []
        self.state = status
        if status.error:
            self._fail(status.error)
            if self._feed:
                self._feed.end(RealtimeError(status.error))
            return list(self._handlers)
        self._revive()
        if status.phase == "live":
            for future in self._waiting:
                if not future.done():
                    future.set_result(Ready(status.position, status.recovered))
        return list(self._handlers)

    def _revive(self) -> None:
        self._failure = None
        if self._feed:
            self._feed.revive()

    def _stop(self, failure: Failure, by_application: bool) -> None:
        """The client has stopped; ``start`` continues."""
        self._fail(failure)
        if self.state.phase == "live":
            self.state = SubscriptionStatus("pending")
        if self._feed:
            self._feed.end(None if by_application else RealtimeError(failure))

    def _fail(self, failure: Failure) -> None:
        self._failure = failure
        for future in self._waiting:
            if not future.done():
                future.set_exception(RealtimeError(failure))

"""Bounded queues between the connection and a reader of the application.

A reader that is slower than the server stops the connection from reading, for ``FULL_DEADLINE`` seconds at most: the network
holds the rest. After that the newest messages are left out, and a gap stands in their place: the memory is bounded, and
no loss is silent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Union

from .machine.signals import Lost, Received
from .machine.values import Gap, Message

FULL_DEADLINE = 5.0
"""Seconds that a full queue holds up the connection."""

Item = Union[Received, Lost]


class Congestion:
    """The queues that are full. The connection reads on when there are none."""

    def __init__(self) -> None:
        self._full: set[Feed] = set()
        self._room = asyncio.Event()

    def add(self, feed: Feed) -> None:
        self._full.add(feed)
        self._room.clear()

    def discard(self, feed: Feed) -> None:
        self._full.discard(feed)
        if not self._full:
            self._room.set()

    async def room(self) -> None:
        if not self._full:
            return
        try:
            await asyncio.wait_for(self._room.wait(), FULL_DEADLINE)
        except asyncio.TimeoutError:
            for feed in list(self._full):
                feed.overflow()


class Feed:
    """``limit`` messages at most. ``deliverable`` is asked when an item's turn comes: it may have been ended."""

    def __init__(
        self, limit: int, congestion: Congestion, deliverable: Callable[[Item], bool], on_gap: Callable[[Gap], None]
    ) -> None:
        self._limit = limit
        self._congestion = congestion
        self._deliverable = deliverable
        self._on_gap = on_gap
        self._items: deque[Item] = deque()
        self._left_out: list[Message] = []
        """The first and the last message that was left out."""
        self._missed = 0
        self._overflows = False
        self._read = False
        self._ended = False
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._revived = asyncio.Event()

    def push(self, item: Item) -> None:
        if len(self._items) >= self._limit:
            self._leave_out(item)
        else:
            self._name_what_was_left_out()
            self._items.append(item)
        if self._read and not self._overflows and len(self._items) >= self._limit:
            self._congestion.add(self)
        self._news.set()

    def _leave_out(self, item: Item) -> None:
        if isinstance(item, Received):
            self._left_out = [*self._left_out[:1], item.message]
            self._missed += 1
        else:
            self._missed += item.gap.missed or 0

    def _name_what_was_left_out(self) -> None:
        if not self._left_out:
            return
        first, last = self._left_out[0], self._left_out[-1]
        gap = Gap("slow_reader", first.stream, first.offset, last.offset, self._missed)
        if first.stream != last.stream:
            gap = Gap("slow_reader", missed=self._missed)
        self._left_out, self._missed = [], 0
        self._items.append(Lost(gap, None, 0))
        self._on_gap(gap)

    def overflow(self) -> None:
        """The connection has waited long enough."""
        self._overflows = True
        self._congestion.discard(self)

    def end(self, error: Exception | None) -> None:
        """The reader comes to its end. """
        self._ended, self._error = True, error
        self._items.clear()
        self._left_out, self._missed = [], 0
        self._congestion.discard(self)
        self._news.set()

    def revive(self) -> None:
        """What had ended continues."""
        self._ended, self._error = False, None
        self._revived.set()

    async def revived(self) -> None:
        self._revived.clear()
        if self._ended:
            await self._revived.wait()

    async def items(self) -> AsyncIterator[Item]:
        self._read = True
        try:
            while True:
                while (item := self._take()) is None:
                    if self._ended:
                        if self._error:
                            raise self._error
                        return
                    self._news.clear()
                    await self._news.wait()
                yield item
        finally:
            self._read = False
            self._congestion.discard(self)

    def _take(self) -> Item | None:
        while True:
            if not self._items:
                self._name_what_was_left_out()
            if not self._items:
                return None
            item = self._items.popleft()
            if len(self._items) <= self._limit // 2:
                self._overflows = False
                self._congestion.discard(self)
            if self._deliverable(item):
                return item

"""Carries out the effects of the machine: sockets, timers, the token provider.

Events enter one at a time; events for the application leave through a queue, after the transition.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, Union

from .lifecycle import SleepWatch, now_ms
from .link import Link, address
from .machine import deliverable, step
from .machine.signals import (
    Arm,
    AskToken,
    Closed,
    Dial,
    Disarm,
    Drop,
    Effect,
    Emission,
    Emit,
    Event,
    FrameArrived,
    Load,
    Send,
    Settle,
    Signal,
    TimerExpired,
    TokenArrived,
    TokenFailed,
)
from .machine.state import State
from .machine.values import TokenReason

TokenProvider = Union[str, None, Callable[[TokenReason], Union[str, None, Awaitable[Union[str, None]]]]]
"""A token, or a function (plain or ``async``) that is asked before every attempt. ``None``: no user is signed in."""


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """Time, timers and randomness; a test has its own. Times are milliseconds."""

    def now(self) -> float: ...
    def random(self) -> float: ...
    def call_later(self, ms: float, run: Callable[[], None]) -> Cancellable: ...


class SystemClock:
    def now(self) -> float:
        return now_ms()

    def random(self) -> float:
        return random.random()

    def call_later(self, ms: float, run: Callable[[], None]) -> Cancellable:
        return asyncio.get_running_loop().call_later(ms / 1_000, run)


def text_of(command: dict[str, Any]) -> str:
    """The JSON text of a command. Raises ``TypeError`` or ``ValueError`` for what JSON does not have."""
    text = json.dumps(command, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text.encode()
    return text


class Driver:
    def __init__(
        self,
        state: State,
        token: TokenProvider,
        url: str,
        clock: Clock,
        headers: dict[str, str],
        deliver: Callable[[Union[Emission, Settle, Load]], None],
        room: Callable[[], Awaitable[None]],
    ) -> None:
        self.state = state
        self.token = token
        self.url = url
        self.clock = clock
        self.headers = headers
        self._deliver = deliver
        self._room = room
        self._inbox: deque[Event] = deque()
        self._outbox: deque[Union[Emission, Settle, Load]] = deque()
        self._timers: dict[str, Cancellable] = {}
        self._stepping = False
        self._draining = False
        self._link: Link | None = None
        self._watch: SleepWatch | None = None
        self._request = 0
        self._asking: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._links: set[asyncio.Task[None]] = set()

    def send(self, event: Event) -> None:
        self._inbox.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._inbox:
                for effect in step(self.state, self._inbox.popleft(), self.clock.now(), self.clock.random()):
                    self._run(effect)
        finally:
            self._stepping = False
        self._follow()
        self._drain()

    def _drain(self) -> None:
        """Emissions, in their order; a handler that sends events finds the state as it is."""
        if self._draining:
            return
        self._draining = True
        try:
            while self._outbox:
                following = self._outbox.popleft()
                if isinstance(following, (Settle, Load)) or deliverable(self.state, following):
                    self._deliver(following)
        finally:
            self._draining = False

    def _follow(self) -> None:
        """What runs beside the machine runs only while the machine needs it."""
        if self._asking and self._request != self.state.request:
            self._asking.cancel()
            self._asking = None
        runs = self.state.phase != "stopped"
        if runs and not self._watch:
            self._watch = SleepWatch(lambda: self.send(Signal("wake")))
        elif not runs and self._watch:
            self._watch.stop()
            self._watch = None

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that ``close`` ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _run(self, effect: Effect) -> None:
        match effect:
            case Emit(emission):
                self._outbox.append(emission)
            case Settle() | Load():
                self._outbox.append(effect)
            case Send(_, command):
                if self._link:
                    self._link.send(text_of(command))
            case Dial(n, protocols, query):
                self._dial(n, protocols, query)
            case Drop(_, code):
                if self._link:
                    self._link.drop(code)
                    self._link = None
            case Arm(timer, key, ms):
                self._disarm(timer)
                self._timers[timer] = self.clock.call_later(ms, lambda: self._expire(TimerExpired(timer, key)))
            case Disarm(timer):
                self._disarm(timer)
            case AskToken(request, reason):
                if self._asking:
                    self._asking.cancel()
                self._request = request
                self._asking = self.spawn(self._ask(request, reason))

    def _disarm(self, timer: str) -> None:
        if timer in self._timers:
            self._timers.pop(timer).cancel()

    def _expire(self, event: TimerExpired) -> None:
        self._timers.pop(event.timer, None)
        self.send(event)

    async def _ask(self, request: int, reason: TokenReason) -> None:
        try:
            token: object = self.token(reason) if callable(self.token) else self.token
            if inspect.isawaitable(token):
                token = await token
        except Exception as error:
            answer: Event = TokenFailed(request, str(error) or type(error).__name__)
        else:
            answer = TokenArrived(request, token)
        self._asking = None
        self.send(answer)

    def _dial(self, n: int, protocols: tuple[str, ...], query: dict[str, str]) -> None:
        def closed(code: int, reason: str) -> None:
            if self._link is link:
                self._link = None
            self.send(Closed(n, code, reason))

        link = self._link = Link(
            address(self.url, query),
            protocols,
            lambda text: self.send(FrameArrived(n, text)),
            closed,
            self._room,
            self.headers,
        )
        self._links.add(link.task)
        link.task.add_done_callback(self._links.discard)

    async def close(self) -> None:
        """Stops, and returns when nothing runs any more: within the deadline of the close handshake."""
        self.send(Signal("stop"))
        own = asyncio.current_task()
        for task in self._tasks:
            if task is not own:
                task.cancel()
        # A socket that was dropped is in its close handshake, which has its own deadline.
        await asyncio.gather(*(self._tasks | self._links) - {own}, return_exceptions=True)

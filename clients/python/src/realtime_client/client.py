"""The client that an application uses."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Union
from urllib.parse import urlsplit

from . import feed as feeds
from .driver import Clock, Driver, SystemClock, TokenProvider, text_of
from .errors import RealtimeError
from .feed import Congestion, Feed
from .listeners import Listener, Listeners, Remove
from .machine import deliverable, initial, wire
from .machine.types import (
    Command,
    ConnectionState,
    ControlFrame,
    Emission,
    Failure,
    Gap,
    Load,
    Loaded,
    LoadFailed,
    LoadReason,
    Lost,
    Message,
    Options,
    Position,
    Received,
    Ref,
    Reported,
    Settle,
    Signal,
    StateChanged,
    Submit,
    Subscribe,
    SubscriptionChanged,
    Unsubscribe,
)
from .subscription import GetState, Subscription

if TYPE_CHECKING:
    from typing_extensions import Self

_log = logging.getLogger("realtime_client")

Handler = Callable[[Message], Union[object, Awaitable[object]]]


@dataclass(frozen=True, slots=True)
class Session:
    """What a client needs to continue after a restart of the process. The ticket is a secret of the user."""

    client: str
    positions: dict[str, Position] = field(default_factory=dict)
    ticket: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """``message`` is the id of the message; ``duplicate``: its idempotency key was used before."""

    message: str
    position: Position | None
    duplicate: bool


@dataclass(frozen=True, slots=True)
class HistoryPage:
    position: Position
    publications: list[Message]
    more: bool


class Realtime:
    """A connection to the server's ``/ws`` that lasts: it reconnects, asks for tokens and continues every stream.

    Use it as ``async with Realtime(url, token) as rt``, or call ``start`` and ``aclose``. All calls are made in one event
    loop. Handlers are called one after the other, after the client's own state has changed; an ``async`` handler has a
    queue of ``queue`` messages of its own.

    ``client`` names this process: 1 to 64 characters, the same over reconnects; a random one by default.
    ``max_offline`` publications wait for a connection or a reply, and 256 KiB of them.
    """

    def __init__(
        self,
        url: str,
        token: TokenProvider,
        *,
        client: str | None = None,
        max_offline: int = 100,
        queue: int = 256,
        session: Session | None = None,
        headers: dict[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        if urlsplit(url).scheme not in ("ws", "wss"):
            raise ValueError("url: must begin with ws:// or wss://, such as wss://example.com/ws")
        if queue < 1:
            raise ValueError("queue: must be at least 1")
        own = client or (session.client if session else str(uuid.uuid4()))
        # The server remembers the ids of a `client` for a while: a process that starts again must not count from 1.
        first_id = 1 if clock else time.time_ns() // 1_000
        state = initial(Options(own, first_id, max_offline))
        if session:
            state.ticket, state.user, state.welcomes = session.ticket, session.user, 1
            state.positions = dict(session.positions)
        self._queue = queue
        self._congestion = Congestion()
        self._driver = Driver(
            state, token, url, clock or SystemClock(), dict(headers or {}), self._deliver, self._congestion.room
        )
        self._listeners = Listeners()
        self._states: list[Callable[[ConnectionState], object]] = []
        self._gaps: list[Callable[[Gap], object]] = []
        self._errors: list[Callable[[Exception], object]] = []
        self._frames: list[Callable[[str, dict[str, Any]], object]] = []
        self._handles: dict[str, list[Subscription]] = {}
        self._feeds: list[Feed] = []
        self._results: dict[Ref, asyncio.Future[dict[str, Any]]] = {}
        self._workers: list[tuple[Feed, Handler]] = []
        self._ref = 0
        self._closed = False

    # The connection.

    def start(self, token: TokenProvider = "") -> Self:
        """Connects, and stays connected until ``stop``. A token or provider given here is used from now on."""
        if self._closed:
            raise RuntimeError("the client is closed: make another one")
        if token != "":
            self._driver.token = token
        if self._driver.state.phase == "stopped":
            for handle in self._all():
                handle._revive()
            for feed in self._feeds:
                feed.revive()
            for feed, handler in self._workers:
                self._driver.spawn(self._work(feed, handler))
            self._workers = []
        self._driver.send(Signal("start"))
        return self

    def stop(self) -> None:
        """Disconnects. Nothing is delivered afterwards; ``start`` continues where it stopped."""
        self._driver.send(Signal("stop"))

    async def aclose(self) -> None:
        """Stops for good. When it returns, no task, timer or socket of this client is left."""
        self._closed = True
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def refresh(self) -> None:
        """Asks for a new token now, for example after the user gained a role."""
        self._driver.send(Signal("refresh"))

    def wake(self) -> None:
        """Checks the connection now. The client itself notices that the machine slept."""
        self._driver.send(Signal("wake"))

    def online(self) -> None:
        """The network is back: connects now rather than after the wait."""
        self._driver.send(Signal("online"))

    def offline(self) -> None:
        """The network is gone, the application says: a live connection is asked, an attempt waits."""
        self._driver.send(Signal("offline"))

    @property
    def state(self) -> ConnectionState:
        return self._driver.state.shown

    # Handlers. Each `on…` returns its own remover.

    def on_state(self, handler: Callable[[ConnectionState], object]) -> Remove:
        return _add(self._states, handler)

    def on_gap(self, handler: Callable[[Gap], object]) -> Remove:
        """Messages that this client can no longer receive, in their place between the messages."""
        return _add(self._gaps, handler)

    def on_error(self, handler: Callable[[Exception], object]) -> Remove:
        """Errors of handlers, and of what no call waits for. Without a handler they are logged."""
        return _add(self._errors, handler)

    def on_frame(self, handler: Callable[[str, dict[str, Any]], object]) -> Remove:
        """Control frames that are the application's to read: ``presence``."""
        return _add(self._frames, handler)

    def on(self, pattern: str, handler: Handler, *, type: str | None = None) -> Remove:
        """Listens to the messages of a topic or pattern, of every subscription.

        ``*`` is one part of a topic, ``**`` at the end one or more. A message without a topic has the name of its stream
        behind ``@``: ``@user``, ``@role:admin``, ``@all``; ``@`` alone is one of no stream.
        """
        if inspect.iscoroutinefunction(handler):
            feed = self._feed()
            if self._driver.state.phase == "stopped":
                self._workers.append((feed, handler))
            else:
                self._driver.spawn(self._work(feed, handler))
            return self._listen(pattern, type, feed)

        def run(received: Received) -> None:
            try:
                handler(received.message)
            except Exception as error:
                self._report(error)

        return self._listeners.add(Listener(pattern, type, run))

    def _listen(self, pattern: str, type: str | None, feed: Feed) -> Remove:
        remove = self._listeners.add(Listener(pattern, type, feed.push))
        self._feeds.append(feed)

        def end() -> None:
            remove()
            feed.end(None)
            if feed in self._feeds:
                self._feeds.remove(feed)

        return end

    async def messages(self, pattern: str, *, type: str | None = None) -> AsyncIterator[Message]:
        """The messages that ``on`` would have, from the first step of the iteration on. Ends after ``stop``."""
        feed = self._feed()
        end = self._listen(pattern, type, feed)
        try:
            async for item in feed.items():
                if isinstance(item, Received):
                    yield item.message
        finally:
            end()

    def _feed(self) -> Feed:
        return Feed(self._queue, self._congestion, self._deliverable, self._lost)

    def _deliverable(self, item: feeds.Item) -> bool:
        return deliverable(self._driver.state, item)

    async def _work(self, feed: Feed, handler: Handler) -> None:
        while not self._closed:
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

    # Subscriptions.

    def subscribe(
        self,
        topic: str,
        handler: Handler | None = None,
        *,
        since: Position | None = None,
        get_state: GetState | None = None,
    ) -> Subscription:
        """Subscribes, and stays subscribed over reconnects, until ``unsubscribe``.

        Counted: two subscribers of a topic are one on the wire, with ``since`` and ``get_state`` of the first. Without
        a handler the messages wait in a bounded queue for a reader: ``async for message in subscription``.

        ``since`` is the last position that the application has: what follows it is delivered. ``get_state`` loads the
        application's state before the first message, and again after a gap.
        """
        remove: Remove = lambda: None  # noqa: E731
        feed = None if handler else self._feed()
        if handler:
            remove = self.on(topic, handler)

        def leave(subscription: Subscription) -> None:
            remove()
            self._leave(subscription)

        subscription = Subscription(topic, get_state, feed, leave)
        self._handles.setdefault(topic, []).append(subscription)
        self._driver.send(Subscribe(topic, since, get_state is not None))
        return subscription

    def _leave(self, subscription: Subscription) -> None:
        handles = self._handles.get(subscription.topic, [])
        if subscription in handles:
            handles.remove(subscription)
        if not handles:
            self._handles.pop(subscription.topic, None)
        self._driver.send(Unsubscribe(subscription.topic))

    def _all(self) -> list[Subscription]:
        return [handle for handles in self._handles.values() for handle in handles]

    # Commands.

    async def publish(
        self, topic: str, type: str, payload: Any, *, idempotency_key: str | None = None, echo: bool | None = None
    ) -> Published:
        """Publishes once, however often the connection is lost meanwhile. Waits for a connection, in a bounded queue.

        A task that is cancelled waits no more; the message may still be published. ``echo=False``: this client does not
        receive its own message. Raises ``RealtimeError``.
        """
        command: Command = {"action": "publish", "topic": topic, "type": type, "payload": payload}
        command["idempotency_key"] = idempotency_key or str(uuid.uuid4())
        if echo is not None:
            command["echo"] = echo
        result = await self.command(command)
        at = wire.position(result.get("position"))
        return Published(str(result.get("message", "")), at, result.get("duplicate") is True)

    async def call(self, name: str, payload: Any = None) -> Any:
        """Calls the application behind the server. It is sent once; if the connection is lost meanwhile, it raises."""
        command: Command = {"action": "call", "name": name}
        if payload is not None:
            command["payload"] = payload
        return (await self.command(command)).get("result")

    async def history(
        self, stream: str, *, since: Position | None = None, limit: int | None = None, reverse: bool | None = None
    ) -> HistoryPage:
        """A page of a stream's history, such as of ``topic:order:123``."""
        command: Command = {"action": "history", "stream": stream}
        if since:
            command["since"] = {"epoch": since.epoch, "offset": since.offset}
        if limit is not None:
            command["limit"] = limit
        if reverse is not None:
            command["reverse"] = reverse
        result = await self.command(command)
        at = wire.position(result.get("position"))
        if at is None:
            raise RealtimeError(Failure("bad_frame", "the reply to `history` has no position"))
        publications = [wire.message(one) for one in result.get("publications", []) if "id" in one]
        return HistoryPage(at, publications, result.get("more") is True)

    async def position(self, stream: str) -> Position:
        """Where a stream stands: read it before you load your state."""
        return (await self.history(stream, limit=0)).position

    async def command(self, command: Command) -> dict[str, Any]:
        """Any command of docs/protocol.md, without its ``id``. Returns the payload of its ``ack``.

        Raises ``RealtimeError``, and ``TypeError`` or ``ValueError`` for what JSON does not have.
        """
        text_of(command)
        self._ref += 1
        ref = self._ref
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._results[ref] = future
        self._driver.send(Submit(ref, command))
        return await future

    def session(self) -> Session:
        """Give it to the next process as ``session``: that one continues where this one stopped."""
        state = self._driver.state
        return Session(state.options.client, dict(state.positions), state.ticket, state.user)

    # What the driver delivers.

    def _deliver(self, outgoing: Union[Emission, Settle, Load]) -> None:
        match outgoing:
            case Settle(ref, result, error):
                future = self._results.pop(ref, None)
                if future is None or future.done():
                    return
                if error:
                    future.set_exception(RealtimeError(error))
                else:
                    future.set_result(result or {})
            case Load(topic, generation, reason):
                self._driver.spawn(self._load(topic, generation, reason))
            case Received(message):
                self._received(outgoing, message)
            case Lost(gap):
                self._lost(gap, outgoing)
                for handle in self._handles.get(outgoing.topic or "", []):
                    if handle._feed and self._deliverable(outgoing):
                        handle._feed.push(outgoing)
            case StateChanged(state):
                self._changed(state)
            case SubscriptionChanged(topic, generation, status):
                sub = self._driver.state.subscriptions.get(topic)
                if sub is None or sub.generation != generation:
                    return
                for handle in list(self._handles.get(topic, [])):
                    self._run(handle._change(status), status)
            case ControlFrame(kind, payload):
                for handler in list(self._frames):
                    self._run([lambda _: handler(kind, payload)], None)
            case Reported(error):
                self._report(RealtimeError(error))

    def _received(self, received: Received, message: Message) -> None:
        for handle in list(self._handles.get(message.topic or "", [])):
            if handle._feed and deliverable(self._driver.state, received):
                handle._feed.push(received)
        for listener in self._listeners.of(message):
            if not deliverable(self._driver.state, received):
                return
            listener.run(received)

    def _lost(self, gap: Gap, emission: Lost | None = None) -> None:
        for handler in list(self._gaps):
            if emission and not deliverable(self._driver.state, emission):
                return
            self._run([handler], gap)

    def _changed(self, state: ConnectionState) -> None:
        if state.phase == "stopped":
            reason = state.reason
            failure = Failure("stopped", f"{reason.code}: {reason.message}" if reason else "")
            own = reason is not None and reason.code == "stopped"
            for handle in self._all():
                handle._stop(failure, own)
            for feed in self._feeds:
                feed.end(None if own else RealtimeError(failure))
        self._run(list(self._states), state)

    async def _load(self, topic: str, generation: int, reason: LoadReason) -> None:
        loaders = (handle._get_state for handle in self._handles.get(topic, []) if handle._get_state)
        get_state = next(loaders, None)
        try:
            position = await get_state(topic, reason) if get_state else None
        except Exception as error:
            self._driver.send(LoadFailed(topic, generation, str(error) or type(error).__name__))
        else:
            self._driver.send(Loaded(topic, generation, position))

    def _run(self, handlers: list[Callable[[Any], object]], value: object) -> None:
        """Each handler for itself: one that raises ends nothing."""
        for handler in handlers:
            try:
                handler(value)
            except Exception as error:
                self._report(error)

    def _report(self, error: Exception) -> None:
        handlers = list(self._errors)
        if not handlers:
            _log.error("an error that no handler takes: %s", error, exc_info=error)
        for handler in handlers:
            try:
                handler(error)
            except Exception as own:
                _log.error("the error handler failed: %s", own, exc_info=own)


def _add(handlers: list[Any], handler: Any) -> Remove:
    """Each ``on…`` has a plain function: it runs between two steps of the client."""
    if inspect.iscoroutinefunction(handler):
        raise TypeError("the handler must be a plain function; start a task in it for what must be awaited")
    handlers.append(handler)
    return lambda: handlers.remove(handler) if handler in handlers else None

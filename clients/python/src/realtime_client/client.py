"""The client that an application uses."""

from __future__ import annotations

import asyncio
import inspect
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Union
from urllib.parse import urlsplit

from . import feed as feeds
from . import results
from .driver import Clock, Driver, SystemClock, TokenProvider, text_of
from .errors import RealtimeError, refusal_of
from .feed import Congestion, Feed
from .hooks import Hooks, add
from .listeners import Listener, Listeners, Remove
from .machine import deliverable, initial
from .machine.signals import (
    ControlFrame,
    Emission,
    Load,
    LoadFailed,
    Loaded,
    Lost,
    Received,
    Reported,
    Settle,
    Signal,
    StateChanged,
    Submit,
    Subscribe,
    SubscriptionChanged,
    Unsubscribe,
)
from .machine.state import Options
from .machine.values import Command, ConnectionState, Failure, Gap, LoadReason, Message, Position, Ref
from .readers import Handler, Readers
from .results import HistoryPage, Published, Session, history_page, published
from .subscription import GetState, Subscription

if TYPE_CHECKING:
    from typing_extensions import Self

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
        self._hooks = Hooks()
        self._readers = Readers(self._listeners, self._feed, self._driver.spawn, self._hooks.report)
        self._handles: dict[str, list[Subscription]] = {}
        self._results: dict[Ref, asyncio.Future[dict[str, Any]]] = {}
        self._ref = 0

    # The connection.

    def start(self, token: TokenProvider = "") -> Self:
        """Connects, and stays connected until ``stop``. A token or provider given here is used from now on."""
        if self._readers.closed:
            raise RuntimeError("the client is closed: make another one")
        if token != "":
            self._driver.token = token
        if self._driver.state.phase == "stopped":
            for handle in self._all():
                handle._revive()
            self._readers.revive()
        self._driver.send(Signal("start"))
        return self

    def stop(self) -> None:
        """Disconnects. Nothing is delivered afterwards; ``start`` continues where it stopped."""
        self._driver.send(Signal("stop"))

    async def aclose(self) -> None:
        """Stops for good. When it returns, no task, timer or socket of this client is left."""
        self._readers.closed = True
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
        return add(self._hooks.states, handler)

    def on_gap(self, handler: Callable[[Gap], object]) -> Remove:
        """Messages that this client can no longer receive, in their place between the messages."""
        return add(self._hooks.gaps, handler)

    def on_error(self, handler: Callable[[Exception], object]) -> Remove:
        """Errors of handlers, and of what no call waits for. Without a handler they are logged."""
        return add(self._hooks.errors, handler)

    def on_frame(self, handler: Callable[[str, dict[str, Any]], object]) -> Remove:
        """Control frames that are the application's to read: ``presence``."""
        return add(self._hooks.frames, handler)

    def on(self, pattern: str, handler: Handler, *, type: str | None = None) -> Remove:
        """Listens to the messages of a topic or pattern, of every subscription.

        ``*`` is one part of a topic, ``**`` at the end one or more. A message without a topic has the name of its stream
        behind ``@``: ``@user``, ``@role:admin``, ``@all``; ``@`` alone is one of no stream.
        """
        if inspect.iscoroutinefunction(handler):
            return self._readers.handle(pattern, type, handler, self._driver.state.phase != "stopped")

        def run(received: Received) -> None:
            try:
                handler(received.message)
            except Exception as error:
                self._hooks.report(error)

        return self._listeners.add(Listener(pattern, type, run))

    async def messages(self, pattern: str, *, type: str | None = None) -> AsyncIterator[Message]:
        """The messages that ``on`` would have, from the first step of the iteration on. Ends after ``stop``."""
        feed, end = self._readers.listen(pattern, type)
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
        return published(await self.command(results.publish(topic, type, payload, idempotency_key, echo)))

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
        return history_page(await self.command(results.history(stream, since, limit, reverse)))

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
                    self._hooks.run(handle._change(status), status)
            case ControlFrame(kind, payload):
                self._hooks.run(list(self._hooks.frames), kind, payload)
            case Reported(error):
                self._hooks.report(RealtimeError(error))

    def _received(self, received: Received, message: Message) -> None:
        for handle in list(self._handles.get(message.topic or "", [])):
            if handle._feed and deliverable(self._driver.state, received):
                handle._feed.push(received)
        for listener in self._listeners.of(message):
            if not deliverable(self._driver.state, received):
                return
            listener.run(received)

    def _lost(self, gap: Gap, emission: Lost | None = None) -> None:
        for handler in list(self._hooks.gaps):
            if emission and not deliverable(self._driver.state, emission):
                return
            self._hooks.run([handler], gap)

    def _changed(self, state: ConnectionState) -> None:
        if state.phase == "stopped":
            reason = state.reason
            failure = Failure("stopped", f"{reason.code}: {reason.message}" if reason else "")
            own = reason is not None and reason.code == "stopped"
            for handle in self._all():
                handle._stop(failure, own)
            self._readers.end(None if own else RealtimeError(failure))
        self._hooks.run(list(self._hooks.states), state)

    async def _load(self, topic: str, generation: int, reason: LoadReason) -> None:
        loaders = (handle._get_state for handle in self._handles.get(topic, []) if handle._get_state)
        get_state = next(loaders, None)
        try:
            position = await get_state(topic, reason) if get_state else None
        except Exception as error:
            self._driver.send(LoadFailed(topic, generation, str(error) or type(error).__name__, refusal_of(error)))
        else:
            self._driver.send(Loaded(topic, generation, position))

"""The whole client, over real sockets: a WebSocket server in this process does what the scenario says, with delays of a
few milliseconds. The time of the client's timers is the scenario's."""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Optional
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

import realtime_client.driver
from realtime_client import Position, Realtime, RealtimeError, Subscription
from realtime_client.link import Link
from realtime_client.machine.signals import Signal
from realtime_client.machine.values import SubscriptionStatus

from .clock import VirtualClock
from .form import Json, load_error, plain, position
from .subject import Subject, Unanswered


class CountingLink(Link):
    """Counts what passes, so that the test knows when nothing is on its way."""

    made: Callable[[CountingLink], None]

    def __init__(
        self,
        url: str,
        protocols: tuple[str, ...],
        frame: Callable[[str], None],
        closed: Callable[[int, str], None],
        room: Callable[[], Awaitable[None]],
        headers: dict[str, str],
    ) -> None:
        self.to_client: float = 0
        self.at_client = self.to_server = self.at_server = 0
        self.request: ServerConnection | None = None
        self.opened = asyncio.Event()
        self.server: ServerConnection | None = None
        self.server_gone = False
        self.sending: asyncio.Task[None] | None = None

        def counted(text: str) -> None:
            self.at_client += 1
            frame(text)

        super().__init__(url, protocols, counted, closed, room, headers)
        CountingLink.made(self)

    def send(self, text: str) -> None:
        self.to_server += 1
        super().send(text)

    @property
    def dropped(self) -> bool:
        return self._dropped

    @property
    def still(self) -> bool:
        if self.task.done():
            return self.request is None or self.server_gone
        if self.dropped or self.to_client == math.inf:
            return False
        return self.request is not None and self.to_client == self.at_client and self.to_server == self.at_server


class SocketSubject(Subject):
    @classmethod
    async def create(cls, scenario: Json, clock: VirtualClock) -> SocketSubject:
        subject = cls(scenario, clock)
        subject.server = await serve(
            subject._serve,
            "127.0.0.1",
            0,
            process_request=subject._request,
            subprotocols=[Subprotocol("realtime.v1")],
            open_timeout=None,
            ping_interval=None,
            compression=None,
            close_timeout=1,
        )
        port = subject.server.sockets[0].getsockname()[1]
        options = scenario.get("options", {})
        subject.client = client = Realtime(
            f"ws://127.0.0.1:{port}/ws",
            subject._ask,
            client=options.get("client", "tab-1"),
            max_offline=options.get("max_offline", 100),
            clock=clock,
        )
        client.on_state(lambda state: subject.record("state", plain(state)))
        client.on_gap(lambda gap: subject.record("gap", plain(gap)))
        client.on_error(lambda error: subject.record("error", {"code": getattr(error, "code", ""), "message": str(error)}))
        client.on("**", lambda message: subject.record("message", plain(message)))
        return subject

    def __init__(self, scenario: Json, clock: VirtualClock) -> None:
        super().__init__(scenario, clock)
        self.client: Realtime
        self.server: Server
        self.links: list[CountingLink] = []
        self._handles: dict[str, Subscription] = {}
        self._answers: deque[asyncio.Future[Optional[str]]] = deque()
        self._loads: deque[asyncio.Future[Optional[Position]]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._arrived = 0
        self._seed = 1
        CountingLink.made = self.links.append
        setattr(realtime_client.driver, "Link", CountingLink)

    @property
    def dials(self) -> int:
        return len(self.links)

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        link = self.links[self._arrived]
        self._arrived += 1
        link.request = connection
        protocols = [text.strip() for text in request.headers["Sec-WebSocket-Protocol"].split(",")]
        self.record("dial", {"protocols": protocols, "query": dict(parse_qsl(urlsplit(request.path).query))})
        self._spawn(self._gone(link, connection))
        await link.opened.wait()
        return None

    async def _gone(self, link: CountingLink, connection: ServerConnection) -> None:
        await connection.wait_closed()
        link.server_gone = True
        if link.dropped:
            self.record("drop", {"code": connection.close_code})

    async def _serve(self, connection: ServerConnection) -> None:
        link = next(link for link in self.links if link.request is connection)
        link.server = connection
        async for text in connection:
            link.at_server += 1
            command = json.loads(text)
            self.record("send", command)
            if "id" in command:
                self.unanswered.append(Unanswered(self.links.index(link) + 1, command))

    async def _ask(self, reason: str) -> str | None:
        self.record("token", {"reason": reason})
        if self.handed:
            token: str | None = self.token_at_hand
            return token
        answer: asyncio.Future[Optional[str]] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        return await answer

    def call(self, name: str, args: Json) -> None:
        client = self.client
        match name:
            case "start":
                if "token" in args:
                    self.handed, self.token_at_hand = True, args["token"]
                client.start()
            case "stop":
                client.stop()
            case "refresh":
                client.refresh()
            case "subscribe":
                self._subscribe(args)
            case "unsubscribe":
                self._handles[args["as"]].unsubscribe()
            case "loaded":
                self._loads.popleft().set_result(position(args["position"]))
            case "load_failed":
                self._loads.popleft().set_exception(load_error(args.get("error")))
            case "publish":
                key = args["idempotency_key"]
                self._settles(args["as"], client.publish(args["topic"], args["type"], args["payload"], idempotency_key=key))
            case "call":
                self._settles(args["as"], self._called(client.call(args["name"], args.get("payload"))))
            case "history":
                rest = {name: value for name, value in args.items() if name not in ("as", "stream", "since")}
                since = position(args.get("since"))
                self._settles(args["as"], client.history(args["stream"], since=since, **rest))
            case _:
                raise ValueError(f"unknown call {name}")

    async def _called(self, call: Awaitable[Any]) -> Json:
        return {"result": await call}

    def _settles(self, ref: str, call: Awaitable[Any]) -> None:
        async def settle() -> None:
            try:
                self.record("settle", {"ref": ref, "result": plain(await call)})
            except RealtimeError as error:
                self.record("settle", {"ref": ref, "error": {"code": error.code, "message": str(error)}})

        self._spawn(settle())

    def _subscribe(self, args: Json) -> None:
        topic = args["topic"]

        async def load(topic: str, reason: str) -> Position | None:
            self.record("load", {"topic": topic, "reason": reason})
            answer: asyncio.Future[Optional[Position]] = asyncio.get_running_loop().create_future()
            self._loads.append(answer)
            return await answer

        since = position(args.get("since"))
        handle = self.client.subscribe(topic, since=since, get_state=load if args.get("load") else None)
        self._handles[args["as"]] = handle

        def show(state: SubscriptionStatus) -> None:
            self.record("subscription", {"topic": topic, **plain(state)})

        handle.on_state(show)
        if handle.state.phase == "live":
            show(handle.state)

    def token(self, answer: Json) -> None:
        pending = self._answers.popleft()
        if pending.done():
            # The client waits for it no more: it has cancelled the provider.
            return
        if isinstance(answer, dict):
            pending.set_exception(RuntimeError(answer["error"]))
        else:
            pending.set_result(answer)

    def device(self, signal: str) -> None:
        match signal:
            case "wake":
                self.client.wake()
                self.client.wake()
            case "online":
                self.client.online()
            case "offline":
                self.client.offline()
            case "hide":
                self.client._driver.send(Signal("hide"))
            case _:
                raise ValueError(f"unknown signal {signal}")

    async def open(self, socket: int) -> None:
        self.links[socket - 1].opened.set()
        for _ in range(1_000):
            if self.links[socket - 1].server or self.links[socket - 1].task.done():
                return
            await asyncio.sleep(0.001)

    def _later(self, link: CountingLink, work: Callable[[], Awaitable[None]]) -> None:
        """A few milliseconds on the way, in order."""
        before = link.sending
        self._seed = self._seed * 48_271 % 2_147_483_647
        ms = self._seed % 3

        async def run() -> None:
            if before:
                await before
            await asyncio.sleep(ms / 1_000)
            await work()

        link.sending = self._spawn(run())

    async def send(self, socket: int, frame: Json) -> None:
        link = self.links[socket - 1]
        server = link.server
        if server is None or link.task.done() or link.server_gone:
            return
        link.to_client += 1

        async def work() -> None:
            await server.send(json.dumps(frame))

        self._later(link, work)

    async def close(self, socket: int, code: int, reason: str) -> None:
        link = self.links[socket - 1]
        if link.task.done():
            return

        async def work() -> None:
            if link.server and code != 1006:
                await link.server.close(code, reason)
            elif link.request:
                link.request.transport.abort()

        self._later(link, work)
        link.to_client = math.inf

    async def quiet(self) -> None:
        still = 0
        for _ in range(5_000):
            await asyncio.sleep(0.001)
            asking = self.handed and self.client._driver._asking is not None
            still = still + 1 if not asking and all(link.still for link in self.links) else 0
            if still == 2:
                return
        raise AssertionError("the sockets did not come to rest in 5 s")

    async def end(self) -> None:
        await self.client.aclose()
        setattr(realtime_client.driver, "Link", Link)
        left = [link for link in self.links if not link.task.done()]
        assert not left, "a socket is left after aclose()"
        assert self.clock.pending == 0, "a timer is left after aclose()"
        for link in self.links:
            link.opened.set()
            if link.request:
                link.request.transport.abort()
        self.server.close()
        await self.server.wait_closed()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        assert not rest, f"tasks are left: {rest}"

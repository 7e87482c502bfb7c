"""What an application does with the client, against a server in the same process."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from realtime_client import Gap, Message, Realtime, RealtimeError
from realtime_client import feed as feeds

TIME = "2026-11-23T13:00:00.123Z"


class Server:
    """Admits everyone, acknowledges everything, and publishes what a test says."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.commands: list[dict[str, Any]] = []
        self.url = ""
        self.presence: list[dict[str, Any]] = []
        """Pages that the next commands ``presence`` get; ``"before"``: frames that are sent first."""
        self._offset = 0

    async def serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        welcome = {"user": "alice", "roles": [], "streams": {}, "reconnect": {"min_ms": 1, "max_ms": 10, "spread_ms": 1}}
        await self._send(connection, "welcome", welcome)
        async for text in connection:
            command = json.loads(text)
            self.commands.append(command)
            reply: dict[str, Any] = {"id": command["id"]}
            if command["action"] == "subscribe":
                reply["position"] = {"epoch": "a", "offset": self._offset}
            if command["action"] == "presence" and self.presence:
                page = self.presence.pop(0)
                for frame in page.pop("before", []):
                    await self._send(connection, "presence", frame)
                reply["presence"] = page
            if command.get("name") != "never":
                await self._send(connection, "ack", reply)

    async def _send(self, connection: ServerConnection, kind: str, payload: object) -> None:
        await connection.send(json.dumps({"type": kind, "payload": payload, "timestamp": TIME}))

    async def control(self, kind: str, payload: object) -> None:
        await self._send(self.connections[-1], kind, payload)

    async def frame(self, topic: str, kind: str, payload: object) -> None:
        """One message of a topic without a history."""
        frame = {"type": kind, "payload": payload, "timestamp": TIME, "id": f"{topic}-{kind}", "topic": topic}
        await self.connections[-1].send(json.dumps(frame))

    async def publish(self, count: int) -> None:
        for _ in range(count):
            self._offset += 1
            place = {"topic": "t", "stream": "topic:t", "offset": self._offset}
            frame = {"type": "news", "payload": self._offset, "timestamp": TIME, "id": f"m{self._offset}", **place}
            await self.connections[-1].send(json.dumps(frame))


@asynccontextmanager
async def server() -> AsyncIterator[Server]:
    own = Server()
    async with serve(own.serve, "127.0.0.1", 0, subprotocols=[Subprotocol("realtime.v1")], close_timeout=1) as listener:
        own.url = f"ws://127.0.0.1:{listener.sockets[0].getsockname()[1]}/ws"
        yield own


def story(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Runs a coroutine, for 20 s at most; then nothing of it may be left."""

    async def whole() -> None:
        await asyncio.wait_for(test(), 20)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    def run() -> None:
        asyncio.run(whole())

    run.__name__ = test.__name__
    return run


@story
async def test_an_iterator_has_every_message_in_order_and_ends_with_the_client() -> None:
    async with server() as own, Realtime(own.url, "token") as client:
        sub = client.subscribe("t")
        assert (await sub.ready()).recovered == 0
        await own.publish(1_000)
        got: list[int] = []
        async for message in sub:
            got.append(message.payload)
            if len(got) == 1_000:
                client.stop()
    assert got == list(range(1, 1_001))


@story
async def test_a_slow_reader_holds_the_server_up_and_loses_nothing() -> None:
    async with server() as own, Realtime(own.url, "token", queue=4) as client:
        gaps: list[Gap] = []
        client.on_gap(gaps.append)
        sub = client.subscribe("t")
        await sub.ready()
        publishing = asyncio.create_task(own.publish(200))
        got: list[int] = []
        reading = sub.events()
        while len(got) < 200:
            event = await asyncio.wait_for(reading.__anext__(), 5)
            # Nothing was read before the first step: only four wait until then.
            if isinstance(event, Message):
                got.append(event.payload)
            else:
                got += range(event.start or 0, (event.end or 0) + 1)
            await asyncio.sleep(0.001)
        await publishing
        assert got == list(range(1, 201)) and len(gaps) <= 1


@story
async def test_a_reader_that_stands_still_gets_a_gap_in_place_of_what_was_left_out() -> None:
    before, feeds.FULL_DEADLINE = feeds.FULL_DEADLINE, 0.05
    try:
        async with server() as own, Realtime(own.url, "token", queue=4) as client:
            gaps: list[Gap] = []
            client.on_gap(gaps.append)
            sub = client.subscribe("t")
            await sub.ready()
            events = sub.events()
            await own.publish(1)
            assert isinstance(await events.__anext__(), Message)
            await own.publish(50)
            await client.call("read all before")
            got = [await events.__anext__() for _ in range(5)]
            assert [event.payload for event in got if isinstance(event, Message)] == [2, 3, 4, 5]
            assert got[-1] == Gap("slow_reader", "topic:t", 6, 51, 46) and gaps == [got[-1]]
    finally:
        feeds.FULL_DEADLINE = before


@story
async def test_async_handlers_run_in_order_and_one_that_raises_ends_nothing() -> None:
    async with server() as own, Realtime(own.url, "token") as client:
        got: list[int] = []
        errors: list[Exception] = []
        done = asyncio.Event()

        async def handler(message: Message) -> None:
            await asyncio.sleep(0)
            if message.payload == 2:
                raise KeyError("two")
            got.append(message.payload)
            if message.payload == 5:
                done.set()

        client.on_error(errors.append)
        await client.subscribe("t", handler).ready()
        await own.publish(5)
        await done.wait()
        assert got == [1, 3, 4, 5] and [type(error) for error in errors] == [KeyError]


@story
async def test_a_cancelled_call_leaves_the_client_alive() -> None:
    async with server() as own, Realtime(own.url, "token") as client:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.call("never"), 0.05)
        await client.publish("t", "note", {"text": "hi"})
        assert own.commands[-1]["idempotency_key"]
        with pytest.raises(ValueError, match="not JSON compliant"):
            await client.publish("t", "note", float("nan"))


@story
async def test_a_cut_is_survived_and_what_is_pending_ends_with_the_client() -> None:
    async with server() as own:
        async with Realtime(own.url, lambda reason: "token") as client:
            sub = client.subscribe("t")
            await sub.ready()
            own.connections[-1].transport.abort()
            assert (await client.publish("t", "note", 1)).duplicate is False
            assert len(own.connections) == 2
            pending = asyncio.create_task(client.call("never"))
            await asyncio.sleep(0)
        with pytest.raises(RealtimeError, match="lost before the reply"):
            await pending
        with pytest.raises(RealtimeError, match="stopped"):
            await sub.ready()


@story
async def test_a_client_that_is_closed_while_it_waits_leaves_nothing() -> None:
    async def hangs(reason: str) -> str:
        await asyncio.sleep(60)
        return "token"

    async with Realtime("ws://127.0.0.1:9/ws", hangs):
        await asyncio.sleep(0.01)
    async with Realtime("ws://127.0.0.1:9/ws", "token") as client:
        while client.state.phase != "waiting":
            await asyncio.sleep(0.001)


def test_no_log_has_the_token(caplog: pytest.LogCaptureFixture) -> None:
    @story
    async def whole() -> None:
        async with server() as own, Realtime(own.url, "secret-token") as client:
            await client.subscribe("t").ready()

    with caplog.at_level(logging.DEBUG):
        logging.getLogger("websockets.server").setLevel(logging.WARNING)
        whole()
    assert "secret-token" not in caplog.text

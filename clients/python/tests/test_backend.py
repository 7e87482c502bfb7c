"""The two clients of the HTTP API, against a server in the same process that says what a test wants. Each story runs with both.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Union, cast

import pytest

from realtime_client.backend import (
    Backend,
    BackendError,
    BadRequest,
    NotFound,
    PayloadInvalid,
    SyncBackend,
    Unavailable,
    calls,
)

RECEIPT = {"id": "m1", "delivered": 2, "other_nodes": False}
Answer = Union[tuple[int, Any], str]


def problem(status: int, code: str, retry: bool, **rest: Any) -> Answer:
    body = {"type": f"urn:realtime:error:{code}", "title": code, "status": status, "detail": "the server's message"}
    return status, {**body, "code": code, "retry": retry, **rest}


class Api:
    """Gives its answers one after the other; ``"cut"`` ends the connection instead, ``"hang"`` sends nothing."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.connections = 0
        self.url = ""
        self.hung_up = asyncio.Event()
        """A connection has ended."""
        self._writers: list[asyncio.StreamWriter] = []

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                body = await reader.readexactly(length)
                assert "authorization: bearer key" in head.lower()
                self.seen.append((head.split(" HTTP")[0], json.loads(body or "{}")))
                answer = self.answers.pop(0)
                if answer == "hang":
                    continue
                if isinstance(answer, str):
                    break
                text = answer[1] if isinstance(answer[1], str) else json.dumps(answer[1])
                writer.write(f"HTTP/1.1 {answer[0]} X\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
        self.hung_up.set()


class Threaded:
    """The client that blocks, with each call in a thread of its own: the story awaits it as it awaits the other."""

    def __init__(self, backend: SyncBackend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._backend, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await asyncio.to_thread(method, *args, **kwargs)

        return call


@asynccontextmanager
async def client(kind: str, url: str, timeout: float = 5) -> AsyncIterator[Backend]:
    if kind == "async":
        async with Backend(url, "key", timeout=timeout) as backend:
            yield backend
    else:
        with SyncBackend(url, "key", timeout=timeout) as blocking:
            yield cast(Backend, Threaded(blocking))


@asynccontextmanager
async def api(kind: str, *answers: Answer) -> AsyncIterator[tuple[Api, Backend]]:
    own = Api(list(answers))
    listener = await asyncio.start_server(own.serve, "127.0.0.1", 0)
    own.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with client(kind, own.url) as backend:
        yield own, backend
    listener.close()
    await listener.wait_closed()


Story = Callable[[str], Awaitable[None]]


def story(test: Story) -> Callable[[str], None]:
    """Runs with each client, for 20 s at most."""

    @pytest.mark.parametrize("kind", ["async", "sync"])
    def run(kind: str) -> None:
        asyncio.run(asyncio.wait_for(test(kind), 20))

    run.__name__ = test.__name__
    return run


@story
async def test_a_publication_is_repeated_with_its_key_until_it_has_a_receipt(kind: str) -> None:
    busy = problem(503, "unavailable", True, after_ms=10)
    async with api(kind, busy, "cut", (200, RECEIPT), (200, RECEIPT)) as (own, backend):
        assert (await backend.publish({"topic": "order:123"}, "note", {"a": 1}))["delivered"] == 2
        await backend.publish("all", "note", None)
        keys = [body["idempotency_key"] for _, body in own.seen]
        assert keys[0] == keys[1] == keys[2] != keys[3]
        assert own.connections == 2, "a connection is kept"


@story
async def test_a_connection_that_the_server_closed_meanwhile_costs_no_call(kind: str) -> None:
    async with api(kind, (200, RECEIPT), (200, RECEIPT)) as (own, backend):
        await backend.publish("all", "note", 1)
        own.hang_up()
        await own.hung_up.wait()
        await backend.publish("all", "note", 2)
        assert [body["payload"] for _, body in own.seen] == [1, 2] and own.connections == 2


@story
async def test_a_refusal_is_an_exception_of_its_own_with_the_message_of_the_server(kind: str) -> None:
    errors = [{"path": "/payload/total", "message": "must be at least 0"}]
    refused = problem(422, "payload_invalid", False, errors=errors)
    async with api(kind, refused, problem(400, "bad_request", False), problem(404, "not_found", False)) as (_, backend):
        with pytest.raises(PayloadInvalid, match="the server's message") as raised:
            await backend.publish("all", "note", 1)
        assert raised.value.errors == errors and raised.value.code == "payload_invalid" and raised.value.status == 422
        with pytest.raises(BadRequest):
            await backend.publish("all", "note", 1)
        with pytest.raises(NotFound):
            await backend.presence("order:1")


@story
async def test_a_disconnect_is_sent_once(kind: str) -> None:
    async with api(kind, "cut", (200, {"disconnected": 1})) as (own, backend):
        with pytest.raises(Unavailable, match="closed the connection"):
            await backend.disconnect(user="alice", reason="bye")
        assert own.seen == [("DELETE /api/v1/users/alice/connections", {"reason": "bye"})]
        assert (await backend.disconnect(connection="c/1"))["disconnected"] == 1
        assert own.seen[1][0] == "DELETE /api/v1/connections/c%2F1"
        with pytest.raises(ValueError, match="give one"):
            await backend.disconnect()


@story
async def test_names_are_escaped_and_streams_have_their_paths(kind: str) -> None:
    page = {"stream": "user", "position": {"epoch": "a", "offset": 1}, "publications": [], "more": False}
    answers: list[Answer] = [(200, page), (200, page), (200, {"topics": []}), (200, {"changed": True})]
    async with api(kind, *answers) as (own, backend):
        await backend.history("topic:order:1/2", limit=0)
        await backend.history("all", reverse=True)
        assert await backend.user_topics("al ice") == []
        await backend.give_topic("alice", "order:1")
        assert [line for line, _ in own.seen] == [
            "GET /api/v1/topics/order%3A1%2F2/history?limit=0",
            "GET /api/v1/all/history?reverse=true",
            "GET /api/v1/users/al%20ice/topics",
            "PUT /api/v1/users/alice/topics/order%3A1",
        ]
        with pytest.raises(ValueError, match="stream: must be"):
            await backend.history("order:1")


@story
async def test_the_deadline_ends_the_repetitions_with_the_last_refusal(kind: str) -> None:
    async with client(kind, "http://127.0.0.1:9", timeout=0.3) as backend:
        with pytest.raises(Unavailable, match="has not been reached"):
            await backend.publish("all", "note", 1)
    async with api(kind, (502, "<html>")) as (own, backend):
        with pytest.raises(Unavailable, match="proxy"):
            await backend.disconnect(user="alice")
        assert len(own.seen) == 1


@story
async def test_a_server_that_does_not_answer_is_left_at_the_deadline(kind: str) -> None:
    async with api(kind, "hang") as (own, _), client(kind, own.url, timeout=0.3) as backend:
        with pytest.raises(Unavailable, match="no response within 0.3 s"):
            await backend.publish("all", "note", 1)
        await own.hung_up.wait()


@story
async def test_a_closed_client_refuses_at_once(kind: str) -> None:
    async with api(kind, (200, RECEIPT)) as (own, backend):
        await backend.publish("all", "note", 1)
        await (backend.aclose() if kind == "async" else cast(Any, backend).close())
        with pytest.raises(Unavailable, match="the client is closed"):
            await backend.publish("all", "note", 2)
        assert len(own.seen) == 1


@story
async def test_a_batch_has_a_receipt_or_an_error_for_each_message(kind: str) -> None:
    refused = problem(404, "not_found", False)
    async with api(kind, "cut", (200, {"results": [RECEIPT, refused[1]]})) as (own, backend):
        one, two = await backend.batch([{"to": "all", "type": "a", "payload": 1}, {"to": "all", "type": "b", "payload": 2}])
        assert not isinstance(one, BackendError) and one["id"] == "m1"
        assert isinstance(two, NotFound)
        keys = [[message["idempotency_key"] for message in body["publications"]] for _, body in own.seen]
        assert keys[0] == keys[1] and all(keys[0])


def test_threads_share_the_connections_of_one_client() -> None:
    async def whole() -> None:
        async with api("async", *[(200, RECEIPT)] * 200) as (own, _):
            with SyncBackend(own.url, "key", connections=3) as backend:

                def work() -> None:
                    for n in range(20):
                        backend.publish("all", "note", n)

                await asyncio.gather(*(asyncio.to_thread(work) for _ in range(10)))
            assert len(own.seen) == 200 and own.connections <= 3

    asyncio.run(asyncio.wait_for(whole(), 20))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_process_opens_connections_of_its_own() -> None:
    ready, address = threading.Event(), [""]
    connections: list[int] = []
    done = threading.Event()

    async def serve() -> None:
        async with api("async", *[(200, RECEIPT)] * 4) as (own, _):
            address[0] = own.url
            ready.set()
            await asyncio.to_thread(done.wait, 15)
            connections.append(own.connections)

    server = threading.Thread(target=lambda: asyncio.run(serve()))
    server.start()
    try:
        assert ready.wait(10)
        with SyncBackend(address[0], "key") as backend:
            backend.publish("all", "note", "parent")
            child = os.fork()
            if child == 0:
                os._exit(0 if backend.publish("all", "note", "child")["id"] == "m1" else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            backend.publish("all", "note", "parent again")
    finally:
        done.set()
        server.join(15)
    assert connections == [2], "the parent's is kept, the child has one of its own"


def test_both_clients_have_every_call_with_its_parameters_and_its_text() -> None:
    ours = ("with_self",)
    functions = [one for name, one in inspect.getmembers(calls, inspect.isfunction) if one.__module__ == calls.__name__]
    public = [one for one in functions if not one.__name__.startswith("_") and one.__name__ not in ours]
    assert len(public) == 10
    for call in public:
        for kind in (Backend, SyncBackend):
            method = getattr(kind, call.__name__)
            shown = inspect.signature(method)
            assert list(shown.parameters)[1:] == list(inspect.signature(call).parameters)
            assert method.__doc__ == call.__doc__ and "Call[" not in str(shown)

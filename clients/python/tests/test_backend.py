"""The client of the HTTP API, against a server in the same process that says what a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Union, cast

import pytest

from realtime_client.backend import Backend, BadRequest, NotFound, Unavailable, error_of
from realtime_client.models import Problem

RECEIPT = {"id": "m1", "delivered": 2, "other_nodes": False}
Answer = Union[tuple[int, Any], str]


def problem(status: int, code: str, retry: bool, **rest: Any) -> Answer:
    body = {"type": f"urn:realtime:error:{code}", "title": code, "status": status, "detail": "the server's message"}
    return status, {**body, "code": code, "retry": retry, **rest}


class Api:
    """Gives its answers one after the other; ``"cut"`` ends the connection instead."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                body = await reader.readexactly(length)
                assert "authorization: bearer key" in head.lower()
                self.seen.append((head.split(" HTTP")[0], json.loads(body or "{}")))
                answer = self.answers.pop(0)
                if isinstance(answer, str):
                    break
                text = answer[1] if isinstance(answer[1], str) else json.dumps(answer[1])
                writer.write(f"HTTP/1.1 {answer[0]} X\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
        except asyncio.IncompleteReadError:
            pass
        writer.close()


@asynccontextmanager
async def api(*answers: Answer) -> AsyncIterator[tuple[Api, Backend]]:
    own = Api(list(answers))
    listener = await asyncio.start_server(own.serve, "127.0.0.1", 0)
    own.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with Backend(own.url, "key", timeout=5) as backend:
        yield own, backend
    listener.close()
    await listener.wait_closed()


def test_a_publication_is_repeated_with_its_key_until_it_has_a_receipt() -> None:
    async def story() -> None:
        busy = problem(503, "unavailable", True, after_ms=10)
        async with api(busy, "cut", (200, RECEIPT), (200, RECEIPT)) as (own, backend):
            assert (await backend.publish({"topic": "order:123"}, "note", {"a": 1}))["delivered"] == 2
            await backend.publish("all", "note", None)
            keys = [body["idempotency_key"] for _, body in own.seen]
            assert keys[0] == keys[1] == keys[2] != keys[3]
            assert own.connections == 2, "a connection is kept"

    asyncio.run(story())


def test_a_refusal_is_an_exception_of_its_own_with_the_message_of_the_server() -> None:
    async def story() -> None:
        errors = [{"path": "/to", "message": "is missing"}]
        async with api(problem(422, "payload_invalid", False, errors=errors), problem(404, "not_found", False)) as (_, backend):
            with pytest.raises(BadRequest, match="the server's message") as refused:
                await backend.publish("all", "note", 1)
            assert refused.value.errors == errors and refused.value.code == "payload_invalid"
            with pytest.raises(NotFound):
                await backend.presence("order:1")

    asyncio.run(story())


def test_a_disconnect_is_sent_once() -> None:
    async def story() -> None:
        async with api("cut", (200, {"disconnected": 1})) as (own, backend):
            with pytest.raises(Unavailable, match="closed the connection"):
                await backend.disconnect(user="alice", reason="bye")
            assert own.seen == [("DELETE /api/v1/users/alice/connections", {"reason": "bye"})]
            assert (await backend.disconnect(connection="c/1"))["disconnected"] == 1
            assert own.seen[1][0] == "DELETE /api/v1/connections/c%2F1"
            with pytest.raises(ValueError, match="give one"):
                await backend.disconnect()

    asyncio.run(story())


def test_names_are_escaped_and_streams_have_their_paths() -> None:
    async def story() -> None:
        page = {"stream": "user", "position": {"epoch": "a", "offset": 1}, "publications": [], "more": False}
        answers: list[Answer] = [(200, page), (200, page), (200, {"topics": ["a"]}), (200, {"changed": True})]
        async with api(*answers) as (own, backend):
            await backend.history("topic:order:1/2", limit=0)
            await backend.history("all", reverse=True)
            assert await backend.user_topics("al ice") == ["a"]
            await backend.give_topic("alice", "order:1")
            assert [line for line, _ in own.seen] == [
                "GET /api/v1/topics/order%3A1%2F2/history?limit=0",
                "GET /api/v1/all/history?reverse=true",
                "GET /api/v1/users/al%20ice/topics",
                "PUT /api/v1/users/alice/topics/order%3A1",
            ]
            with pytest.raises(ValueError, match="stream: must be"):
                await backend.history("order:1")

    asyncio.run(story())


def test_the_deadline_ends_the_repetitions_with_the_last_refusal() -> None:
    async def story() -> None:
        async with Backend("http://127.0.0.1:9", "key", timeout=0.3) as backend:
            with pytest.raises(Unavailable, match="has not been reached"):
                await backend.publish("all", "note", 1)
        async with api((502, "<html>")) as (own, backend):
            with pytest.raises(Unavailable, match="proxy"):
                await backend.disconnect(user="alice")
            assert len(own.seen) == 1

    asyncio.run(story())


def test_a_problem_of_a_batch_becomes_an_exception() -> None:
    async def story() -> None:
        refused = problem(404, "not_found", False)
        async with api((200, {"results": [RECEIPT, refused[1]]})) as (own, backend):
            one, two = await backend.batch([{"to": "all", "type": "a", "payload": 1}, {"to": "all", "type": "b", "payload": 2}])
            assert "id" in one and "detail" in two and isinstance(error_of(cast(Problem, two)), NotFound)
            assert all(message["idempotency_key"] for message in own.seen[0][1]["publications"])

    asyncio.run(story())

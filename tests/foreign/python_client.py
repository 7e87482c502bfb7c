"""Follows its streams with our Python client. Writes each message, each gap and each refused token to standard output, one
per line. Its first two tokens are valid for two seconds, and the provider has no new one before they have expired. A line
on its standard input cuts the socket; the end of it ends the program.

    python python_client.py ws://127.0.0.1:8080/ws SECRET order:1
"""

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time

from realtime_client import ConnectionState, Gap, Message, Realtime, RealtimeError

url, secret, topic = sys.argv[1:]


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sign(seconds: int) -> str:
    claims = {"sub": "alice", "exp": int(time.time()) + seconds, "roles": ["admin"], "grants": ["subscribe:order:*"]}
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    return f"{text}.{encoded(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))}"


expired = 0


async def token(reason: str) -> str:
    global expired
    if reason == "expiring" and expired < 2:
        raise RuntimeError("there is no new token yet")
    if reason == "refused":
        expired += 1
        say(expired=expired)
    return sign(2 if expired < 2 else 3600)


def on_message(message: Message) -> None:
    say(stream=message.stream or message.topic, n=message.payload)


def on_gap(gap: Gap) -> None:
    say(gap=gap.stream, reason=gap.reason)


def on_state(state: ConnectionState) -> None:
    if state.phase == "stopped" and state.reason and state.reason.code != "stopped":
        say(fault=state.reason.message)


def on_error(error: Exception) -> None:
    if not isinstance(error, RealtimeError) or error.code != "token_failed":
        say(fault=repr(error))


async def main() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with Realtime(url, token, client="follower") as client:
        client.on("**", on_message)
        client.on_gap(on_gap)
        client.on_state(on_state)
        client.on_error(on_error)
        await client.subscribe(topic, on_message_of_topic).ready()
        say(ack=1)
        while await reader.readline():
            cut(client)


def on_message_of_topic(message: Message) -> None:
    """`on` has it too: nothing to do."""


def cut(client: Realtime) -> None:
    """The network goes away: the socket ends without a close frame."""
    link = client._driver._link
    if link and link.socket:
        link.socket.transport.abort()


asyncio.run(main())

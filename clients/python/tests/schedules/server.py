"""A model of the server, as docs/protocol.md describes it: logs, tickets, the hold, resume, gaps, refusals, closes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .log import Log

TOPICS = ("short", "long", "plain")
OWN = ("user", "all", "role:staff")
HOLD = 2_000

Json = dict[str, Any]


@dataclass(eq=False, slots=True)
class Connection:
    """The server's end of a connection. Frames and the close go to ``out``, in order."""

    token: str
    out: Callable[[Json], None]
    close: Callable[[int, Json | None], None]
    topics: set[str] = field(default_factory=set)
    held: dict[str, Json] = field(default_factory=dict)
    """Streams that stand still until ``resume``, with their position in ``welcome``."""
    hold_until: float = 0
    roles: list[str] = field(default_factory=list)
    closed: bool = False

    @property
    def expires(self) -> float:
        return float(self.token.split("@")[1])


class ModelServer:
    def __init__(self, random: Random, now: Callable[[], float]) -> None:
        self.random = random
        self.now = now
        self.logs = {"topic:short": Log(4), "topic:long": Log(1_000)}
        self.logs |= {stream: Log(4 if stream == "all" else 1_000) for stream in OWN}
        self.connections: list[Connection] = []
        self.published: list[tuple[str, int]] = []
        self.staff = True
        self._n = 0
        self._secret = 1
        self._id = 0

    def admit(self, connection: Connection, ticket: str | None) -> None:
        left = connection.expires - self.now()
        if left <= 0:
            return connection.close(4610, _closing(4610, "the token has expired"))
        connection.roles = ["staff"] if self.staff else []
        own = [stream for stream in OWN if stream != "role:staff" or self.staff]
        streams = {stream: self.logs[stream].position for stream in own}
        resumed = ticket == f"{self._secret}"
        if resumed:
            connection.held = dict(streams)
            connection.hold_until = self.now() + HOLD
        self.connections.append(connection)
        welcome = {
            "user": "alice",
            "roles": connection.roles,
            "streams": streams,
            "resumed": resumed,
            "resume": f"{self._secret}",
            "hold_ms": HOLD,
            "ping_ms": 5_000,
            "token_expires_in_ms": left,
            "reconnect": {"min_ms": 250, "max_ms": 5_000, "spread_ms": 500},
            "limits": {"burst": 8},
        }
        connection.out({"type": "welcome", "payload": welcome})

    def publish(self, stream: str) -> None:
        self._n += 1
        log = self.logs.get(stream)
        entry = log.append(self._n, int(self.random.random() < 0.2)) if log else None
        for connection in list(self.connections):
            if self._receives(connection, stream):
                connection.out(self._publication(self._n, stream, entry.offset if entry else None))

    def _publication(self, n: int, stream: str, offset: int | None) -> Json:
        self._id += 1
        frame: Json = {"type": "news", "payload": n, "timestamp": "", "id": f"m{self._id}"}
        if stream.startswith("topic:"):
            frame["topic"] = stream[6:]
        return frame if offset is None else {**frame, "stream": stream, "offset": offset}

    def _receives(self, connection: Connection, stream: str) -> bool:
        if connection.closed or stream in connection.held:
            return False
        if stream.startswith("topic:"):
            return stream[6:] in connection.topics
        return not stream.startswith("role:") or stream[5:] in connection.roles

    def tick(self) -> None:
        """The hold ends by itself."""
        for connection in list(self.connections):
            if connection.held and self.now() >= connection.hold_until:
                held, connection.held = connection.held, {}
                for stream, at in held.items():
                    connection.out(_gap(stream, at, "hold_expired"))
                    self._catch_up(connection, stream, at)
            if self.now() >= connection.expires:
                self.end(connection, 4610, "the token has expired")
            elif self.random.random() < 0.3:
                connection.out({"type": "ping", "payload": {}})

    def end(self, connection: Connection, code: int, reason: str, after: Json | None = None) -> None:
        self.connections.remove(connection)
        connection.closed = True
        connection.close(code, _closing(code, reason) | (after or {}))

    def _catch_up(self, connection: Connection, stream: str, since: Json) -> None:
        """What comes after a position: the messages, or a gap in their place."""
        log = self.logs[stream]
        start = since["offset"]
        if since["epoch"] != f"e{log.epoch}" or start < log.trimmed:
            reason = "retention" if since["epoch"] == f"e{log.epoch}" else "epoch"
            connection.out(_gap(stream, {"epoch": f"e{log.epoch}", "offset": log.trimmed}, reason))
            start = log.trimmed
        for entry in log.after(start):
            connection.out(self._publication(entry.n, stream, entry.offset))

    def command(self, connection: Connection, command: Json) -> None:
        if connection.closed:
            return
        action = command["action"]

        def ack(**rest: Any) -> None:
            connection.out({"type": "ack", "payload": {"id": command["id"], **rest}})

        def refuse(code: str, status: int, retry: bool, **rest: Any) -> None:
            error = {"id": command["id"], "code": code, "status": status, "retry": retry, "message": code, **rest}
            connection.out({"type": "error", "payload": error})

        if action == "pong":
            return
        if action != "resume" and self.random.random() < 0.08:
            return refuse("rate_limited", 429, True, after_ms=200 + self.random.randrange(500))
        match action:
            case "subscribe":
                ack(**self._subscribe(connection, command["topic"], command.get("since")))
            case "unsubscribe":
                connection.topics.discard(command["topic"])
                ack()
            case "resume":
                ack(streams=self._resume(connection, command["since"]))
            case "refresh":
                connection.token = command["token"]
                left = connection.expires - self.now()
                if left > 0:
                    ack(token_expires_in_ms=left, roles=connection.roles)
                else:
                    refuse("token_expired", 401, False)
            case "publish":
                key = command["idempotency_key"]
                if any(key == known for known, _ in self.published):
                    return ack(message=key, duplicate=True)
                self.published.append((key, command["payload"]))
                ack(message=key)
            case _:
                ack()

    def _subscribe(self, connection: Connection, topic: str, since: Json | None) -> Json:
        log = self.logs.get(f"topic:{topic}")
        connection.topics.add(topic)
        if log and since:
            self._catch_up(connection, f"topic:{topic}", since)
        return {"position": log.position} if log else {}

    def _resume(self, connection: Connection, since: dict[str, Json]) -> Json:
        streams: Json = {}
        for stream, at in since.items():
            log = self.logs.get(stream)
            if log is None:
                continue
            if stream.startswith("topic:"):
                connection.topics.add(stream[6:])
                self._catch_up(connection, stream, at)
            elif connection.held.pop(stream, None):
                self._catch_up(connection, stream, at)
            elif stream == "role:staff" and "staff" not in connection.roles:
                continue
            else:
                connection.out(_gap(stream, log.position, "not_granted"))
            streams[stream] = log.position
        held, connection.held = connection.held, {}
        for stream, at in held.items():
            self._catch_up(connection, stream, at)
            streams[stream] = self.logs[stream].position
        return streams

    def forget(self, connection: Connection) -> None:
        """A client that reads too slowly loses the next message of a stream without a log."""
        connection.out({"type": "gap", "payload": {"stream": "topic:plain", "missed": 1, "reason": "slow_consumer"}})

    def kill(self, durable: bool) -> None:
        """``kill -9``, with or without a data directory."""
        for connection in list(self.connections):
            self.connections.remove(connection)
            connection.closed = True
            connection.close(1006, None)
        if durable:
            return
        self._secret += 1
        for log in self.logs.values():
            log.lose()


def _closing(code: int, reason: str) -> Json:
    return {"code": code, "reason": reason, "reconnect": True, "after_ms": 0, "spread_ms": 0}


def _gap(stream: str, position: Json, reason: str) -> Json:
    return {"type": "gap", "payload": {"stream": stream, "to": position["offset"], "position": position, "reason": reason}}

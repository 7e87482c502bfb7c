"""What the commands of a client send, and what they return."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from .errors import RealtimeError
from .machine import wire
from .machine.values import Command, Failure, Message, Position


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
    """``position`` is where the stream stands; ``more``: another page follows."""

    position: Position
    publications: list[Message]
    more: bool


def publish(topic: str, type: str, payload: Any, key: str | None, echo: bool | None) -> Command:
    command: Command = {"action": "publish", "topic": topic, "type": type, "payload": payload}
    command["idempotency_key"] = key or str(uuid.uuid4())
    if echo is not None:
        command["echo"] = echo
    return command


def published(result: dict[str, Any]) -> Published:
    at = wire.position(result.get("position"))
    return Published(str(result.get("message", "")), at, result.get("duplicate") is True)


def history(stream: str, since: Position | None, limit: int | None, reverse: bool | None) -> Command:
    command: Command = {"action": "history", "stream": stream}
    if since:
        command["since"] = {"epoch": since.epoch, "offset": since.offset}
    if limit is not None:
        command["limit"] = limit
    if reverse is not None:
        command["reverse"] = reverse
    return command


def history_page(result: dict[str, Any]) -> HistoryPage:
    at = wire.position(result.get("position"))
    if at is None:
        raise RealtimeError(Failure("bad_frame", "the reply to `history` has no position"))
    publications = [wire.message(one) for one in result.get("publications", []) if "id" in one]
    return HistoryPage(at, publications, result.get("more") is True)

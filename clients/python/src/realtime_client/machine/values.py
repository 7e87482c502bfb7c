"""Values of the machine that an application sees too. Plain data; times are milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Union

Command = dict[str, Any]
"""A command as it is sent, without its ``id``."""

Ref = Union[int, str]

Timer = Literal["token", "dial", "retry", "stable", "idle", "refresh", "linger", "command", "pace", "publish", "load"]

TokenReason = Literal["connect", "expiring", "refused"]
"""Why a token is asked for."""

LoadReason = Literal["first", "gap"]
"""Why the application loads its state."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a stream: the epoch of its history, and the offset of the last message."""

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class FieldError:
    """A field that was refused: its JSON pointer, and what is wrong with it."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of the server, or of the client itself (``status`` 0)."""

    code: str
    message: str
    status: int = 0
    retry: bool = False
    after_ms: float | None = None
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the client waits or has stopped: a close code, or a word of the client's own."""

    code: int | str
    message: str


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """What an application sees of the connection.

    ``connected``: every stream has caught up. ``waiting``: until ``retry_at``, or until the network is back.
    ``since`` and ``retry_at`` are milliseconds of the client's clock. ``resumed``, while connected again: whether each
    stream with history continued without a gap.
    """

    phase: Literal["stopped", "waiting", "connecting", "connected"]
    since: float = 0
    retry_at: float | None = None
    reason: Reason | None = None
    resumed: bool | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A publication, as the server sent it."""

    type: str
    payload: Any
    timestamp: str
    id: str
    topic: str | None = None
    stream: str | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages that this client can no longer receive.

    ``position`` is where the stream continues, ``previous`` the client's own position before the gap.
    """

    reason: str
    stream: str | None = None
    start: int | None = None
    end: int | None = None
    missed: int | None = None
    position: Position | None = None
    previous: Position | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionStatus:
    """``live``: the server said so; ``recovered`` messages were missed and came. ``ended``: by the server, or refused."""

    phase: Literal["pending", "live", "ended"]
    position: Position | None = None
    recovered: int = 0
    error: Failure | None = None

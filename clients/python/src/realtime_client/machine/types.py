"""The data of the machine: its state, what goes in (events) and what comes out (effects).

Plain data only: no coroutine, no clock. Times are milliseconds; ``now`` is a clock that the driver reads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
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


# What the driver hands to the application, in this order. ``generation`` says which subscription it is for; 0: none.


@dataclass(frozen=True, slots=True)
class StateChanged:
    state: ConnectionState


@dataclass(frozen=True, slots=True)
class Received:
    message: Message
    topic: str | None
    generation: int


@dataclass(frozen=True, slots=True)
class Lost:
    gap: Gap
    topic: str | None
    generation: int


@dataclass(frozen=True, slots=True)
class SubscriptionChanged:
    topic: str
    generation: int
    status: SubscriptionStatus


@dataclass(frozen=True, slots=True)
class ControlFrame:
    type: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reported:
    error: Failure


Emission = Union[StateChanged, Received, Lost, SubscriptionChanged, ControlFrame, Reported]


# Events.


@dataclass(frozen=True, slots=True)
class Signal:
    """A call of the application, or a signal of the device."""

    type: Literal["start", "stop", "refresh", "wake", "online", "offline", "hide"]


@dataclass(frozen=True, slots=True)
class TokenArrived:
    request: int
    token: object


@dataclass(frozen=True, slots=True)
class TokenFailed:
    request: int
    message: str


@dataclass(frozen=True, slots=True)
class FrameArrived:
    n: int
    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    n: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class TimerExpired:
    timer: Timer
    key: int


@dataclass(frozen=True, slots=True)
class Subscribe:
    topic: str
    since: Position | None = None
    load: bool = False


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    topic: str


@dataclass(frozen=True, slots=True)
class Loaded:
    topic: str
    generation: int
    position: Position | None


@dataclass(frozen=True, slots=True)
class LoadFailed:
    topic: str
    generation: int
    message: str


@dataclass(frozen=True, slots=True)
class Submit:
    """A command of the application; ``ref`` comes back with its result."""

    ref: Ref
    command: Command


Event = Union[
    Signal, TokenArrived, TokenFailed, FrameArrived, Closed, TimerExpired, Subscribe, Unsubscribe, Loaded, LoadFailed, Submit
]


# Effects.


@dataclass(frozen=True, slots=True)
class AskToken:
    request: int
    reason: TokenReason


@dataclass(frozen=True, slots=True)
class Dial:
    n: int
    protocols: tuple[str, str]
    query: dict[str, str]


@dataclass(frozen=True, slots=True)
class Send:
    n: int
    command: Command


@dataclass(frozen=True, slots=True)
class Drop:
    n: int
    code: int


@dataclass(frozen=True, slots=True)
class Arm:
    timer: Timer
    key: int
    ms: int


@dataclass(frozen=True, slots=True)
class Disarm:
    timer: Timer


@dataclass(frozen=True, slots=True)
class Settle:
    ref: Ref
    result: dict[str, Any] | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Load:
    topic: str
    generation: int
    reason: LoadReason


@dataclass(frozen=True, slots=True)
class Emit:
    emission: Emission


Effect = Union[AskToken, Dial, Send, Drop, Arm, Disarm, Settle, Load, Emit]


# The state.


@dataclass(slots=True)
class Subscription:
    """A topic that the application wants."""

    topic: str
    load: bool
    """The application loads its state first."""
    count: int = 0
    """Subscribers in the application. At 0 it lingers, then the wire follows."""
    generation: int = 0
    """Rises each time that the count rises from 0."""
    phase: Literal["loading", "queued", "asking", "live", "ended"] = "queued"
    loads: int = 0
    """Loads since it was last live."""
    load_at: float = 0
    """When the next load begins; 0: it has begun."""
    load_reason: LoadReason = "first"
    command: int = 0
    """The command in flight, ``subscribe`` or ``resume``; 0: none."""
    leaving: int = 0
    """The ``unsubscribe`` in flight: until its reply, messages are of an older generation. 0: none."""
    linger_until: float = 0
    seen: int = 0
    """The last offset before the position is known."""
    recovered: int = 0
    """Messages since ``since`` was sent."""
    error: Failure | None = None


@dataclass(slots=True)
class Pending:
    """A command of the application; ``sent`` is the attempt on whose connection it was sent, 0: not sent."""

    ref: Ref
    command: Command
    due: float
    bytes: int
    sent: int = 0
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    client: str
    first_id: int = 1
    max_offline: int = 100
    max_offline_bytes: int = 262_144


@dataclass(slots=True)
class ArmedTimer:
    key: int
    due: float
    clamped: bool
    graced: bool


@dataclass(frozen=True, slots=True)
class Closing:
    code: int
    reason: str
    reconnect: bool
    after_ms: float
    spread_ms: float


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the last ``welcome`` asks of the client."""

    min_ms: float = 250
    max_ms: float = 30_000
    spread_ms: float = 1_000
    ping_ms: float = 25_000
    burst: float = 100


@dataclass(frozen=True, slots=True)
class Own:
    """A command of the machine itself, in flight."""

    action: str
    topic: str = ""


@dataclass(slots=True)
class State:
    options: Options
    phase: Literal["stopped", "waiting", "token", "dialing", "resuming", "live"] = "stopped"
    shown: ConnectionState = ConnectionState("stopped")
    reason: Reason | None = None
    retry_at: float | None = None
    n: int = 0
    """The attempt. It rises and never repeats: what belongs to another is dropped."""
    next_id: int = 1
    next_key: int = 1
    generation: int = 0
    timers: dict[Timer, ArmedTimer] = field(default_factory=dict)
    tries: int = 0
    """Failed attempts since the connection was last stable."""
    attempted_at: float = -math.inf
    not_before: float = 0
    """No attempt before it, whatever happens: the server asked for it."""
    closing: Closing | None = None
    request: int = 0
    """The token request that is pending; 0: none."""
    next_request: int = 1
    token: str | None = None
    refused: str | None = None
    waited_with_refused: bool = False
    refusals: int = 0
    """Refusals of a token in a row."""
    expires_at: float = math.inf
    refresh_at: float = math.inf
    user: str | None = None
    ticket: str | None = None
    welcome: Welcome = Welcome()
    welcomes: int = 0
    """Connections so far."""
    complete: bool = True
    """No gap since ``welcome``."""
    resume: int = 0
    """The command ``resume`` in flight; 0: none."""
    held: list[str] = field(default_factory=list)
    """The server's streams that wait for ``resume``."""
    heard_at: float = 0
    probe: int = 0
    """The ping that waits for any frame; 0: none."""
    positions: dict[str, Position] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    """Topics that the backend gave."""
    sent: dict[int, Own] = field(default_factory=dict)
    """The machine's own commands in flight, by id."""
    commands: dict[int, Pending] = field(default_factory=dict)
    """The application's commands, by id, in their order."""


@dataclass(slots=True)
class Step:
    """One step: the state, the time, one random number of [0, 1), and the effects so far."""

    state: State
    now: float
    random: float
    effects: list[Effect] = field(default_factory=list)

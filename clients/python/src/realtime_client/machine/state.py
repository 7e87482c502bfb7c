"""The state of the machine. ``now`` is a clock that the driver reads, in milliseconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from .signals import Effect
from .values import Command, ConnectionState, Failure, LoadReason, Position, Reason, Ref, Timer

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

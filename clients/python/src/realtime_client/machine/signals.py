"""What goes into the machine (events) and what comes out (effects, and emissions for the application). Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Union

from .values import (
    Command,
    ConnectionState,
    Failure,
    Gap,
    LoadReason,
    Message,
    Position,
    Ref,
    SubscriptionStatus,
    Timer,
    TokenReason,
)

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
    """``refusal``: the server refused what the load asked for, and will refuse it again."""

    topic: str
    generation: int
    message: str
    refusal: Failure | None = None


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

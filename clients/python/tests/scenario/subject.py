"""What a scenario is run on: the machine alone, or the whole client over real sockets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from .clock import VirtualClock
from .form import Item, Json


@dataclass(slots=True, eq=False)
class Reaction:
    kind: str
    pattern: Json
    run: Callable[[], None]


@dataclass(slots=True, eq=False)
class Unanswered:
    socket: int
    command: Json


class Subject(ABC):
    def __init__(self, scenario: Json, clock: VirtualClock) -> None:
        self.scenario = scenario
        self.clock = clock
        self.items: list[Item] = []
        self.reactions: list[Reaction] = []
        self.unanswered: list[Unanswered] = []
        """Commands that the server has received and not answered, oldest first."""
        self.on_item: Callable[[Item], None] = lambda item: None
        self.handed: bool = "token" in scenario
        self.token_at_hand: Json = scenario.get("token")

    def record(self, kind: str, value: Json) -> None:
        item = Item(kind, self.clock.now(), value)
        self.items.append(item)
        self.on_item(item)

    @property
    @abstractmethod
    def dials(self) -> int:
        """The number of dials so far."""

    @abstractmethod
    def call(self, name: str, args: Json) -> None:
        """A call of the application."""

    @abstractmethod
    def token(self, answer: Json) -> None:
        """The token provider's answer to the oldest request."""

    @abstractmethod
    def device(self, signal: str) -> None: ...

    @abstractmethod
    async def open(self, socket: int) -> None:
        """The server accepts the handshake of a dial (counted from 1)."""

    @abstractmethod
    async def send(self, socket: int, frame: Json) -> None: ...

    @abstractmethod
    async def close(self, socket: int, code: int, reason: str) -> None: ...

    @abstractmethod
    async def quiet(self) -> None:
        """Everything that is on its way has arrived."""

    @abstractmethod
    async def end(self) -> None: ...

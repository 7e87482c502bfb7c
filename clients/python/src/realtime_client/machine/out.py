"""Small effects that every part needs."""

from __future__ import annotations

from .signals import Emit, Reported, Send
from .state import Own, Step
from .values import Command, Failure


def report(m: Step, error: Failure) -> None:
    m.effects.append(Emit(Reported(error)))


def is_open(m: Step) -> bool:
    """Whether the server reads commands."""
    return m.state.phase in ("resuming", "live")


def send_own(m: Step, command: Command, topic: str = "") -> int:
    """Sends a command of the machine itself; returns its id. Ids rise over the client's life, never per connection."""
    s = m.state
    number = s.next_id
    s.next_id += 1
    s.sent[number] = Own(command["action"], topic)
    m.effects.append(Send(s.n, {**command, "id": number}))
    return number

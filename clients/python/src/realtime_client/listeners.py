"""Handlers by pattern.

A message without a topic has the name of its stream behind ``@``: ``@user``, ``@role:admin``, ``@all``; or ``@`` alone,
if it is of no stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .machine.signals import Received
from .machine.values import Message

Remove = Callable[[], None]


def address_of(message: Message) -> str:
    return message.topic if message.topic is not None else f"@{message.stream or ''}"


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    pattern: str
    type: str | None
    run: Callable[[Received], None]

    def fits(self, message: Message, address: str) -> bool:
        if self.type is not None and self.type != message.type:
            return False
        return matches(self.pattern, address) if "*" in self.pattern else self.pattern == address


class Listeners:
    def __init__(self) -> None:
        self._all: tuple[Listener, ...] = ()

    def add(self, listener: Listener) -> Remove:
        """Returns its own remover."""
        self._all = (*self._all, listener)

        def remove() -> None:
            self._all = tuple(other for other in self._all if other is not listener)

        return remove

    def of(self, message: Message) -> list[Listener]:
        """The listeners of a message, in the order in which they were added."""
        address = address_of(message)
        return [listener for listener in self._all if listener.fits(message, address)]


def matches(pattern: str, address: str) -> bool:
    """``*`` is one part of a topic, ``**`` at the end one or more."""
    wanted, parts = pattern.split(":"), address.split(":")
    if wanted[-1] == "**":
        if len(parts) < len(wanted):
            return False
        wanted = wanted[:-1]
    elif len(parts) != len(wanted):
        return False
    return all(part in ("*", own) for part, own in zip(wanted, parts))

"""The log of one stream: epochs, offsets with holes, retention; and all that was ever published to it, in order."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from realtime_client.machine.values import Position


@dataclass(frozen=True, slots=True)
class Entry:
    epoch: int
    offset: int
    n: int


class Log:
    def __init__(self, size: int) -> None:
        self.size = size
        self.all: list[int] = []
        """Everything that was ever published, over all epochs."""
        self.epoch = 1
        self.top = 0
        self.trimmed = 0
        """The last offset that is no longer kept."""
        self._kept: list[Entry] = []
        self._keys: list[tuple[int, int]] = []

    def append(self, n: int, hole: int) -> Entry:
        self.top += 1 + hole
        entry = Entry(self.epoch, self.top, n)
        self.all.append(n)
        self._keys.append((entry.epoch, entry.offset))
        self._kept.append(entry)
        while len(self._kept) > self.size:
            self.trimmed = self._kept.pop(0).offset
        return entry

    def lose(self) -> None:
        """The server lost its memory."""
        self.epoch += 1
        self.top = self.trimmed = 0
        self._kept = []

    @property
    def position(self) -> dict[str, object]:
        return {"epoch": f"e{self.epoch}", "offset": self.top}

    def after(self, offset: int) -> list[Entry]:
        return [entry for entry in self._kept if entry.offset > offset]

    def index(self, position: Position) -> int:
        """How many publications a position has behind it."""
        return bisect_right(self._keys, (int(position.epoch[1:]), position.offset))

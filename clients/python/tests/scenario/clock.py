"""Time that a test moves. Timers run in the order of their times; after each, what it caused may finish."""

from __future__ import annotations

import heapq
import math
from collections.abc import Awaitable, Callable


class VirtualTimer:
    __slots__ = ("due", "number", "run")

    def __init__(self, due: float, number: int, run: Callable[[], None]) -> None:
        self.due = due
        self.number = number
        self.run: Callable[[], None] | None = run

    def cancel(self) -> None:
        self.run = None

    def __lt__(self, other: VirtualTimer) -> bool:
        return (self.due, self.number) < (other.due, other.number)


class VirtualClock:
    """The interface of ``realtime_client.driver.Clock``."""

    def __init__(self) -> None:
        self.time: float = 0
        self.fraction: float | Callable[[], float] = 0.5
        self._timers: list[VirtualTimer] = []
        self._next = 1

    def now(self) -> float:
        return self.time

    def random(self) -> float:
        return self.fraction() if callable(self.fraction) else self.fraction

    def call_later(self, ms: float, run: Callable[[], None]) -> VirtualTimer:
        # As timers of 32 bits: a longer time than 2^31 - 1 ms expires at once.
        timer = VirtualTimer(self.time + (1 if ms > 2_147_483_647 else ms), self._next, run)
        self._next += 1
        heapq.heappush(self._timers, timer)
        return timer

    @property
    def pending(self) -> int:
        return sum(timer.run is not None for timer in self._timers)

    @property
    def next_due(self) -> float:
        while self._timers and self._timers[0].run is None:
            heapq.heappop(self._timers)
        return self._timers[0].due if self._timers else math.inf

    def fire_next(self, until: float) -> bool:
        """Runs the next timer until this time; returns whether there was one."""
        if self.next_due > until:
            return False
        timer = heapq.heappop(self._timers)
        run, timer.run = timer.run, None
        self.time = max(self.time, timer.due)
        if run:
            run()
        return True

    async def advance_to(self, time: float, quiet: Callable[[], Awaitable[None]]) -> None:
        while self.fire_next(time):
            await quiet()
        self.time = max(self.time, time)

    def sleep(self, ms: float) -> None:
        """The process sleeps: then all that is overdue runs, late, before anything else."""
        self.time += ms
        overdue = sorted(timer for timer in self._timers if timer.run and timer.due <= self.time)
        for timer in overdue:
            run, timer.run = timer.run, None
            if run:
                run()

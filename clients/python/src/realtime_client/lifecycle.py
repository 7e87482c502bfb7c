"""Notices that the machine slept: then the connection is checked at once, rather than at the next deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

INTERVAL = 10.0
"""Seconds between two looks at the clocks."""
JUMP = 5.0
"""Seconds by which the clocks must differ: that much was slept."""


def now_ms() -> float:
    """A clock that counts sleep too, where the system has one (Linux), and never jumps back."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME) * 1_000
    return time.monotonic() * 1_000


class SleepWatch:
    """Runs while a client runs; one timer, cancelled by ``stop``."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._look()

    def _look(self) -> None:
        self._wall, self._awake = time.time(), self._loop.time()
        self._timer = self._loop.call_later(INTERVAL, self._compare)

    def _compare(self) -> None:
        slept = (time.time() - self._wall) - (self._loop.time() - self._awake)
        self._look()
        if slept > JUMP:
            self._wake()

    def stop(self) -> None:
        self._timer.cancel()

"""Timers, one of each kind. The driver runs them; the machine knows when each is due, and judges a late one with care."""

from __future__ import annotations

import math

from .signals import Arm, Disarm
from .state import ArmedTimer, Step
from .values import Timer

LONGEST = 24 * 3_600_000
"""A timer above 2^31 - 1 ms expires at once in some event loops; a day is far below."""
GRACE = 1_000
"""After sleep, overdue timers run before the frames that already wait in the socket: they get this much more."""
JUDGES = ("token", "dial", "idle", "command")
"""Timers that declare something dead."""


def arm(m: Step, timer: Timer, after: float, graced: bool = False) -> None:
    s = m.state
    key = s.next_key
    s.next_key += 1
    ms = math.ceil(after)
    s.timers[timer] = ArmedTimer(key, m.now + ms, ms > LONGEST, graced)
    m.effects.append(Arm(timer, key, min(ms, LONGEST)))


def disarm(m: Step, *timers: Timer) -> None:
    for timer in timers:
        if m.state.timers.pop(timer, None):
            m.effects.append(Disarm(timer))


def expired(m: Step, timer: Timer, key: int) -> bool:
    """Whether the timer that expired is to be acted on now."""
    armed = m.state.timers.get(timer)
    if armed is None or armed.key != key:
        return False
    late = m.now - armed.due
    if armed.clamped and late < 0:
        arm(m, timer, -late)
    elif timer in JUDGES and late >= GRACE and not armed.graced:
        arm(m, timer, GRACE, graced=True)
    else:
        del m.state.timers[timer]
        return True
    return False

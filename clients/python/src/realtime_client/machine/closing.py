"""What a close code advises, and how long to wait before the next attempt.

Source: docs/protocol.md, "Close codes" and "Reconnecting".
"""

from __future__ import annotations

from typing import Literal

from .state import Step

FLOOR = 100
"""Between two attempts, whatever the reason."""


def advice(code: int | str) -> Literal["stop", "retry", "token"]:
    """An unknown code follows its range. A code that is a proxy's must not lock a client out for ever."""
    if not isinstance(code, int):
        return "retry"
    if 4600 <= code < 4700:
        return "token"
    if 4000 <= code < 4200 or 4400 <= code < 4500 or code >= 4700:
        return "stop"
    return "stop" if code in (1000, 1002, 1003, 1007, 1008, 1009, 1010) else "retry"


def backoff(m: Step) -> float:
    """Full jitter from the first retry; what ``closing`` asks for goes first."""
    closing, welcome = m.state.closing, m.state.welcome
    if closing and (closing.after_ms > 0 or closing.spread_ms > 0):
        return max(FLOOR, closing.after_ms + m.random * closing.spread_ms)
    most = min(welcome.max_ms, (welcome.min_ms + welcome.spread_ms) * (1 << min(m.state.tries, 30)))
    return max(FLOOR, welcome.min_ms + m.random * max(0, most - welcome.min_ms))

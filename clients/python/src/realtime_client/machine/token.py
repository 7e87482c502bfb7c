"""The token, before each attempt and before it expires: one request at a time, with a deadline."""

from __future__ import annotations

import math

from . import out
from .timers import arm, disarm
from .signals import AskToken
from .state import Step
from .values import TokenReason

DEADLINE = 10_000
AGAIN = 10_000
"""Before the provider is asked again for the token of a live connection."""


def ask_token(m: Step, reason: TokenReason) -> None:
    request = m.state.next_request
    m.state.next_request += 1
    m.state.request = request
    arm(m, "token", DEADLINE)
    m.effects.append(AskToken(request, reason))


def expires(m: Step, ms: float | None) -> None:
    """When the token of this connection expires: a new one is asked for at 80 % of that time, give or take 10 %."""
    s = m.state
    disarm(m, "refresh")
    s.expires_at = s.refresh_at = math.inf
    if ms is None:
        return
    s.expires_at = m.now + ms
    s.refresh_at = m.now + ms * 0.8 * (0.9 + 0.2 * m.random)
    arm(m, "refresh", s.refresh_at - m.now)


def refresh(m: Step) -> None:
    """Asks for a new token for the live connection, unless one is being asked for."""
    s = m.state
    if not out.is_open(m):
        return
    disarm(m, "refresh")
    s.refresh_at = math.inf
    pending = any(own.action == "refresh" for own in s.sent.values())
    if not s.request and not pending:
        ask_token(m, "expiring")

"""The token, before each attempt and before it expires: one request at a time, with a deadline."""

from __future__ import annotations

import math

from . import closing, connection, out
from .timers import arm, disarm
from .types import AskToken, Failure, Reason, Step, TokenReason

DEADLINE = 10_000
AGAIN = 10_000
"""Before the provider is asked again for the token of a live connection."""


def ask_token(m: Step, reason: TokenReason) -> None:
    request = m.state.next_request
    m.state.next_request += 1
    m.state.request = request
    arm(m, "token", DEADLINE)
    m.effects.append(AskToken(request, reason))


def token_arrived(m: Step, token: object) -> None:
    s = m.state
    _answered(m)
    if token is None:
        message = "the token provider returned None: no user is signed in; call start() after the sign-in"
        return connection.halt(m, "signed_out", message)
    # An empty token must never become an anonymous connection.
    if not isinstance(token, str) or token == "":
        return token_failed(m, "the token provider returned no token; return a str, or None if no user is signed in")
    if s.phase != "token":
        # A refresh of the connection that lives.
        s.token = token
        out.send_own(m, {"action": "refresh", "token": token})
    elif token == s.refused and not s.waited_with_refused:
        s.waited_with_refused = True
        reason = Reason("token_refused", "the token provider returned the token that was refused")
        connection.wait(m, closing.backoff(m), reason)
        s.tries += 1
    else:
        connection.dial(m, token)


def token_failed(m: Step, message: str) -> None:
    """The provider failed, or its deadline has expired."""
    _answered(m)
    if m.state.phase == "token":
        connection.wait(m, closing.backoff(m), Reason("token_failed", message))
        m.state.tries += 1
    else:
        out.report(m, Failure("token_failed", message, retry=True))
        arm(m, "refresh", AGAIN)


def _answered(m: Step) -> None:
    m.state.request = 0
    disarm(m, "token")


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


def refresh_refused(m: Step, code: str) -> None:
    """The server has refused the new token: the connection has its old one still."""
    s = m.state
    if code == "forbidden":
        # Another user's token, or one without the right to connect: that is decided at a new connection.
        connection.drop(m)
        connection.leave(m)
        connection.attempt(m, "connect")
    else:
        s.refused = s.refused if code == "unavailable" else s.token
        arm(m, "refresh", AGAIN)

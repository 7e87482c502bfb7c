"""What the token provider, and the server, say about a token."""

from __future__ import annotations

from . import closing, connection, out
from .timers import arm, disarm
from .state import Step
from .token import AGAIN
from .values import Failure, Reason


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

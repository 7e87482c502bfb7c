"""The connection: start, stop, attempts, loss, waiting, and signals of the device."""

from __future__ import annotations

import math
from typing import Literal

from . import commands, out, subscriptions, token as tokens
from .closing import FLOOR, advice, backoff
from .timers import arm, disarm
from .signals import Dial, Drop, Emit, StateChanged
from .state import Step
from .values import ConnectionState, Failure, Reason, Timer, TokenReason

HANDSHAKE = 10_000
"""From the dial to ``welcome``."""
STABLE = 10_000
"""Backoff is kept over connections shorter than this."""
PROBE = 5_000
"""For any frame after a ping that asks."""
SILENT = 10_000
"""After a wake-up, a connection that was silent for longer is asked."""
WAKE_FLOOR = 1_000
"""Between two attempts that waking up causes."""

CONNECTION_TIMERS: tuple[Timer, ...] = ("token", "dial", "retry", "stable", "idle", "refresh", "pace", "publish")


def show(m: Step) -> None:
    """Emits the state if an application would see a difference."""
    s = m.state
    phase: Literal["stopped", "waiting", "connecting", "connected"] = "connecting"
    if s.phase == "live":
        phase = "connected"
    elif s.phase == "stopped" or s.phase == "waiting":
        phase = s.phase
    state = ConnectionState(
        phase,
        since=m.now,
        retry_at=s.retry_at if phase == "waiting" else None,
        reason=s.reason if phase in ("stopped", "waiting") else None,
        resumed=s.complete if phase == "connected" and s.welcomes > 1 else None,
    )
    before = s.shown
    if before.phase == phase and before.retry_at == state.retry_at and before.reason is state.reason:
        return
    s.shown = state
    m.effects.append(Emit(StateChanged(state)))


def start(m: Step) -> None:
    s = m.state
    if s.phase != "stopped":
        return
    s.reason = None
    s.tries = s.refusals = 0
    s.refused = None
    subscriptions.load_again(m)
    soon(m, FLOOR)


def halt(m: Step, code: int | str, message: str) -> None:
    """Ends everything until ``start``."""
    s = m.state
    if s.phase == "stopped":
        return
    drop(m)
    leave(m)
    s.n += 1
    s.phase = "stopped"
    s.reason = Reason(code, message)
    commands.reject_all(m, Failure("stopped", message))
    disarm(m, "command", "linger", "load")
    show(m)


def soon(m: Step, floor: float) -> None:
    """Begins the next attempt, as soon as the floor allows."""
    s = m.state
    ms = max(s.attempted_at + floor, s.not_before) - m.now
    if ms > 0:
        wait(m, ms, s.reason)
    else:
        retry_expired(m)


def wait(m: Step, ms: float | None, reason: Reason | None) -> None:
    s = m.state
    s.phase = "waiting"
    s.reason = reason
    s.retry_at = None if ms is None else m.now + ms
    if ms is None:
        disarm(m, "retry")
    else:
        arm(m, "retry", ms)
    show(m)


def attempt(m: Step, reason: TokenReason) -> None:
    s = m.state
    disarm(m, "retry")
    s.n += 1
    s.phase = "token"
    s.attempted_at = m.now
    s.retry_at = None
    show(m)
    tokens.ask_token(m, reason)


def dial(m: Step, token: str) -> None:
    s = m.state
    s.phase = "dialing"
    s.token = token
    s.attempted_at = m.now
    s.closing = None
    arm(m, "dial", HANDSHAKE)
    query = {"client": s.options.client, "ping": "text"}
    if s.ticket is not None:
        query["resume"] = s.ticket
    m.effects.append(Dial(s.n, ("realtime.v1", f"bearer.{token}"), query))


def drop(m: Step) -> None:
    """Lets go of the socket, if there is one: nothing of it counts any more."""
    if m.state.phase == "dialing" or out.is_open(m):
        m.effects.append(Drop(m.state.n, 1000))


def leave(m: Step) -> None:
    """Clears what belongs to this attempt alone."""
    s = m.state
    disarm(m, *CONNECTION_TIMERS)
    s.request = s.resume = s.probe = 0
    s.refresh_at = s.expires_at = math.inf
    s.sent.clear()
    subscriptions.detach(m)
    commands.interrupt(m)


def lost(m: Step, code: int, text: str) -> None:
    """The connection of this attempt has ended, or there was none."""
    s = m.state
    leave(m)
    s.n += 1
    closing = s.closing
    reason = Reason(closing.code, closing.reason) if closing else Reason(code, text)
    following = advice(reason.code)
    if closing and following != "token":
        following = "retry" if closing.reconnect else "stop"
    if reason.code == 4509:
        s.ticket = None
    if following == "stop":
        s.phase = "waiting"
        halt(m, reason.code, reason.message)
    elif following == "token":
        s.refused = s.token
        s.waited_with_refused = False
        s.refusals += 1
        if s.refusals > 1:
            s.phase = "waiting"
            halt(m, reason.code, f"{reason.message}; a second token was refused too: sign in again, then call start()")
        else:
            wait(m, FLOOR + m.random * 400, reason)
    else:
        s.not_before = m.now + (closing.after_ms if closing else 0)
        wait(m, backoff(m), reason)
        s.tries += 1


def _abandon(m: Step, message: str) -> None:
    """Ends this connection from here, and begins the next."""
    drop(m)
    m.state.closing = None
    lost(m, 1006, message)


def retry_expired(m: Step) -> None:
    attempt(m, "refused" if m.state.refusals > 0 else "connect")


def dial_expired(m: Step) -> None:
    _abandon(m, "no welcome within 10 s")


def watch(m: Step) -> None:
    """``welcome`` has come: the connection is watched from now on."""
    arm(m, "stable", STABLE)
    arm(m, "idle", _silence(m))


def _silence(m: Step) -> float:
    """The longest silence of a living server."""
    return 2 * m.state.welcome.ping_ms + 10_000


def idle_expired(m: Step) -> None:
    """Dead is what was asked and did not reply, never what a timer says."""
    s = m.state
    if s.probe:
        return _abandon(m, "the server did not reply to a ping")
    left = _silence(m) - max(0, m.now - s.heard_at)
    if left > 0:
        arm(m, "idle", left)
    else:
        _probe(m)


def _probe(m: Step) -> None:
    if m.state.probe:
        return
    m.state.probe = out.send_own(m, {"action": "ping"})
    arm(m, "idle", PROBE)


def heard(m: Step) -> None:
    """Any frame is a sign of life."""
    m.state.heard_at = m.now
    if not m.state.probe:
        return
    m.state.probe = 0
    arm(m, "idle", _silence(m))


def wake(m: Step) -> None:
    """The machine woke up, or the page is visible again. Several such signals cause one check."""
    s = m.state
    if s.phase == "waiting":
        soonest = s.attempted_at + WAKE_FLOOR
        if s.retry_at is None or s.retry_at > soonest:
            soon(m, FLOOR if s.retry_at is None else WAKE_FLOOR)
        return
    if not out.is_open(m):
        return
    if m.now >= s.expires_at:
        drop(m)
        leave(m)
        soon(m, FLOOR)
    else:
        if m.now >= s.refresh_at:
            tokens.refresh(m)
        if m.now - s.heard_at >= SILENT:
            _probe(m)


def online(m: Step) -> None:
    if m.state.phase == "waiting":
        soon(m, FLOOR)
    else:
        wake(m)


def offline(m: Step) -> None:
    """The device says that it has no network. It may be wrong: a live connection is asked."""
    s = m.state
    if out.is_open(m):
        return _probe(m)
    if s.phase not in ("dialing", "token"):
        return
    drop(m)
    leave(m)
    s.n += 1
    wait(m, s.welcome.max_ms, Reason("offline", "the device has no network"))


def hide(m: Step) -> None:
    """A page goes into the back/forward cache, or an application into the background: its socket would be closed."""
    s = m.state
    if s.phase == "stopped":
        return
    drop(m)
    leave(m)
    s.n += 1
    wait(m, None, Reason("hidden", "the application is in the background"))

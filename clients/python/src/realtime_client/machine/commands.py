"""Commands of the application.

``publish`` waits while there is no connection and is sent again until its reply has come, always with the same id and
key; every other command is sent once.
"""

from __future__ import annotations

import json
import math
from typing import Any

from . import out
from .subscriptions import PAUSE
from .timers import arm, disarm
from .signals import Send, Settle
from .state import Pending, Step
from .values import Command, Failure, Ref

DEADLINE = 10_000
"""From sending to the reply. A command that is not sent once, ``publish``, has all the time that it needs until then."""
TRIES = 10
"""A publication that the server refuses for now is sent again this often."""


def _publishes(command: Command) -> bool:
    return bool(command["action"] == "publish")


def command(m: Step, ref: Ref, body: Command) -> None:
    s = m.state
    size = len(json.dumps(body, ensure_ascii=False, separators=(",", ":")))
    alike = [other for other in s.commands.values() if _publishes(other.command) == _publishes(body)]
    queued = size + sum(other.bytes for other in alike)
    if s.phase == "stopped":
        _reject(m, ref, Failure("stopped", "the client has stopped; call start()"))
    elif len(alike) >= s.options.max_offline or queued > s.options.max_offline_bytes:
        message = f"{len(alike)} commands wait for their replies already (max_offline, max_offline_bytes)"
        _reject(m, ref, Failure("limit_exceeded", message, retry=True))
    else:
        due = math.inf if _publishes(body) else m.now + DEADLINE
        s.commands[s.next_id] = Pending(ref, body, due, size)
        s.next_id += 1
        flush(m)
        _watch_deadlines(m)


def flush(m: Step) -> None:
    """Sends what waits. Of each topic one publication is in flight, so that their order holds through refusals too."""
    s = m.state
    if not out.is_open(m):
        return
    busy: set[str] = set()
    for number, pending in s.commands.items():
        body = pending.command
        if _publishes(body):
            topic = str(body.get("topic"))
            waits = topic in busy or "publish" in s.timers
            busy.add(topic)
            if waits or pending.sent:
                continue
            pending.due = m.now + DEADLINE
        if pending.sent:
            continue
        pending.sent = s.n
        m.effects.append(Send(s.n, {**body, "id": number}))
    _watch_deadlines(m)


def _watch_deadlines(m: Step) -> None:
    due = min((pending.due for pending in m.state.commands.values()), default=math.inf)
    armed = m.state.timers.get("command")
    if due == math.inf:
        disarm(m, "command")
    elif armed is None or armed.due > due:
        arm(m, "command", due - m.now)


def deadline_expired(m: Step) -> None:
    for number, pending in list(m.state.commands.items()):
        if pending.due > m.now:
            continue
        del m.state.commands[number]
        message = "no reply within 10 s; it may have been carried out"
        if not pending.sent:
            message = "no connection within 10 s; it was not sent"
        _reject(m, pending.ref, Failure("timeout", message, retry=True))
    flush(m)
    _watch_deadlines(m)


def _reject(m: Step, ref: Ref, error: Failure) -> None:
    m.effects.append(Settle(ref, error=error))


def replied(m: Step, number: int, result: dict[str, Any]) -> None:
    """The reply to a command of the application; one that is not known, or is late, is ignored."""
    pending = m.state.commands.pop(number, None)
    if pending is None:
        return
    m.effects.append(Settle(pending.ref, result=result))
    flush(m)


def refused(m: Step, number: int, error: Failure) -> None:
    pending = m.state.commands.get(number)
    if pending is None:
        return
    if _publishes(pending.command) and error.retry and pending.tries + 1 < TRIES:
        pending.tries += 1
        _keep_for_next(pending)
        arm(m, "publish", PAUSE if error.after_ms is None else error.after_ms)
    else:
        del m.state.commands[number]
        _reject(m, pending.ref, error)
    flush(m)


def interrupt(m: Step) -> None:
    """The connection is gone: publications are sent again on the next one, the result of the others is unknown."""
    for number, pending in list(m.state.commands.items()):
        if not pending.sent:
            continue
        if _publishes(pending.command):
            _keep_for_next(pending)
        else:
            del m.state.commands[number]
            message = "the connection was lost before the reply; it may have been carried out"
            _reject(m, pending.ref, Failure("disconnected", message, retry=True))
    _watch_deadlines(m)


def _keep_for_next(pending: Pending) -> None:
    pending.sent = 0
    pending.due = math.inf


def reject_all(m: Step, error: Failure) -> None:
    for pending in m.state.commands.values():
        _reject(m, pending.ref, error)
    m.state.commands.clear()

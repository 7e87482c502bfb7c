"""The machine: one event in, effects out.

No clock, no socket, no randomness: they come with the event. The state is plain data, changed in place: the caller keeps
no older one. What belongs to another attempt, token request or timer is dropped here, and nowhere else.
"""

from __future__ import annotations

import json
from typing import Any

from . import commands, connection, out, positions, recovery, subscriptions, timers, token, token_reply, wire
from .signals import (
    Closed,
    ControlFrame,
    Effect,
    Emission,
    Emit,
    Event,
    FrameArrived,
    LoadFailed,
    Loaded,
    Lost,
    Received,
    Reported,
    Send,
    Signal,
    StateChanged,
    Submit,
    Subscribe,
    TimerExpired,
    TokenArrived,
    TokenFailed,
    Unsubscribe,
)
from .state import Options, State, Step
from .values import Failure, Timer


def initial(options: Options) -> State:
    """A client that has not been started."""
    return State(options, next_id=options.first_id)


def step(state: State, event: Event, now: float, random: float) -> list[Effect]:
    """Changes the state by one event. ``now`` is in milliseconds, ``random`` in [0, 1)."""
    m = Step(state, now, random)
    match event:
        case FrameArrived(n, text):
            if n == state.n:
                _frame(m, text)
        case TimerExpired(timer, key):
            if timers.expired(m, timer, key):
                _timer(m, timer)
        case Closed(n, code, reason):
            if n == state.n:
                connection.lost(m, code, reason)
        case TokenArrived(request, given):
            if request == state.request:
                token_reply.token_arrived(m, given)
        case TokenFailed(request, message):
            if request == state.request:
                token_reply.token_failed(m, message)
        case Subscribe(topic, since, load):
            subscriptions.subscribe(m, topic, since, load)
        case Unsubscribe(topic):
            subscriptions.unsubscribe(m, topic)
        case Loaded(topic, generation, position):
            subscriptions.loaded(m, topic, generation, position)
        case LoadFailed(topic, generation, message, refusal):
            subscriptions.load_failed(m, topic, generation, message, refusal)
        case Submit(ref, command):
            commands.command(m, ref, command)
        case Signal():
            _signal(m, event)
    return m.effects


def _signal(m: Step, signal: Signal) -> None:
    match signal.type:
        case "start":
            connection.start(m)
        case "stop":
            connection.halt(m, "stopped", "stop() was called")
        case "refresh":
            token.refresh(m)
        case "wake":
            connection.wake(m)
        case "online":
            connection.online(m)
        case "offline":
            connection.offline(m)
        case "hide":
            connection.hide(m)


def _timer(m: Step, name: Timer) -> None:
    match name:
        case "token":
            token_reply.token_failed(m, "the token provider took longer than 10 s")
        case "dial":
            connection.dial_expired(m)
        case "retry":
            connection.retry_expired(m)
        case "stable":
            m.state.tries = 0
        case "idle":
            connection.idle_expired(m)
        case "refresh":
            token.refresh(m)
        case "linger":
            subscriptions.linger_expired(m)
        case "command":
            commands.deadline_expired(m)
        case "pace":
            recovery.resume_again(m)
            subscriptions.pump(m)
        case "publish":
            commands.flush(m)
        case "load":
            subscriptions.load_expired(m)


def _frame(m: Step, text: str) -> None:
    """What this client does not know, it ignores: a later server sends more."""
    try:
        received = json.loads(text)
    except (ValueError, RecursionError):
        received = None
    if not isinstance(received, dict):
        return out.report(m, Failure("bad_frame", "the server sent a frame that is not a JSON object"))
    connection.heard(m)
    if "id" in received:
        if out.is_open(m):
            recovery.publication(m, wire.message(received))
        return
    p = wire.fields(received.get("payload"))
    match received.get("type"):
        case "welcome":
            recovery.welcome(m, p)
        case "closing":
            m.state.closing = wire.closing(p)
        case kind if out.is_open(m):
            _control(m, kind, p)


def _control(m: Step, kind: object, p: dict[str, Any]) -> None:
    topic = wire.text(p.get("topic"))
    match kind:
        case "ack":
            _ack(m, p)
        case "error":
            _refusal(m, p)
        case "gap":
            recovery.gap(m, wire.gap(p))
        case "subscribed" if topic is not None:
            recovery.subscribed(m, topic, wire.position(p.get("position")))
        case "unsubscribed" if topic is not None:
            subscriptions.unsubscribed(m, topic, wire.text(p.get("reason")) or "server")
        case "ping":
            m.effects.append(Send(m.state.n, {"action": "pong"}))
        case "presence":
            m.effects.append(Emit(ControlFrame("presence", p)))


def _ack(m: Step, p: dict[str, Any]) -> None:
    number = wire.whole(p.get("id"))
    if number is None:
        return
    own = m.state.sent.pop(number, None)
    match own.action if own else None:
        case None:
            commands.replied(m, number, p)
        case "subscribe" if own:
            subscriptions.subscribe_acked(m, number, own.topic, wire.position(p.get("position")))
        case "unsubscribe" if own:
            subscriptions.unsubscribe_acked(m, number, own.topic)
        case "resume":
            recovery.resumed(m, number, wire.positions(p.get("streams")))
        case "refresh":
            m.state.ticket = wire.text(p.get("resume")) or m.state.ticket
            positions.keep_all(m, wire.positions(p.get("streams")))
            token.expires(m, wire.number(p.get("token_expires_in_ms")))


def _refusal(m: Step, p: dict[str, Any]) -> None:
    error = wire.failure(p)
    number = wire.whole(p.get("id"))
    if number is None:
        return out.report(m, error)
    own = m.state.sent.pop(number, None)
    after = subscriptions.PAUSE if error.after_ms is None else error.after_ms
    match own.action if own else None:
        case None:
            commands.refused(m, number, error)
        case "subscribe" if own:
            subscriptions.subscribe_refused(m, number, own.topic, error)
        case "unsubscribe" if own:
            subscriptions.unsubscribe_refused(m, number, own.topic, error)
        case "resume":
            recovery.resume_refused(m, error.retry, after)
        case "refresh":
            token_reply.refresh_refused(m, error.code)


def deliverable(state: State, emission: Emission) -> bool:
    """Whether an emission may still be handed out: asked when its turn comes, because a handler may have ended it."""
    if state.phase == "stopped" and not isinstance(emission, (StateChanged, Reported)):
        return False
    if not isinstance(emission, (Received, Lost)):
        return True
    if emission.topic is None or emission.generation == 0 or emission.topic in state.given:
        return True
    sub = state.subscriptions.get(emission.topic)
    return sub is not None and sub.count > 0 and sub.generation == emission.generation

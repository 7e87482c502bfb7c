"""Subscriptions: what the application wants, counted, and how it gets onto each connection."""

from __future__ import annotations

import math

from . import out, positions
from .timers import arm
from .signals import Emit, Load, SubscriptionChanged
from .state import Step, Subscription
from .values import Failure, LoadReason, Position, SubscriptionStatus

LINGER = 1_000
"""The wire follows the last subscriber after this time: a view that changes subscribes again."""
WINDOW = 32
"""Subscribe commands in flight: half a burst at most, so that refusals never close the connection."""
PAUSE = 1_000
"""Before a refused command is sent again, if the server says no time."""
AGAIN = -1
"""In place of the id of an ``unsubscribe`` that must be sent again."""
LONGEST_LOAD_PAUSE = 30_000


def _emit(m: Step, sub: Subscription, status: SubscriptionStatus) -> None:
    m.effects.append(Emit(SubscriptionChanged(sub.topic, sub.generation, status)))


def _emit_live(m: Step, sub: Subscription) -> None:
    position = m.state.positions.get(positions.stream_of(sub.topic))
    _emit(m, sub, SubscriptionStatus("live", position, sub.recovered))


def subscribe(m: Step, topic: str, since: Position | None, load: bool) -> None:
    s = m.state
    sub = s.subscriptions.get(topic)
    if sub is None:
        sub = s.subscriptions[topic] = Subscription(topic, load)
    sub.count += 1
    if sub.count > 1 and sub.phase != "ended":
        if sub.phase == "live":
            _emit_live(m, sub)
        return
    s.generation += 1
    sub.generation = s.generation
    # A state is loaded for each first subscriber: what one before it has loaded is not this one's.
    if sub.phase == "live" and not sub.leaving and not load:
        # It lingered: nothing changes on the wire.
        sub.recovered = 0
        return _emit_live(m, sub)
    if sub.phase == "asking" and not sub.leaving and not load:
        return
    sub.load = load
    sub.loads = sub.recovered = sub.seen = 0
    sub.error = None
    if load:
        reload(m, sub, "first")
    else:
        sub.phase = "queued"
    if since:
        s.positions[positions.stream_of(topic)] = since
    pump(m)


def unsubscribe(m: Step, topic: str) -> None:
    sub = m.state.subscriptions.get(topic)
    if sub is None or sub.count == 0:
        return
    sub.count -= 1
    if sub.count > 0:
        return
    if out.is_open(m) and sub.phase in ("live", "asking"):
        sub.linger_until = m.now + LINGER
        if "linger" not in m.state.timers:
            arm(m, "linger", LINGER)
    elif sub.leaving:
        # Its reply ends it, also if the state was being loaded.
        sub.phase = "queued"
    else:
        _forget(m, sub)


def _forget(m: Step, sub: Subscription) -> None:
    m.state.subscriptions.pop(sub.topic, None)
    if sub.topic not in m.state.given:
        m.state.positions.pop(positions.stream_of(sub.topic), None)


def linger_expired(m: Step) -> None:
    following = math.inf
    for sub in list(m.state.subscriptions.values()):
        if sub.count > 0:
            continue
        # While an older `unsubscribe` is in flight, a later one waits.
        due = m.now + LINGER if sub.leaving else sub.linger_until
        if due > m.now:
            following = min(following, due)
        elif sub.topic in m.state.given:
            _forget(m, sub)
        else:
            _leave_topic(m, sub)
    if following < math.inf:
        arm(m, "linger", following - m.now)


def _leave_topic(m: Step, sub: Subscription) -> None:
    sub.leaving = out.send_own(m, {"action": "unsubscribe", "topic": sub.topic}, sub.topic)
    sub.phase = "queued"
    sub.command = 0
    m.state.positions.pop(positions.stream_of(sub.topic), None)


def pump(m: Step) -> None:
    """Sends what is wanted and not asked for yet, in the order in which it was wanted."""
    s = m.state
    if not out.is_open(m) or "pace" in s.timers:
        return
    window = max(1, min(WINDOW, int(s.welcome.burst / 2)))
    asking = sum(own.action == "subscribe" for own in s.sent.values())
    for sub in s.subscriptions.values():
        if sub.leaving == AGAIN:
            sub.leaving = 0
            if sub.count == 0 and sub.phase == "queued":
                _leave_topic(m, sub)
        if asking >= window:
            return
        if sub.phase != "queued" or sub.count == 0:
            continue
        command: dict[str, object] = {"action": "subscribe", "topic": sub.topic}
        since = s.positions.get(positions.stream_of(sub.topic))
        if since:
            command["since"] = positions.wire(since)
        sub.phase = "asking"
        sub.recovered = sub.seen = 0
        sub.command = out.send_own(m, command, sub.topic)
        asking += 1


def subscribe_acked(m: Step, number: int, topic: str, position: Position | None) -> None:
    """The reply to a ``subscribe``, unless it belongs to an older one."""
    sub = m.state.subscriptions.get(topic)
    if sub and sub.command == number:
        acked(m, sub, position)
    pump(m)


def acked(m: Step, sub: Subscription, position: Position | None) -> None:
    stream = positions.stream_of(sub.topic)
    sub.phase = "live"
    sub.command = 0
    sub.loads = 0
    if position:
        positions.keep(m, stream, position, sub.seen)
    else:
        m.state.positions.pop(stream, None)
    if sub.count > 0:
        _emit_live(m, sub)


def subscribe_refused(m: Step, number: int, topic: str, error: Failure) -> None:
    sub = m.state.subscriptions.get(topic)
    if error.retry:
        arm(m, "pace", PAUSE if error.after_ms is None else error.after_ms)
    if sub and sub.command == number:
        sub.command = 0
        if error.retry:
            sub.phase = "queued"
        else:
            _end(m, sub, error)
    pump(m)


def _end(m: Step, sub: Subscription, error: Failure) -> None:
    sub.phase = "ended"
    sub.error = error
    m.state.positions.pop(positions.stream_of(sub.topic), None)
    if sub.count > 0:
        _emit(m, sub, SubscriptionStatus("ended", error=error))
    else:
        m.state.subscriptions.pop(sub.topic, None)


def unsubscribe_acked(m: Step, number: int, topic: str) -> None:
    sub = m.state.subscriptions.get(topic)
    if sub is None or sub.leaving != number:
        return
    sub.leaving = 0
    # With a later `subscribe` on the wire, the timer sends another `unsubscribe`.
    if sub.count == 0 and sub.phase == "queued":
        _forget(m, sub)


def unsubscribe_refused(m: Step, number: int, topic: str, error: Failure) -> None:
    """Not now: it is sent again."""
    sub = m.state.subscriptions.get(topic)
    # Wanted again meanwhile: then the refusal is welcome.
    if sub is None or sub.leaving != number or not error.retry or sub.count > 0:
        return unsubscribe_acked(m, number, topic)
    sub.leaving = AGAIN
    arm(m, "pace", PAUSE if error.after_ms is None else error.after_ms)


def unsubscribed(m: Step, topic: str, reason: str) -> None:
    """The server ended a subscription."""
    s = m.state
    sub = s.subscriptions.get(topic)
    s.given.discard(topic)
    # Without a subscription here, and while streams resume, the backend may still give it again: the position stays.
    if not sub and not s.resume:
        s.positions.pop(positions.stream_of(topic), None)
    # A `subscribe` in flight comes after it, and has its own reply.
    if not sub or sub.leaving or not (sub.phase == "live" or (sub.phase == "asking" and sub.command == s.resume)):
        return
    sub.command = 0
    _end(m, sub, Failure(reason, f"the server ended the subscription to {topic}: {reason}"))


def detach(m: Step) -> None:
    """The connection is gone."""
    s = m.state
    for sub in list(s.subscriptions.values()):
        live = sub.phase == "live"
        sub.command = sub.leaving = 0
        if sub.count == 0:
            _forget(m, sub)
        elif live or sub.phase == "asking":
            sub.phase = "queued"
            if live:
                _emit(m, sub, SubscriptionStatus("pending"))
    s.given = {topic for topic in s.given if positions.stream_of(topic) in s.positions}


def reload(m: Step, sub: Subscription, reason: LoadReason) -> None:
    """The application loads its state again: the wire waits, and continues from where the state was read."""
    if out.is_open(m) and sub.phase in ("live", "asking"):
        _leave_topic(m, sub)
        _emit(m, sub, SubscriptionStatus("pending"))
    sub.phase = "loading"
    sub.load_reason = reason
    if sub.loads == 0:
        return _begin(m, sub)
    pause = min(LONGEST_LOAD_PAUSE, PAUSE << (min(sub.loads, 30) - 1))
    sub.load_at = m.now + pause
    armed = m.state.timers.get("load")
    if armed is None or armed.due > sub.load_at:
        arm(m, "load", pause)


def _begin(m: Step, sub: Subscription) -> None:
    sub.loads += 1
    sub.load_at = 0
    m.effects.append(Load(sub.topic, sub.generation, sub.load_reason))


def load_again(m: Step) -> None:
    """After a stop, what was being loaded is loaded anew; the end of an older load is ignored."""
    for sub in m.state.subscriptions.values():
        if sub.phase == "loading":
            m.state.generation += 1
            sub.generation = m.state.generation
            _begin(m, sub)


def load_expired(m: Step) -> None:
    following = math.inf
    for sub in m.state.subscriptions.values():
        if sub.phase != "loading" or not sub.load_at:
            continue
        if sub.load_at <= m.now:
            _begin(m, sub)
        else:
            following = min(following, sub.load_at)
    if following < math.inf:
        arm(m, "load", following - m.now)


def _loading(m: Step, topic: str, generation: int) -> Subscription | None:
    sub = m.state.subscriptions.get(topic)
    if m.state.phase == "stopped" or sub is None or sub.generation != generation or sub.phase != "loading" or sub.load_at:
        return None
    return sub


def loaded(m: Step, topic: str, generation: int, position: Position | None) -> None:
    sub = _loading(m, topic, generation)
    if sub is None:
        return
    sub.phase = "queued"
    if position:
        m.state.positions[positions.stream_of(topic)] = position
    pump(m)


def load_failed(m: Step, topic: str, generation: int, message: str, refusal: Failure | None) -> None:
    sub = _loading(m, topic, generation)
    if sub is None:
        return
    if refusal:
        return _end(m, sub, refusal)
    out.report(m, Failure("load_failed", message, retry=True))
    reload(m, sub, sub.load_reason)

"""Positions: where each stream stands, how it continues after a reconnect, and what is lost.

The four rules of docs/protocol.md, "History and recovery".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from . import commands, connection, out, subscriptions, token, wire as read
from .positions import keep, keep_all, stream_of, topic_of, wire
from .timers import arm, disarm
from .signals import Emit, Lost, Received
from .state import Step, Subscription, Welcome
from .values import Gap, Message, Position


def _number(value: object, otherwise: float) -> float:
    known = read.number(value)
    return otherwise if known is None else known


def welcome(m: Step, p: dict[str, Any]) -> None:
    s = m.state
    if s.phase != "dialing":
        return
    disarm(m, "dial")
    s.phase = "resuming"
    s.refusals = 0
    s.not_before = 0
    s.refused = s.reason = None
    s.complete = True
    s.welcomes += 1
    delays, limits, default = read.fields(p.get("reconnect")), read.fields(p.get("limits")), Welcome()
    s.welcome = Welcome(
        min_ms=_number(delays.get("min_ms"), default.min_ms),
        max_ms=_number(delays.get("max_ms"), default.max_ms),
        spread_ms=_number(delays.get("spread_ms"), default.spread_ms),
        ping_ms=_number(p.get("ping_ms"), default.ping_ms),
        burst=_number(limits.get("burst"), default.burst),
    )
    # What another user received is no one else's to continue.
    user = read.text(p.get("user"))
    if s.user is not None and s.user != user:
        s.positions.clear()
        s.given.clear()
    s.user = user
    s.ticket = read.text(p.get("resume"))
    _streams_of(m, p)
    connection.watch(m)
    token.expires(m, read.number(p.get("token_expires_in_ms")))
    if not _resume(m, p.get("resumed") is True):
        _caught_up(m)
    subscriptions.pump(m)
    commands.flush(m)


def _streams_of(m: Step, p: dict[str, Any]) -> None:
    """The streams that this connection receives without a command."""
    s = m.state
    streams = read.positions(p.get("streams"))
    roles = p.get("roles")
    s.held = []
    for stream, at in streams.items():
        own = s.positions.get(stream)
        if own is None:
            s.positions[stream] = at
        elif p.get("resumed") is True:
            s.held.append(stream)
        elif own != at:
            _jump(m, stream, at)
    for stream in list(s.positions):
        if topic_of(stream) is not None or stream in streams:
            continue
        known = roles if isinstance(roles, list) else []
        lost_role = stream.startswith("role:") and stream[len("role:") :] not in known
        if not lost_role:
            _lose(m, Gap("no_history", stream), s.positions[stream])
        del s.positions[stream]


def _resume(m: Step, held: bool) -> bool:
    """Sends all positions in one command; returns whether there is anything to continue."""
    s = m.state
    since: dict[str, Any] = {}
    topics: list[Subscription] = []
    for stream, position in s.positions.items():
        topic = topic_of(stream)
        sub = None if topic is None else s.subscriptions.get(topic)
        if topic is None:
            if stream not in s.held:
                continue
        elif sub:
            if sub.phase != "queued":
                continue
        elif topic not in s.given:
            continue
        since[stream] = wire(position)
        if sub:
            topics.append(sub)
    if not held and not since:
        return False
    s.resume = out.send_own(m, {"action": "resume", "since": since})
    for sub in topics:
        sub.phase = "asking"
        sub.command = s.resume
        sub.recovered = 0
    return True


def resumed(m: Step, number: int, streams: dict[str, Position]) -> None:
    """The reply to ``resume``: every stream has caught up."""
    s = m.state
    if s.resume != number:
        return
    s.resume = 0
    keep_all(m, streams)
    for sub in list(s.subscriptions.values()):
        if sub.command == number:
            subscriptions.acked(m, sub, streams.get(stream_of(sub.topic)))
    _caught_up(m)


def resume_refused(m: Step, retry: bool, after: float) -> None:
    """The server refused to resume: again after a pause, or each topic for itself."""
    s = m.state
    for sub in s.subscriptions.values():
        if sub.command == s.resume:
            sub.phase = "queued"
            sub.command = 0
    s.resume = 0
    arm(m, "pace", after)
    if retry:
        return
    s.complete = False
    _caught_up(m)


def resume_again(m: Step) -> None:
    """The pause is over."""
    s = m.state
    if s.phase == "resuming" and not s.resume and not _resume(m, len(s.held) > 0):
        _caught_up(m)


def _caught_up(m: Step) -> None:
    m.state.phase = "live"
    connection.show(m)


def _jump(m: Step, stream: str, position: Position) -> None:
    """The stream continues elsewhere than where this client stood."""
    gap(m, Gap("not_resumed", stream, end=position.offset, position=position))


def gap(m: Step, lost: Gap) -> None:
    previous = m.state.positions.pop(lost.stream or "", None)
    if lost.stream and lost.position:
        m.state.positions[lost.stream] = lost.position
    _lose(m, lost, previous)


def _lose(m: Step, lost: Gap, previous: Position | None) -> None:
    """Emits a gap in its place between the messages."""
    s = m.state
    s.complete = False
    topic = topic_of(lost.stream)
    sub = None if topic is None else s.subscriptions.get(topic)
    if sub and not _receives(sub) and sub.topic not in s.given:
        return
    m.effects.append(Emit(Lost(replace(lost, previous=previous), topic, sub.generation if sub else 0)))
    if sub and sub.load:
        subscriptions.reload(m, sub, "gap")


def _receives(sub: Subscription) -> bool:
    """Whether messages of its topic are for this subscription."""
    return sub.count > 0 and not sub.leaving and sub.phase in ("asking", "live")


def publication(m: Step, message: Message) -> None:
    """A message: the position moves first, the handler runs later."""
    s = m.state
    topic, stream, offset = message.topic, message.stream, message.offset
    sub = None if topic is None else s.subscriptions.get(topic)
    mine = sub is None or _receives(sub)
    given = topic is not None and topic in s.given
    if sub and not mine and not given and (sub.leaving or sub.phase in ("ended", "loading")):
        return
    if stream is not None and offset is not None:
        own = s.positions.get(stream)
        if own and offset <= own.offset:
            return
        if own:
            s.positions[stream] = Position(own.epoch, offset)
        elif sub:
            sub.seen = offset
    if sub and sub.phase == "asking":
        sub.recovered += 1
    if not mine and not given:
        return
    m.effects.append(Emit(Received(message, topic, sub.generation if sub else 0)))


def subscribed(m: Step, topic: str, at: Position | None) -> None:
    """The backend gave a topic."""
    s = m.state
    s.given.add(topic)
    if at is None:
        return
    stream = stream_of(topic)
    own = s.positions.get(stream)
    if own is None:
        return keep(m, stream, at)
    # A `resume` in flight names the position: what is missing comes, or its gap.
    if s.resume or not out.is_open(m) or (own.epoch == at.epoch and own.offset >= at.offset):
        return
    _jump(m, stream, at)

"""One random schedule: a client's machine, a model of the server, and a network with latency, cuts and closes."""

from __future__ import annotations

import json
import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from realtime_client.machine import deliverable, initial, step
from realtime_client.machine.signals import (
    Arm,
    AskToken,
    Closed,
    Dial,
    Disarm,
    Drop,
    Effect,
    Emission,
    Emit,
    Event,
    FrameArrived,
    Lost,
    Received,
    Send,
    Settle,
    Signal,
    StateChanged,
    Submit,
    Subscribe,
    SubscriptionChanged,
    TimerExpired,
    TokenArrived,
    TokenFailed,
    Unsubscribe,
)
from realtime_client.machine.state import Options
from scenario.clock import VirtualClock, VirtualTimer

from .oracle import Oracle
from .server import OWN, TOPICS, Connection, ModelServer

START, STOP, REFRESH, ONLINE, WAKE = (Signal("start"), Signal("stop"), Signal("refresh"), Signal("online"), Signal("wake"))
DEVICE = (WAKE, ONLINE, Signal("offline"), Signal("hide"))
ACTS = (
    "publish", "publish", "publish", "publish", "subscribe", "unsubscribe", "cut", "close", "kill", "device", "send",
    "send", "stop", "role", "sleep", "again", "forget", "refresh",
)  # fmt: skip


@dataclass(eq=False, slots=True)
class Link:
    n: int
    to_client: float
    to_server: float
    connection: Connection | None = None
    open: bool = True
    dropped: bool = False


class World:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.clock = VirtualClock()
        self.clock.fraction = self.random.random
        self.server = ModelServer(self.random, self.clock.now)
        self.oracle = Oracle(self.server.logs)
        self.state = initial(Options("tab-1", max_offline=20))
        self.counts: Counter[str] = Counter()
        self._links: dict[int, Link] = {}
        self._timers: dict[str, VirtualTimer] = {}
        self._outbox: deque[Effect] = deque()
        self._settled: list[int] = []
        self._counted: Counter[str] = Counter()
        self._draining = False
        self._dialed_at = self._slept_at = -math.inf
        self._asked = self._published = 0
        self._calm = False
        self._stopped = True

    def run(self, steps: int) -> None:
        self._start()
        for _ in range(steps):
            self._act()
            self._advance(self.random.choice((0, 1, 5, 20, 100, 500, 3_000)))
        self._settle()
        self._event(STOP)
        self._at_stop()

    def _start(self) -> None:
        self._event(START)
        self._stopped = False

    def _chance(self, p: float) -> bool:
        return self.random.random() < p

    def _act(self) -> None:
        act = self.random.choice(ACTS)
        self.counts[act] += 1
        getattr(self, f"_act_{act}")()
        self.server.tick()

    def _act_publish(self) -> None:
        streams = [f"topic:{topic}" for topic in TOPICS] + list(OWN)
        for _ in range(self.random.randrange(8) + 1):
            self.server.publish(self.random.choice(streams))

    def _act_subscribe(self) -> None:
        self._subscribe(self.random.choice(TOPICS))

    def _act_unsubscribe(self) -> None:
        self._unsubscribe(self.random.choice(TOPICS))

    def _act_again(self) -> None:
        topic = self.random.choice(TOPICS)
        if self._counted[topic]:
            self._unsubscribe(topic)
            self._subscribe(topic)

    def _act_cut(self) -> None:
        for link in list(self._links.values()):
            if link.open and self._chance(0.7):
                self._cut(link, 1006)

    def _act_close(self) -> None:
        for connection in list(self.server.connections):
            code = self.random.choice((4503, 4513, 4500, 1011, 1001, 4603))
            later = {"after_ms": self.random.randrange(1_000), "spread_ms": self.random.randrange(2_000)}
            self.server.end(connection, code, "closed", later if self._chance(0.5) else None)

    def _act_kill(self) -> None:
        if self._chance(0.5):
            self.server.kill(self._chance(0.5))

    def _act_device(self) -> None:
        self._event(self.random.choice(DEVICE))

    def _act_send(self) -> None:
        self._published += 1
        n = self._published
        command = {"action": "publish", "topic": "long", "type": "note", "payload": n, "idempotency_key": f"k{n}"}
        self._event(Submit(n, command))

    def _act_stop(self) -> None:
        if self._chance(0.7):
            return
        self._event(STOP)
        self._at_stop()
        self._advance(self.random.randrange(3_000))
        self._start()

    def _act_role(self) -> None:
        self.server.staff = self._chance(0.5)

    def _act_sleep(self) -> None:
        ms = self.random.randrange(120_000)
        self._slept_at = self.clock.now() + ms
        self.clock.sleep(ms)

    def _act_forget(self) -> None:
        live = self.server.connections
        if live and "plain" in live[0].topics:
            self.server.forget(live[0])

    def _act_refresh(self) -> None:
        self._event(REFRESH)

    def _subscribe(self, topic: str) -> None:
        self._counted[topic] += 1
        self.oracle.subscribed.add(topic)
        self._event(Subscribe(topic))

    def _unsubscribe(self, topic: str) -> None:
        if self._counted[topic] == 0:
            return
        self._counted[topic] -= 1
        if self._counted[topic] == 0:
            self.oracle.unsubscribed(topic)
        self._event(Unsubscribe(topic))

    def _advance(self, ms: float) -> None:
        until = self.clock.now() + ms
        while self.clock.fire_next(until):
            pass
        self.clock.time = until

    def _event(self, event: Event) -> None:
        for effect in step(self.state, event, self.clock.now(), self.clock.random()):
            self._run(effect)
        if self._draining:
            return
        self._draining = True
        while self._outbox:
            self._deliver(self._outbox.popleft())
        self._draining = False
        if self.state.phase != "stopped":
            self.oracle.positions(self.state)

    def _run(self, effect: Effect) -> None:
        match effect:
            case Arm(timer, key, ms):
                self._disarm(timer)
                self._timers[timer] = self.clock.call_later(ms, lambda: self._expire(timer, TimerExpired(timer, key)))
            case Disarm(timer):
                self._disarm(timer)
            case Send(n, command):
                self._write(n, command)
            case AskToken(request):
                self._token(request)
            case Dial(n, protocols, query):
                self._dial(n, protocols[1].removeprefix("bearer."), query.get("resume"))
            case Drop(n):
                link = self._links.get(n)
                if link:
                    link.dropped = True
                    self._end(link)
            case _:
                self._outbox.append(effect)

    def _disarm(self, timer: str) -> None:
        if timer in self._timers:
            self._timers.pop(timer).cancel()

    def _expire(self, timer: str, event: TimerExpired) -> None:
        del self._timers[timer]
        self._event(event)

    def _deliver(self, effect: Effect) -> None:
        match effect:
            case Settle(ref, _, error):
                self._settled.append(int(ref))
                awake = self.clock.now() - self._slept_at > 11_000
                assert not (awake and error and error.code == "timeout"), "a publication without a reply"
            case Emit(emission) if deliverable(self.state, emission):
                self._emit(emission)

    def _emit(self, emission: Emission) -> None:
        if self._stopped:
            assert isinstance(emission, StateChanged), f"{emission} after stop"
        match emission:
            case Received(message, topic):
                self.oracle.message(message)
                # A handler that leaves, or that leaves and comes back.
                if topic is not None and self._chance(0.03):
                    self._unsubscribe(topic)
                    if self._chance(0.5):
                        self._subscribe(topic)
            case Lost(gap):
                self.oracle.gap(gap)
            case SubscriptionChanged(topic, generation, status) if status.phase == "live" and topic in self.oracle.subscribed:
                if self.state.subscriptions[topic].generation == generation:
                    self.oracle.live(topic, status.position)
            case StateChanged(state):
                self.counts[state.phase if state.resumed is None else f"resumed {state.resumed}"] += 1

    def _token(self, request: int) -> None:
        kind = 0 if self._calm else self.random.randrange(20)
        validity = 1e9 if self._calm else self.random.choice((50, 2_000, 60_000, 600_000))
        delay = 15_000 if kind == 1 else self.random.choice((0, 10, 300))
        self._asked += 1
        event: Event = TokenArrived(request, f"t{self._asked}@{self.clock.now() + validity}")
        if kind == 2:
            event = TokenFailed(request, "no network")
        self.clock.call_later(delay, lambda: self._event(event))

    def _dial(self, n: int, token: str, ticket: str | None) -> None:
        now = self.clock.now()
        assert now - self._dialed_at >= 100, f"two dials within {now - self._dialed_at} ms"
        self._dialed_at = now
        self.counts["dial"] += 1
        assert not any(link.open for link in self._links.values()), "two sockets"
        link = self._links[n] = Link(n, now, now)
        fails = not self._calm and self._chance(0.15)
        if not self._calm and self._chance(0.05):
            return  # No answer at all.

        def answer() -> None:
            if not link.open:
                return
            if fails:
                return self._cut(link, 1006)

            def out(frame: dict[str, Any]) -> None:
                self._to_client(link, lambda: self._event(FrameArrived(n, json.dumps(frame))))

            def close(code: int, closing: dict[str, Any] | None) -> None:
                if closing and self._chance(0.8):
                    out({"type": "closing", "payload": closing})
                self._to_client(link, lambda: self._cut(link, code))

            link.connection = Connection(token, out, close)
            self.server.admit(link.connection, ticket)

        self.clock.call_later(self.random.randrange(400), answer)

    def _to_client(self, link: Link, run: Callable[[], None]) -> None:
        """In order; what is on its way when the link ends is lost."""
        link.to_client = max(link.to_client, self.clock.now() + self.random.randrange(60))
        self.clock.call_later(link.to_client - self.clock.now(), lambda: run() if link.open else None)

    def _write(self, n: int, command: dict[str, Any]) -> None:
        link = self._links[n]
        if not link.open:
            return
        link.to_server = max(link.to_server, self.clock.now() + self.random.randrange(60))

        def arrive() -> None:
            if link.connection and not link.connection.closed:
                self.server.command(link.connection, command)

        self.clock.call_later(link.to_server - self.clock.now(), arrive)

    def _end(self, link: Link) -> None:
        link.open = False
        if link.connection is None:
            return
        link.connection.closed = True
        if link.connection in self.server.connections:
            self.server.connections.remove(link.connection)

    def _cut(self, link: Link, code: int) -> None:
        self._end(link)
        if link.dropped:
            return

        def closed() -> None:
            self._event(Closed(link.n, code, ""))
            # A network that changes says so at the same moment.
            if self._chance(0.2):
                self._event(ONLINE)

        self.clock.call_later(self.random.randrange(50), closed)

    def _settle(self) -> None:
        """The network and the server are well from now on: then the client has everything."""
        self._calm = True
        for _ in range(60):
            self.server.tick()
            if self.state.phase == "stopped":
                self._start()
            if self.state.phase == "waiting" and self.state.retry_at is None:
                self._event(WAKE)
            self._advance(3_000)
        assert self.state.phase == "live", "not connected in the end"
        for topic, count in self._counted.items():
            sub = self.state.subscriptions.get(topic)
            assert (sub.phase if sub else "none") == ("live" if count > 0 else "none"), topic
        roles = self.server.connections[0].roles
        followed = [f"topic:{topic}" for topic in self.oracle.subscribed if topic != "plain"]
        self.oracle.complete(followed + [stream for stream in OWN if stream != "role:staff" or "staff" in roles])
        assert sorted(self._settled) == list(range(1, self._published + 1)), "each publish has one result"
        order = [payload for _, payload in self.server.published]
        assert order == sorted(set(order)), "publications out of order, or twice"
        assert not self.state.commands

    def _at_stop(self) -> None:
        self._stopped = True
        assert not self._timers, f"timers after stop: {list(self._timers)}"
        assert not any(link.open for link in self._links.values()), "a socket after stop"

"""The machine alone: no coroutine, no socket."""

from __future__ import annotations

import json
from collections import deque

from realtime_client.errors import refusal_of
from realtime_client.machine import deliverable, initial, step
from realtime_client.machine.signals import (
    Arm,
    AskToken,
    Closed,
    ControlFrame,
    Dial,
    Disarm,
    Drop,
    Effect,
    Emit,
    Event,
    FrameArrived,
    Load,
    LoadFailed,
    Loaded,
    Lost,
    Received,
    Reported,
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

from .clock import VirtualClock, VirtualTimer
from .form import Json, load_error, plain, position
from .subject import Subject, Unanswered


class MachineSubject(Subject):
    def __init__(self, scenario: Json, clock: VirtualClock) -> None:
        super().__init__(scenario, clock)
        options = scenario.get("options", {})
        self.state = initial(Options(options.get("client", "tab-1"), max_offline=options.get("max_offline", 100)))
        self._attempts: list[int] = []
        self._dropped: set[int] = set()
        self._requests: deque[int] = deque()
        self._timers: dict[str, VirtualTimer] = {}
        self._outbox: deque[Effect] = deque()
        self._topics: dict[str, str] = {}
        self._draining = False

    @property
    def dials(self) -> int:
        return len(self._attempts)

    def _event(self, event: Event) -> None:
        for effect in step(self.state, event, self.clock.now(), self.clock.random()):
            self._run(effect)
        self._drain()

    def _run(self, effect: Effect) -> None:
        match effect:
            case AskToken(request, reason):
                self.record("token", {"reason": reason})
                if self.handed:
                    arrived = TokenArrived(request, self.token_at_hand)
                    self.clock.call_later(0, lambda: self._event(arrived))
                else:
                    self._requests.append(request)
            case Dial(n, protocols, query):
                self._attempts.append(n)
                self.record("dial", {"protocols": list(protocols), "query": query})
            case Drop(n, code):
                self._dropped.add(n)
                self.record("drop", {"code": code})
            case Send(_, command):
                self.record("send", command)
                if "id" in command:
                    self.unanswered.append(Unanswered(self.dials, command))
            case Arm(timer, key, ms):
                self._disarm(timer)
                expired = TimerExpired(timer, key)
                self._timers[timer] = self.clock.call_later(ms, lambda: self._event(expired))
            case Disarm(timer):
                self._disarm(timer)
            case _:
                self._outbox.append(effect)

    def _disarm(self, timer: str) -> None:
        if timer in self._timers:
            self._timers.pop(timer).cancel()

    def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        try:
            while self._outbox:
                self._deliver(self._outbox.popleft())
        finally:
            self._draining = False

    def _deliver(self, effect: Effect) -> None:
        match effect:
            case Settle(ref, result, error):
                self.record("settle", {"ref": ref, **({"error": plain(error)} if error else {"result": result})})
            case Load(topic, _, reason):
                self.record("load", {"topic": topic, "reason": reason})
            case Emit(emission) if deliverable(self.state, emission):
                match emission:
                    case StateChanged(state):
                        self.record("state", plain(state))
                    case Received(message):
                        self.record("message", plain(message))
                    case Lost(gap):
                        self.record("gap", plain(gap))
                    case SubscriptionChanged(topic, _, status):
                        self.record("subscription", {"topic": topic, **plain(status)})
                    case Reported(error):
                        self.record("error", plain(error))
                    case ControlFrame():
                        pass

    def call(self, name: str, args: Json) -> None:
        rest = {key: value for key, value in args.items() if key != "as"}
        match name:
            case "start":
                if "token" in args:
                    self.handed, self.token_at_hand = True, args["token"]
                self._event(Signal("start"))
            case "stop":
                self._event(Signal("stop"))
            case "refresh":
                self._event(Signal("refresh"))
            case "subscribe":
                self._topics[args["as"]] = args["topic"]
                self._event(Subscribe(args["topic"], position(args.get("since")), args.get("load") is True))
            case "unsubscribe":
                self._event(Unsubscribe(self._topics[args["as"]]))
            case "loaded":
                topic = args["topic"]
                self._event(Loaded(topic, self._generation(topic), position(args["position"])))
            case "load_failed":
                error = load_error(args.get("error"))
                self._event(LoadFailed(args["topic"], self._generation(args["topic"]), str(error), refusal_of(error)))
            case "publish" | "call" | "history":
                self._event(Submit(args["as"], {"action": name, **rest}))
            case _:
                raise ValueError(f"unknown call {name}")

    def _generation(self, topic: str) -> int:
        sub = self.state.subscriptions.get(topic)
        return sub.generation if sub else 0

    def token(self, answer: Json) -> None:
        request = self._requests.popleft()
        if isinstance(answer, dict):
            self._event(TokenFailed(request, answer["error"]))
        else:
            self._event(TokenArrived(request, answer))

    def device(self, signal: str) -> None:
        match signal:
            case "wake" | "online" | "offline" | "hide":
                self._event(Signal(signal))
            case _:
                raise ValueError(f"unknown signal {signal}")

    def _n(self, socket: int) -> int:
        return self._attempts[socket - 1]

    async def open(self, socket: int) -> None:
        self._n(socket)

    async def send(self, socket: int, frame: Json) -> None:
        if self._n(socket) not in self._dropped:
            self._event(FrameArrived(self._n(socket), json.dumps(frame)))

    async def close(self, socket: int, code: int, reason: str) -> None:
        self._event(Closed(self._n(socket), code, reason))

    async def quiet(self) -> None:
        # A token that is at hand arrives in a later turn, at the same time.
        while self.clock.fire_next(self.clock.time):
            pass

    async def end(self) -> None:
        pass

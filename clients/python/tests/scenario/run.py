"""Runs a scenario on a subject, step by step."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable

from .clock import VirtualClock
from .form import LANES, STRICT, Item, Json, difference
from .subject import Reaction, Subject

TIME = "2026-11-23T13:00:00.123Z"

ERRORS: dict[str, Json] = {
    "forbidden": {"status": 403, "retry": False, "message": "not granted"},
    "rate_limited": {"status": 429, "retry": True, "message": "too many commands"},
    "unavailable": {"status": 503, "retry": True, "message": "not now"},
    "unauthorized": {"status": 401, "retry": False, "message": "not accepted"},
    "bad_request": {"status": 400, "retry": False, "message": "invalid"},
    "conflict": {"status": 409, "retry": False, "message": "used for another message"},
}

VERBS = {"at", "after", "sleep", "random", "client", "on", "do", "token", "device", "server", "socket", "expect", "within", "between", "never", "for"}


class HandlerFailed(Exception):
    """What a handler of the application raises."""


async def run(file: str, scenario: Json, make: Callable[[VirtualClock], Awaitable[Subject]]) -> None:
    clock = VirtualClock()
    clock.fraction = scenario.get("random", 0.5)
    subject = await make(clock)
    runner = Runner(scenario, subject, clock)
    try:
        for i, step in enumerate(scenario["steps"]):
            try:
                await runner.step(step)
            except Exception as error:
                raise AssertionError(f"{file}, step {i + 1} {json.dumps(step)}: {error!r}\n{runner.transcript()}") from error
        runner.nothing_left()
    finally:
        await subject.end()


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _one(value: Json) -> tuple[str, Json]:
    [(name, args)] = value.items()
    return name, args


class Runner:
    def __init__(self, scenario: Json, subject: Subject, clock: VirtualClock) -> None:
        self.scenario = scenario
        self.subject = subject
        self.clock = clock
        self._taken: set[int] = set()
        self._messages = 0
        subject.on_item = self._react

    def _react(self, item: Item) -> None:
        for reaction in list(self.subject.reactions):
            if reaction.kind == item.kind and difference(reaction.pattern, item.value) is None:
                self.subject.reactions.remove(reaction)
                reaction.run()

    async def step(self, step: Json) -> None:
        subject, clock = self.subject, self.clock
        assert step.keys() <= VERBS, f"not understood: {step.keys() - VERBS}"
        since = len(subject.items)
        if "at" in step:
            await clock.advance_to(step["at"], subject.quiet)
        if "after" in step:
            await clock.advance_to(clock.now() + step["after"], subject.quiet)
        if "sleep" in step:
            clock.sleep(step["sleep"])
        if "random" in step:
            clock.fraction = step["random"]
        if "client" in step:
            self._client(step["client"])
        if "on" in step:
            kind, pattern = _one(step["on"])
            subject.reactions.append(Reaction(kind, pattern, lambda: self._do(step["do"])))
        if "token" in step:
            subject.token(step["token"])
        if "device" in step:
            subject.device(step["device"])
        if "server" in step:
            await self._server(step["server"], step.get("socket", subject.dials))
        await subject.quiet()
        for expected in _list(step.get("expect", [])):
            await self._expect(expected, step)
        if "never" in step:
            await self._never(step["never"], step["for"], since)

    def _client(self, action: Json) -> None:
        name, args = (action, {}) if isinstance(action, str) else _one(action)
        self.subject.call(name, args)

    def _do(self, calls: Json) -> None:
        for call in _list(calls):
            if call == "throw":
                raise HandlerFailed("a handler of the application failed")
            self._client(call)

    async def _server(self, action: Json, socket: int) -> None:
        subject = self.subject
        if action == "open":
            return await subject.open(socket)
        if action == "cut":
            return await subject.close(socket, 1006, "")
        verb, args = _one(action)
        match verb:
            case "accept":
                await subject.open(socket)
                await subject.send(socket, frame("welcome", self._welcome(socket, args)))
            case "send":
                await subject.send(socket, {"timestamp": TIME, **args})
            case "message":
                await subject.send(socket, self._publication(args))
            case "gap" | "closing" | "subscribed" | "unsubscribed":
                await subject.send(socket, frame(verb, args))
            case "close":
                await subject.close(socket, args["code"], args.get("reason", ""))
            case "reply":
                await self._reply(args, socket)
            case _:
                raise ValueError(f"the server has no verb {verb}")
        await subject.quiet()

    async def _reply(self, args: Json, socket: int) -> None:
        """Replies to the oldest command that the pattern fits."""
        waiting = self.subject.unanswered
        found = next((one for one in waiting if difference(args["to"], one.command) is None), None)
        assert found, f"no such command waits for a reply; these do: {[one.command for one in waiting]}"
        waiting.remove(found)
        number = found.command["id"]
        if "error" in args:
            error = args["error"]
            payload = {"id": number, **ERRORS.get(error["code"], {}), **error}
            await self.subject.send(socket, frame("error", payload))
        else:
            await self.subject.send(socket, frame("ack", {"id": number, **args["ack"]}))

    def _welcome(self, socket: int, overrides: Json) -> Json:
        fields = {
            "connection": f"connection-{socket}",
            "user": "alice",
            "roles": [],
            "client": self.scenario.get("options", {}).get("client", "tab-1"),
            "protocol": "realtime.v1",
            "features": ["history"],
            "server": "realtime/0.1.0",
            "time": TIME,
            "ping_ms": 25_000,
            "reconnect": {"min_ms": 250, "max_ms": 30_000, "spread_ms": 1_000},
            "limits": {"burst": 100, "subscriptions": 100},
            "streams": {},
            "resumed": False,
            "resume": f"ticket-{socket}",
            **overrides,
        }
        return {name: value for name, value in fields.items() if value != {"$absent": True}}

    def _publication(self, args: Json) -> Json:
        topic, offset = args.get("topic"), args.get("offset")
        self._messages += 1
        number = f"019ab1c2-7b1e-7c3a-9d54-{self._messages:012d}"
        stream = {"stream": f"topic:{topic}"} if offset is not None and topic is not None else {}
        return {"type": "news", "payload": offset, "timestamp": TIME, "id": number, **stream, **args}

    def _find(self, kind: str, pattern: Json) -> Item | None:
        """The next item of the lane; in a loose lane the next that fits."""
        lane, strict = LANES[kind], kind in STRICT
        for item in self.subject.items:
            if LANES[item.kind] != lane or id(item) in self._taken:
                continue
            wrong = difference(pattern, item.value) if item.kind == kind else f"the next is a {item.kind}"
            if wrong is None:
                return item
            assert not strict, wrong
        return None

    async def _expect(self, expected: Json, step: Json) -> None:
        kind, pattern = _one(expected)
        until = self.clock.now() + step.get("within", 0)
        while (item := self._find(kind, pattern)) is None:
            assert self.clock.next_due <= until, f"there is no such {kind}"
            await self.clock.advance_to(self.clock.next_due, self.subject.quiet)
            await self.subject.quiet()
        self._taken.add(id(item))
        first, last = step.get("between", (0, math.inf))
        assert first <= item.at <= last, f"it came at {item.at}"

    async def _never(self, never: Json, ms: float, since: int) -> None:
        """Since the beginning of the step, without what it expects."""
        await self.clock.advance_to(self.clock.now() + ms, self.subject.quiet)
        kind, pattern = _one(never)
        for item in self.subject.items[since:]:
            seen = item.kind == kind and id(item) not in self._taken and difference(pattern, item.value) is None
            assert not seen, f"at {item.at} there is {item.value}"

    def nothing_left(self) -> None:
        always = {"token"} if "token" in self.scenario else set()
        left = [item for item in self.subject.items if item.kind in STRICT.keys() - always and id(item) not in self._taken]
        assert not left, f"not expected: {[self._shown(item) for item in left]}\n{self.transcript()}"

    def _shown(self, item: Item) -> str:
        return f"{' ' if id(item) in self._taken else '?'} {item.at:8} {item.kind} {item.value}"

    def transcript(self) -> str:
        return "\n".join(self._shown(item) for item in self.subject.items)


def frame(kind: str, payload: Json) -> Json:
    return {"type": kind, "payload": payload, "timestamp": TIME}

"""The scenarios that need many rounds: S10 and S32 of tests/scenarios at their full size."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from random import Random
from typing import Any

from test_client import server, story

from realtime_client import Realtime
from realtime_client.machine import initial, step
from realtime_client.machine.signals import (
    Arm,
    Closed,
    Effect,
    Event,
    FrameArrived,
    Send,
    Signal,
    Submit,
    Subscribe,
    TimerExpired,
    TokenArrived,
    Unsubscribe,
)
from realtime_client.machine.state import Options

MIB = 1024 * 1024


class Machine:
    """A machine that is connected, with what a test needs to drive it on."""

    def __init__(self, random: Random, **welcome: Any) -> None:
        self.state = initial(Options("a"))
        self.random = random
        self.now = 0.0
        self.sent: list[dict[str, Any]] = []
        self.event(Signal("start"))
        self.event(TokenArrived(self.state.request, "jwt"))
        self.frame("welcome", {"streams": {}, **welcome})

    def event(self, event: Event) -> list[Effect]:
        effects = step(self.state, event, self.now, self.random.random())
        self.sent += [effect.command for effect in effects if isinstance(effect, Send)]
        return effects

    def frame(self, kind: str, payload: object) -> list[Effect]:
        return self.event(FrameArrived(self.state.n, json.dumps({"type": kind, "payload": payload})))

    def answer(self) -> None:
        sent, self.sent = self.sent, []
        for command in sent:
            self.frame("ack", {"id": command["id"], "position": {"epoch": "a", "offset": 1}})

    def advance(self, ms: float) -> None:
        self.now += ms
        for timer, armed in list(self.state.timers.items()):
            if armed.due <= self.now:
                self.event(TimerExpired(timer, armed.key))


def chi_square(values: list[float], start: float, end: float) -> float:
    """Pearson's statistic of ten equal parts; above 27.9 with a probability of 0.1 % if the values are uniform."""
    parts = [0] * 10
    for value in values:
        parts[min(9, int((value - start) / (end - start) * 10))] += 1
    expected = len(values) / 10
    return sum((count - expected) ** 2 / expected for count in parts)


def first_waits(closing: dict[str, Any] | None, code: int) -> list[float]:
    """The first wait of 1,000 clients after the end of their first connection."""
    waits: list[float] = []
    for seed in range(1_000):
        machine = Machine(Random(seed), reconnect={"min_ms": 100, "max_ms": 30_000, "spread_ms": 4_900})
        if closing:
            machine.frame("closing", closing)
        effects = machine.event(Closed(machine.state.n, code, ""))
        waits += [effect.ms for effect in effects if isinstance(effect, Arm) and effect.timer == "retry"]
    assert len(waits) == 1_000
    return waits


def test_s10_what_a_closing_frame_asks_for_is_uniform_over_1000_clients() -> None:
    closing = {"code": 4503, "reason": "restart", "reconnect": True, "after_ms": 800, "spread_ms": 20_000}
    waits = first_waits(closing, 4503)
    assert min(waits) >= 800 and max(waits) <= 20_800
    assert chi_square(waits, 800, 20_800) < 27.9


def test_s10_without_a_closing_frame_the_first_wait_is_uniform_over_1000_clients() -> None:
    waits = first_waits(None, 1006)
    assert min(waits) >= 100 and max(waits) <= 5_000
    assert chi_square(waits, 100, 5_000) < 27.9


def test_s32_ten_thousand_subscriptions_and_commands_leave_the_tables_of_the_machine_as_they_were() -> None:
    machine = Machine(Random(1))
    state = machine.state

    def sizes() -> list[int]:
        tables = (state.subscriptions, state.timers, state.sent, state.commands, state.positions)
        return [len(table) for table in tables]

    # The connection is stable from now on: a timer fewer.
    machine.advance(10_000)
    before = sizes()
    for n in range(10_000):
        topic = f"topic:{n}"
        machine.event(Subscribe(topic))
        machine.event(Unsubscribe(topic))
        machine.event(Submit(n, {"action": "publish", "topic": topic, "type": "note", "payload": n}))
        machine.answer()
        machine.advance(1_000)
        machine.answer()
    assert sizes() == before


@story
async def test_s32_a_thousand_starts_and_stops_leave_no_task_no_timer_and_no_memory() -> None:
    async with server() as own:
        client = Realtime(own.url, "token")
        loop = asyncio.get_running_loop()

        async def rounds(count: int) -> int:
            for n in range(count):
                client.start()
                client.on("t:*", lambda message: None)()
                client.subscribe(f"t:{n}").unsubscribe()
                if n % 50 == 0:
                    await asyncio.sleep(0)
                client.stop()
            while asyncio.all_tasks() - before:
                await asyncio.sleep(0.01)
            own.connections.clear()
            own.commands.clear()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        before = asyncio.all_tasks()
        tracemalloc.start()
        try:
            first = await rounds(1_000)
            second = await rounds(1_000)
        finally:
            tracemalloc.stop()
        assert second - first < MIB, f"{second - first} bytes more after 1,000 starts and stops"
        due: list[Any] = [timer for timer in getattr(loop, "_scheduled") if not timer.cancelled()]
        assert not [timer for timer in due if "realtime_client" in repr(timer)], due
        await client.aclose()

"""What is left of a subscription that ends while its state is loaded."""

from __future__ import annotations

import json
from typing import Any

from realtime_client import Position
from realtime_client.machine import initial, step
from realtime_client.machine.signals import Dial, Event, FrameArrived, Load, Loaded, Send, Signal, Subscribe, TokenArrived, Unsubscribe
from realtime_client.machine.state import Options


def test_a_subscription_that_ends_while_its_state_is_loaded_is_forgotten() -> None:
    state = initial(Options("tab-1"))

    def happens(event: Event) -> list[Any]:
        return step(state, event, 0, 0.5)

    def frame(kind: str, payload: dict[str, Any]) -> list[Any]:
        return happens(FrameArrived(state.n, json.dumps({"type": kind, "payload": payload})))

    happens(Signal("start"))
    assert any(isinstance(effect, Dial) for effect in happens(TokenArrived(state.request, "jwt")))
    frame("welcome", {"user": "alice", "streams": {}})
    (load,) = [effect for effect in happens(Subscribe("order:1", load=True)) if isinstance(effect, Load)]
    (subscribe,) = [it for it in happens(Loaded("order:1", load.generation, Position("a", 17))) if isinstance(it, Send)]
    frame("ack", {"id": subscribe.command["id"], "position": {"epoch": "a", "offset": 17}})
    gap = {"stream": "topic:order:1", "position": {"epoch": "a", "offset": 30}, "reason": "slow_consumer"}
    (unsubscribe,) = [effect for effect in frame("gap", gap) if isinstance(effect, Send)]
    happens(Unsubscribe("order:1"))
    frame("ack", {"id": unsubscribe.command["id"]})
    assert state.subscriptions == {}
    assert state.positions == {}

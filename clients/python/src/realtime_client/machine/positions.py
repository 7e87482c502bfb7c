"""Where each stream stands: a position by the name of the stream."""

from __future__ import annotations

from typing import Any

from .state import Step
from .values import Position

TOPIC = "topic:"


def topic_of(stream: str | None) -> str | None:
    return stream[len(TOPIC) :] if stream is not None and stream.startswith(TOPIC) else None


def stream_of(topic: str) -> str:
    """The position of a topic, under the name of its stream."""
    return TOPIC + topic


def wire(position: Position) -> dict[str, Any]:
    return {"epoch": position.epoch, "offset": position.offset}


def keep(m: Step, stream: str, at: Position, seen: int = 0) -> None:
    """Keeps a position that the server names, unless messages after it have come already."""
    own = m.state.positions.get(stream)
    known = seen if own is None else own.offset if own.epoch == at.epoch else 0
    m.state.positions[stream] = Position(at.epoch, max(at.offset, known))


def keep_all(m: Step, streams: dict[str, Position]) -> None:
    loading = {stream_of(sub.topic) for sub in m.state.subscriptions.values() if sub.phase == "loading"}
    for stream, at in streams.items():
        # What is loaded has a position of its own.
        if stream not in loading:
            keep(m, stream, at)

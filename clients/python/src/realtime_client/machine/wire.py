"""Reads parts of a frame. What is missing or has another type is absent: a later server may send it differently."""

from __future__ import annotations

import math
from typing import Any

from .state import Closing
from .values import Failure, FieldError, Gap, Message, Position


def text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) else None


def fields(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def position(value: object) -> Position | None:
    at = fields(value)
    epoch, offset = text(at.get("epoch")), whole(at.get("offset"))
    return None if epoch is None or offset is None else Position(epoch, offset)


def positions(value: object) -> dict[str, Position]:
    read = ((stream, position(at)) for stream, at in fields(value).items())
    return {stream: at for stream, at in read if at is not None}


def message(frame: dict[str, Any]) -> Message:
    return Message(
        type=str(frame.get("type")),
        payload=frame.get("payload"),
        timestamp=str(frame.get("timestamp", "")),
        id=str(frame["id"]),
        topic=text(frame.get("topic")),
        stream=text(frame.get("stream")),
        offset=whole(frame.get("offset")),
    )


def gap(p: dict[str, Any]) -> Gap:
    return Gap(
        reason=text(p.get("reason")) or "unknown",
        stream=text(p.get("stream")),
        start=whole(p.get("from")),
        end=whole(p.get("to")),
        missed=whole(p.get("missed")),
        position=position(p.get("position")),
    )


def closing(p: dict[str, Any]) -> Closing:
    return Closing(
        code=whole(p.get("code")) or 1006,
        reason=text(p.get("reason")) or "",
        reconnect=p.get("reconnect") is True,
        after_ms=number(p.get("after_ms")) or 0,
        spread_ms=number(p.get("spread_ms")) or 0,
    )


def failure(p: dict[str, Any]) -> Failure:
    errors = p.get("errors")
    return Failure(
        code=text(p.get("code")) or "unknown",
        message=text(p.get("message")) or "",
        status=whole(p.get("status")) or 0,
        retry=p.get("retry") is True,
        after_ms=number(p.get("after_ms")),
        errors=tuple(
            FieldError(str(fields(error).get("path", "")), str(fields(error).get("message", "")))
            for error in (errors if isinstance(errors, list) else [])
        ),
    )

"""The scenario files of tests/scenarios, as data; README.md there describes the format."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

from realtime_client.errors import RealtimeError
from realtime_client.machine.values import Failure, Position

Json = Any

ROOT = Path(__file__).resolve().parents[4]
FOLDER = Path(os.environ.get("SCENARIOS", ROOT / "tests/scenarios"))

STRICT = {"token": "token", "dial": "dial", "send": "send", "message": "delivery", "gap": "delivery", "settle": "settle", "load": "load"}
"""Items of a lane keep their order; in a strict lane none may be left over. Kind -> lane."""
LOOSE = {"drop": "drop", "state": "state", "subscription": "subscription", "error": "error"}
LANES = {**STRICT, **LOOSE}


@dataclasses.dataclass(slots=True, eq=False)
class Item:
    """What a client does that others can see."""

    kind: str
    at: float
    value: Json


def scenarios() -> list[tuple[str, Json]]:
    files = sorted(path for path in FOLDER.iterdir() if re.match(r"s\d\d.*\.json$", path.name))
    return [(path.name, json.loads(path.read_text("utf-8"))) for path in files]


NAMES = {"retry_at": "retryAt", "start": "from", "end": "to"}


def plain(value: object) -> Json:
    """A value of the client as the scenarios name it: fields by their names there, nothing that is absent."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {NAMES.get(name, name): plain(part) for name, part in pairs if part is not None or name == "payload"}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


def position(value: Json) -> Position | None:
    return None if value is None else Position(value["epoch"], value["offset"])


def load_error(value: Json) -> Exception:
    """With what the application's load fails: an error of the server, or one of its own."""
    return RuntimeError("it failed") if value is None else RealtimeError(Failure(**value))


MISSING = object()


def difference(pattern: Json, value: Json, at: str = "") -> str | None:
    """Whether ``value`` has all that ``pattern`` names. Returns the first difference, or nothing."""
    differs = f"{at or 'it'} is {'missing' if value is MISSING else value!r}, not {pattern!r}"
    if isinstance(pattern, list):
        if not isinstance(value, list) or len(value) != len(pattern):
            return differs
        return _first(difference(part, value[i], f"{at}/{i}") for i, part in enumerate(pattern))
    if not isinstance(pattern, dict):
        same = value is not MISSING and value == pattern and isinstance(value, bool) == isinstance(pattern, bool)
        return None if same else differs
    if "$any" in pattern:
        return differs if value is MISSING else None
    if "$absent" in pattern:
        return None if value is MISSING else differs
    if "$min" in pattern or "$max" in pattern:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        inside = number and pattern.get("$min", value) <= value <= pattern.get("$max", value)
        return None if inside else differs
    if not isinstance(value, dict):
        return differs
    return _first(difference(part, value.get(name, MISSING), f"{at}/{name}") for name, part in pattern.items())


def _first(differences: Any) -> str | None:
    return next((text for text in differences if text is not None), None)

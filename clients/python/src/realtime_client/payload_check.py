"""Compares a payload with a generated type of ``topics.py``, while the program runs.

It sees what a Python type says: fields, literals, texts, numbers, lists. What only the JSON Schema says (ranges, formats,
patterns, fields that are not allowed) is checked by the server, where the message is published.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from itertools import islice

from .machine.values import FieldError

MOST_FAULTS = 16
MOST_DEPTH = 64

_PLAIN: Mapping[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a text"),
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "None": ((type(None),), "null"),
}


def faults(name: str, payload: object, names: Mapping[str, object]) -> list[FieldError]:
    """At most 16. ``name`` is a type, ``names`` the generated types by name. No fault has a value of the payload."""
    return list(islice(_faults(ast.Name(name), payload, names, "/payload", 0), MOST_FAULTS))


@functools.lru_cache(maxsize=4_096)
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _faults(
    node: ast.expr, value: object, names: Mapping[str, object], path: str, depth: int
) -> Iterator[FieldError]:
    if depth > MOST_DEPTH:
        yield FieldError(path, "must not be deeper than 64 values")
        return
    match node:
        case ast.Constant(None):
            yield from _plain("None", value, path)
        case ast.Constant(str(text)):
            yield from _faults(_parsed(text), value, names, path, depth + 1)
        case ast.Name("object"):
            return
        case ast.Name("NoReturn"):
            yield FieldError(path, "is not allowed")
        case ast.Name(name) if name in _PLAIN:
            yield from _plain(name, value, path)
        case ast.Name(name):
            yield from _named(names[name], value, names, path, depth)
        case ast.BinOp(left, ast.BitOr(), right):
            first = list(islice(_faults(left, value, names, path, depth + 1), MOST_FAULTS))
            if first:
                second = list(islice(_faults(right, value, names, path, depth + 1), MOST_FAULTS))
                # The faults of the part that fits better: those that lie deeper in the value.
                yield from max(first, second, key=lambda own: len(own[0].path)) if second else ()
        case ast.Subscript(ast.Name("Literal"), literal):
            allowed = ast.literal_eval(literal)
            if type(value) is not type(allowed) or value != allowed:
                yield FieldError(path, f"must be {allowed!r}")
        case ast.Subscript(ast.Name("list"), item):
            if not isinstance(value, list):
                yield FieldError(path, "must be a list")
                return
            for place, one in enumerate(value):
                yield from _faults(item, one, names, f"{path}/{place}", depth + 1)
        case ast.Subscript(ast.Name("dict"), ast.Tuple([_, item])):
            if not isinstance(value, dict):
                yield FieldError(path, "must be an object")
                return
            for key, one in value.items():
                yield from _faults(item, one, names, f"{path}/{_escaped(key)}", depth + 1)


def _named(own: object, value: object, names: Mapping[str, object], path: str, depth: int) -> Iterator[FieldError]:
    """A type of the module: the text of an alias, or a ``TypedDict``."""
    if isinstance(own, str):
        yield from _faults(_parsed(own), value, names, path, depth + 1)
        return
    if not isinstance(value, dict):
        yield FieldError(path, "must be an object")
        return
    required: frozenset[str] = getattr(own, "__required_keys__")
    annotations: dict[str, object] = getattr(own, "__annotations__")
    for key, annotation in annotations.items():
        if key in value:
            text = getattr(annotation, "__forward_arg__", annotation)
            yield from _faults(_parsed(str(text)), value[key], names, f"{path}/{_escaped(key)}", depth + 1)
        elif key in required:
            yield FieldError(f"{path}/{_escaped(key)}", "is missing")


def _plain(name: str, value: object, path: str) -> Iterator[FieldError]:
    kinds, words = _PLAIN[name]
    fits = isinstance(value, kinds) and (name == "bool" or not isinstance(value, bool))
    # JSON has one kind of number.
    if not fits and not (name == "int" and isinstance(value, float) and value.is_integer()):
        yield FieldError(path, f"must be {words}")


def _escaped(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")

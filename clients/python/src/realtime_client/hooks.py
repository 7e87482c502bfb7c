"""Plain handlers of the application: each runs between two steps of the client, and one that raises ends nothing."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

from .listeners import Remove
from .machine.values import ConnectionState, Gap

_log = logging.getLogger("realtime_client")


class Hooks:
    def __init__(self) -> None:
        self.states: list[Callable[[ConnectionState], object]] = []
        self.gaps: list[Callable[[Gap], object]] = []
        self.errors: list[Callable[[Exception], object]] = []
        self.frames: list[Callable[[str, dict[str, Any]], object]] = []

    def run(self, handlers: list[Callable[..., object]], *values: object) -> None:
        for handler in handlers:
            try:
                handler(*values)
            except Exception as error:
                self.report(error)

    def report(self, error: Exception) -> None:
        handlers = list(self.errors)
        if not handlers:
            _log.error("an error that no handler takes: %s", error, exc_info=error)
        for handler in handlers:
            try:
                handler(error)
            except Exception as own:
                _log.error("the error handler failed: %s", own, exc_info=own)


def add(handlers: list[Any], handler: Any) -> Remove:
    """Returns its own remover."""
    if inspect.iscoroutinefunction(handler):
        raise TypeError("the handler must be a plain function; start a task in it for what must be awaited")
    handlers.append(handler)
    return lambda: handlers.remove(handler) if handler in handlers else None
